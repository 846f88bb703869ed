//! `barmkin schema`: the JSON Schema of `barmkin.toml`, for editors.

use anyhow::Result;
use std::process::ExitCode;

/// Prints the JSON Schema of `barmkin.toml`.
#[derive(clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(Args {}: Args) -> Result<ExitCode> {
    println!("{:#}", barmkin_config::schema());
    Ok(ExitCode::SUCCESS)
}
