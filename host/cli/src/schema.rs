//! `barmkin schema`: JSON Schemas of the files that people write, for editors.

use anyhow::Result;
use std::process::ExitCode;

/// Prints the JSON Schema of `barmkin.toml`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Prints that of a file of cases for `barmkin test` instead.
    #[arg(long)]
    cases: bool,
}

pub(crate) fn run(args: Args) -> Result<ExitCode> {
    println!("{:#}", if args.cases { crate::cases::schema() } else { barmkin_config::schema() });
    Ok(ExitCode::SUCCESS)
}
