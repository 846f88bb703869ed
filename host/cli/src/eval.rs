//! `barmkin eval`: decides one request, and says how.

use crate::help::Help;
use crate::request::{self, Scheme, Written, append, check_listener, head};
use crate::{input, load};
use anyhow::{Context, Result, anyhow, bail};
use barmkin_config::Secrets;
use barmkin_host::limits::BODY_BYTES_MAX;
use barmkin_host::{Body, FixedClock, Gate, Head, Outcome, Took, Verdict};
use http::HeaderMap;
use std::ffi::OsString;
use std::net::IpAddr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

/// Decides one request; prints the verdict and each policy's decision.
///
/// Ends with 0 on allow, 1 on deny, and 2 when nothing could be decided.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    file: load::File,
    /// A file (JSON) with the request, instead of the flags below; `-` is standard
    /// input.
    #[arg(long, conflicts_with_all = ["method", "url", "path", "header", "body", "body_file", "listener"])]
    request: Option<PathBuf>,
    #[arg(long, default_value = "GET")]
    method: String,
    /// Where to: `https://host/path?query`. What follows the host is taken
    /// byte for byte.
    #[arg(long, conflicts_with = "path")]
    url: Option<String>,
    /// The request target alone, byte for byte.
    #[arg(long, allow_hyphen_values = true)]
    path: Option<String>,
    /// A field, as `name: value`. May be given several times.
    #[arg(long, allow_hyphen_values = true)]
    header: Vec<OsString>,
    /// The body, as text.
    #[arg(long, conflicts_with = "body_file")]
    body: Option<String>,
    /// The file with the body; `-` is standard input.
    #[arg(long)]
    body_file: Option<PathBuf>,
    /// Where the client is.
    #[arg(long)]
    client_address: Option<IpAddr>,
    /// The listener that it comes in on, for routes that name theirs.
    #[arg(long)]
    listener: Option<String>,
    /// When it is (RFC 3339), instead of now.
    #[arg(long, value_parser = request::time)]
    now: Option<jiff::Timestamp>,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: Args) -> Result<ExitCode> {
    let files = [args.request.as_deref(), args.body_file.as_deref()];
    if files.into_iter().flatten().filter(|file| input::is_input(file)).count() + usize::from(args.file.is_input()) > 1
    {
        bail!(
            "`-` is standard input, which can be read once\n  help: name a file for all but one of what is to be read"
        );
    }
    let config = args.file.config(Secrets::Read)?;
    let mut services = load::services(&config);
    if let Some(now) = args.now {
        let unix_ms = u64::try_from(now.as_millisecond())
            .map_err(|_| anyhow!("`{now}` is before 1970"))
            .help("write a later time")?;
        services.clock = Arc::new(FixedClock::at_unix_ms(unix_ms));
    }
    let gate = Gate::new(load::generation(&config, &load::engine(config.fixed().cache.as_deref())?, services)?);
    let json = args.json;
    let (head, body) = asked(args)?;
    check_listener(&head, &config)?;
    let verdict = gate.check_now(head, body)?;
    if json {
        println!("{:#}", as_json(&verdict));
    } else {
        print(&verdict);
    }
    Ok(if verdict.reason().is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Bytes of a written request: its body is in it, in base64.
const REQUEST_BYTES_MAX: usize = 2 * BODY_BYTES_MAX;

fn asked(args: Args) -> Result<(Head, Body)> {
    if let Some(file) = &args.request {
        let text = input::read_text(file, REQUEST_BYTES_MAX)?;
        return input::parse_json::<Written>(file, &text)?.to_parts();
    }
    let (scheme, authority, target) = match (&args.url, args.path) {
        (Some(url), _) => split_url(url)?,
        (None, Some(path)) => (Scheme::Https, None, path),
        (None, None) => bail!("`eval` is given no request\n  help: say which with `--url`, `--path` or `--request`"),
    };
    let mut headers = HeaderMap::new();
    for field in &args.header {
        let bytes = field.as_bytes();
        let colon = bytes.iter().position(|byte| *byte == b':');
        let (name, value) =
            colon.and_then(|colon| bytes.split_at_checked(colon)).with_context(|| not_a_field(field)).help(FIELD)?;
        let name = str::from_utf8(name).with_context(|| not_a_field(field)).help(FIELD)?;
        append(&mut headers, name, value.get(1..).unwrap_or_default().trim_ascii())?;
    }
    let body = match (args.body, args.body_file) {
        (Some(text), _) => text.into_bytes(),
        (None, Some(file)) => input::read(&file, BODY_BYTES_MAX)?,
        (None, None) => Vec::new(),
    };
    let mut head = head(&args.method, target, authority, scheme, headers, args.client_address)?;
    head.client.listener = args.listener.map(Into::into);
    Ok((head, Body::Whole(body.into())))
}

const FIELD: &str = "write it as `name: value`";

fn not_a_field(field: &OsString) -> String {
    format!("`{}` is not a field", field.to_string_lossy())
}

/// Splits an address without touching what follows the host: path tricks must
/// arrive as they were written.
fn split_url(url: &str) -> Result<(Scheme, Option<String>, String)> {
    let (scheme, rest) = match url.split_once("://") {
        Some(("https", rest)) => (Scheme::Https, rest),
        Some(("http", rest)) => (Scheme::Http, rest),
        _ => bail!(
            "`{url}` does not begin with `https://` or `http://`\n  help: write all of it, or the target alone as `--path`"
        ),
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, target) = rest.split_at_checked(end).unwrap_or((rest, ""));
    let target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
    Ok((scheme, Some(authority.to_owned()), target))
}

fn print(verdict: &Verdict) {
    match verdict {
        Verdict::Allow(permit) => {
            println!("allow");
            println!("  route      {}", permit.route());
            if let Some(principal) = permit.principal() {
                println!("  principal  {} ({}, by {})", principal.id, principal.kind, principal.method);
            }
            if let Some(observed) = permit.observed() {
                println!("  observed   deny {}", observed.reason());
            }
        }
        Verdict::Deny(denial) => {
            println!("deny {}", denial.reason());
            println!("  status     {}", denial.status());
            if let Some(route) = denial.route() {
                println!("  route      {route}");
            }
            if !denial.detail().is_empty() {
                println!("  detail     {}", denial.detail());
            }
        }
    }
    for step in verdict.steps() {
        let took = step.took.as_deref().map(took).unwrap_or_default();
        println!("  {:<24} {:<32} {took}", step.policy, outcome(&step.outcome));
        if let (Outcome::Failed(_), false) = (&step.outcome, step.detail.is_empty()) {
            println!("  {:<24} {}", "", step.detail);
        }
    }
}

/// The cost of a check, for people.
pub(crate) fn took(took: &Took) -> String {
    format!("{:.2?}, {} KiB", took.time, took.memory_bytes / 1024)
}

fn outcome(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Allow => "allow".to_owned(),
        Outcome::Abstain => "abstain".to_owned(),
        Outcome::Deny(reason) => format!("deny {reason}"),
        Outcome::Failed(reason) => format!("failed {reason}, abstains"),
    }
}

fn as_json(verdict: &Verdict) -> serde_json::Value {
    let steps: Vec<_> = verdict
        .steps()
        .iter()
        .map(|step| {
            serde_json::json!({
                "policy": *step.policy,
                "outcome": outcome(&step.outcome),
                "detail": step.detail,
                "time-us": step.took.as_ref().map(|took| u64::try_from(took.time.as_micros()).unwrap_or(u64::MAX)),
                "memory-bytes": step.took.as_ref().map(|took| took.memory_bytes),
            })
        })
        .collect();
    match verdict {
        Verdict::Allow(permit) => serde_json::json!({
            "verdict": "allow",
            "reason": null,
            "route": permit.route(),
            "principal": permit.principal().map(|principal| principal.id.as_str()),
            "observed": permit.observed().map(|denial| denial.reason().as_str()),
            "generation": permit.generation().to_string(),
            "steps": steps,
        }),
        Verdict::Deny(denial) => serde_json::json!({
            "verdict": "deny",
            "reason": denial.reason().as_str(),
            "status": denial.status().as_u16(),
            "detail": denial.detail(),
            "route": denial.route(),
            "policy": denial.policy(),
            "generation": denial.generation().to_string(),
            "steps": steps,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::split_url;

    #[test]
    fn what_follows_the_host_is_not_touched() {
        let split =
            |url: &str| split_url(url).map(|(scheme, authority, target)| (scheme.as_str(), authority.unwrap(), target));
        let owned = |scheme, authority: &str, target: &str| (scheme, authority.to_owned(), target.to_owned());
        assert_eq!(split("https://a:1/../b%2f?c#d").unwrap(), owned("https", "a:1", "/../b%2f?c#d"));
        assert_eq!(split("http://a").unwrap(), owned("http", "a", "/"));
        assert_eq!(split("http://a?b").unwrap(), owned("http", "a", "/?b"));
        assert!(split("a/b").is_err());
    }
}
