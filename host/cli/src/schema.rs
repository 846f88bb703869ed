//! `barmkin schema`: JSON Schemas of the files that people write, for editors.

use crate::policies;
use anyhow::Result;
use serde_json::Value;
use std::process::ExitCode;

/// Prints the JSON Schema of `barmkin.toml`, or of the settings of a policy.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A stock policy by its name, or the file of a component.
    policy: Option<String>,
    /// Prints that of a file of cases for `barmkin test` instead.
    #[arg(long, conflicts_with = "policy")]
    cases: bool,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let schema = match &args.policy {
        Some(policy) => policies::description(policy)?.get("settings").cloned().unwrap_or(Value::Bool(true)),
        None if args.cases => crate::cases::schema(),
        None => barmkin_config::schema(),
    };
    println!("{schema:#}");
    Ok(ExitCode::SUCCESS)
}
