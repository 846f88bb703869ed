//! `barmkin check`: proves a configuration before it is used.

use crate::{deliveries, head_requests, load, loaded, proxies};
use anyhow::Result;
use barmkin_config::{Admin, Report, Secrets};
use std::process::ExitCode;

/// Proves a configuration and its components.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    file: load::File,
    /// Reads no secret: for checking where they must not be.
    #[arg(long)]
    without_secrets: bool,
    #[command(flatten)]
    proxy: proxies::Printing,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    match prove(args) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error) if error.is::<Report>() => {
            eprintln!("{error}");
            Ok(ExitCode::FAILURE)
        }
        Err(error) => Err(error),
    }
}

fn prove(args: &Args) -> Result<()> {
    let secrets = if args.without_secrets { Secrets::Placeholders } else { Secrets::Read };
    let config = load::config(&args.file.file, secrets)?;
    let generation =
        load::generation(&config, &load::engine(config.fixed().cache.as_deref())?, load::services(&config))?;
    if let Some(proxy) = args.proxy.proxy {
        print!("{}", proxies::print(proxy, &args.proxy, &config, &generation)?);
        return Ok(());
    }
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
    for line in head_requests::opened(config.spec()).into_iter().chain(deliveries::lines(&config)) {
        println!("{line}");
    }
    let fields: Vec<_> = generation.gate_fields().iter().map(|field| field.as_str()).collect();
    println!("fields set for the upstream, and removed from clients: {}", fields.join(", "));
    println!("configuration sha256:{}", generation.configuration());
    println!("generation {}", generation.digest());
    Ok(())
}
