//! `barmkin eval`: decides one request, and says how.

use crate::load;
use crate::request::{Scheme, Written, append, check_listener, head};
use anyhow::{Context, Result, bail};
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
/// Ends with 0 on allow, 1 on deny, 2 when nothing could be decided.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    file: load::File,
    /// A file (JSON) with the request, instead of the flags below.
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
    /// The file with the body.
    #[arg(long)]
    body_file: Option<PathBuf>,
    /// Where the client is.
    #[arg(long)]
    client_address: Option<IpAddr>,
    /// The listener that it comes by, for routes that name theirs.
    #[arg(long)]
    listener: Option<String>,
    /// When it is (RFC 3339), instead of now.
    #[arg(long)]
    now: Option<jiff::Timestamp>,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: Args) -> Result<ExitCode> {
    let config = load::config(&args.file.file, Secrets::Read)?;
    let mut services = load::services(&config);
    if let Some(now) = args.now {
        let unix_ms = u64::try_from(now.as_millisecond()).context("`--now` is before 1970")?;
        services.clock = Arc::new(FixedClock::at_unix_ms(unix_ms));
    }
    let gate = Gate::new(load::generation(&config, &load::engine(config.fixed().cache.as_deref())?, services)?);
    let json = args.json;
    let (head, body) = request(args)?;
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

fn request(args: Args) -> Result<(Head, Body)> {
    if let Some(file) = &args.request {
        let text = barmkin_files::read_text(file, REQUEST_BYTES_MAX)
            .with_context(|| format!("cannot read `{}`", file.display()))?;
        let written: Written =
            serde_json::from_str(&text).with_context(|| format!("`{}` is no request", file.display()))?;
        return written.to_parts();
    }
    let (scheme, authority, target) = match (&args.url, args.path) {
        (Some(url), _) => split_url(url)?,
        (None, Some(path)) => (Scheme::Https, None, path),
        (None, None) => bail!("say which request: `--url`, `--path` or `--request`"),
    };
    let mut headers = HeaderMap::new();
    for field in &args.header {
        let bytes = field.as_bytes();
        let colon = bytes.iter().position(|byte| *byte == b':');
        let (name, value) =
            colon.and_then(|colon| bytes.split_at_checked(colon)).context("write a field as `name: value`")?;
        let name = str::from_utf8(name).context("a field name is not text")?;
        append(&mut headers, name, value.get(1..).unwrap_or_default().trim_ascii())?;
    }
    let body = match (args.body, args.body_file) {
        (Some(text), _) => text.into_bytes(),
        (None, Some(file)) => {
            barmkin_files::read(&file, BODY_BYTES_MAX).with_context(|| format!("cannot read `{}`", file.display()))?
        }
        (None, None) => Vec::new(),
    };
    let mut head = head(&args.method, target, authority, scheme, headers, args.client_address)?;
    head.client.listener = args.listener.map(Into::into);
    Ok((head, Body::Whole(body.into())))
}

/// Splits an address without touching what follows the host: path tricks must
/// arrive as they were written.
fn split_url(url: &str) -> Result<(Scheme, Option<String>, String)> {
    let (scheme, rest) = match url.split_once("://") {
        Some(("https", rest)) => (Scheme::Https, rest),
        Some(("http", rest)) => (Scheme::Http, rest),
        _ => bail!("`{url}` does not begin with `https://` or `http://`"),
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
        let took = step.took.as_ref().map(took).unwrap_or_default();
        println!("  {:<24} {:<32} {took}", step.policy, outcome(&step.outcome));
        if let (Outcome::Failed(_), false) = (&step.outcome, step.detail.is_empty()) {
            println!("  {:<24} {}", "", step.detail);
        }
    }
}

/// What a check took, for people.
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
                "time-us": step.took.map(|took| u64::try_from(took.time.as_micros()).unwrap_or(u64::MAX)),
                "memory-bytes": step.took.map(|took| took.memory_bytes),
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
