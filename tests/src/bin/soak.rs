//! `soak SCENARIO`: keeps a gate busy, and fails if it falls short of what the
//! scenario must show.

use barmkin_tests::soak::{self, Scenario};
use clap::Parser;
use std::path::PathBuf;
use std::process::ExitCode;

/// Keeps a gate busy, and fails if it falls short.
#[derive(Parser)]
struct Arguments {
    scenario: Scenario,
    /// Takes a minute instead of many.
    #[arg(long)]
    short: bool,
    /// Where the results go, as JSON.
    #[arg(long, default_value = "target/soak")]
    output: PathBuf,
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let verdict = soak::run(arguments.scenario, arguments.short, &arguments.output)?;
    println!("{verdict}");
    Ok(if verdict.passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
