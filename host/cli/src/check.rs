//! `barmkin check`: proves a configuration before it is used.

use crate::{deliveries, head_requests, load, loaded, proxies};
use anyhow::Result;
use barmkin_config::{Admin, Config, Finding, Report, Secrets, Severity, WithLines};
use barmkin_host::Generation;
use serde_json::{Value, json};
use std::process::ExitCode;

/// Proves a configuration and its components.
///
/// Ends with 0 when it can be used, 1 when it has problems, and 2 when it cannot be
/// read.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    file: load::File,
    /// Reads no secret: for checking where they must not be.
    #[arg(long)]
    without_secrets: bool,
    /// Prints JSON.
    #[arg(long, conflicts_with = "proxy")]
    json: bool,
    #[command(flatten)]
    proxy: proxies::Printing,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    match prove(args) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error) => {
            let Report { findings } = error.downcast::<Report>()?;
            if args.json {
                println!("{:#}", json!({ "outcome": "refused", "findings": as_json(&findings) }));
            } else {
                eprintln!("{}", WithLines(&findings));
            }
            Ok(ExitCode::FAILURE)
        }
    }
}

fn prove(args: &Args) -> Result<()> {
    let secrets = if args.without_secrets { Secrets::Placeholders } else { Secrets::Read };
    let config = args.file.read(secrets)?;
    if !args.json && !config.warnings().is_empty() {
        eprintln!("{}", WithLines(config.warnings()));
    }
    let generation =
        load::generation(&config, &load::engine(config.fixed().cache.as_deref())?, load::services(&config))?;
    if let Some(proxy) = args.proxy.proxy {
        print!("{}", proxies::print(proxy, &args.proxy, &config, &generation)?);
    } else if args.json {
        println!("{:#}", proven(&config, &generation));
    } else {
        print_proven(&config, &generation);
    }
    Ok(())
}

fn print_proven(config: &Config, generation: &Generation) {
    for listener in config.listeners() {
        let tls = listener.tls.as_ref();
        let tls = tls.map_or_else(String::new, |tls| format!(", TLS {} or newer", tls.least_version));
        println!("listener `{}` at {}{tls}", listener.name, listener.address);
    }
    if let Some(Admin { address, tls: Some(tls), .. }) = &config.fixed().admin {
        println!("admin listener at {address}, TLS {} or newer", tls.least_version);
    }
    for (name, upstream) in &config.fixed().upstreams {
        println!("upstream `{name}` at {upstream}");
    }
    for line in generation.policies().flat_map(|policy| loaded::lines(&policy)) {
        println!("{line}");
    }
    for route in &config.spec().routes {
        let policies: Vec<_> = route.chain.iter().flat_map(|member| member.policies()).map(String::as_str).collect();
        let listeners = &route.matches.listeners;
        let only = if listeners.is_empty() { String::new() } else { format!(", only by {}", listeners.join(", ")) };
        let asked = if policies.is_empty() { "nobody".to_owned() } else { policies.join(", ") };
        let goes = route.upstream.as_ref().map_or_else(String::new, |upstream| format!(", and goes to `{upstream}`"));
        println!("route `{}` asks {asked}{only}{goes}", route.name);
    }
    for note in notes(config) {
        println!("{note}");
    }
    println!("fields set for the upstream, and removed from clients: {}", fields(generation).join(", "));
    println!("configuration sha256:{}", generation.configuration());
    println!("generation {}", generation.digest());
}

/// The things that an operator may not expect of it.
fn notes(config: &Config) -> Vec<String> {
    head_requests::opened(config.spec()).into_iter().chain(deliveries::lines(config)).collect()
}

fn fields(generation: &Generation) -> Vec<&str> {
    generation.gate_fields().iter().map(|field| field.as_str()).collect()
}

fn proven(config: &Config, generation: &Generation) -> Value {
    let listeners = config.listeners().iter();
    let listeners = listeners.map(|listener| json!({ "name": listener.name, "address": listener.address.to_string() }));
    let policies = generation.policies().map(|policy| loaded::as_json(&policy));
    let routes = config.spec().routes.iter().map(|route| {
        let policies: Vec<_> = route.chain.iter().flat_map(|member| member.policies()).collect();
        json!({ "name": route.name, "policies": policies, "listeners": route.matches.listeners })
    });
    json!({
        "outcome": "proven",
        "findings": as_json(config.warnings()),
        "listeners": listeners.collect::<Vec<_>>(),
        "policies": policies.collect::<Vec<_>>(),
        "routes": routes.collect::<Vec<_>>(),
        "notes": notes(config),
        "fields": fields(generation),
        "configuration": format!("sha256:{}", generation.configuration()),
        "generation": generation.digest().to_string(),
    })
}

fn as_json(findings: &[Finding]) -> Vec<Value> {
    let one = |finding: &Finding| {
        let position = finding.place.position;
        json!({
            "severity": match finding.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            },
            "file": finding.place.file.to_string_lossy(),
            "line": position.map(|(line, _)| line),
            "column": position.map(|(_, column)| column),
            "message": finding.message,
            "help": finding.help,
        })
    };
    findings.iter().map(one).collect()
}
