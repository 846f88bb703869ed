//! `conformance PATH...`: runs vector files through the real components in the
//! host, and fails if a normative case is decided otherwise.

use barmkin_tests::conformance;
use clap::Parser;
use std::path::PathBuf;
use std::process::ExitCode;

/// Runs vector files through the real components in the host.
#[derive(Parser)]
struct Arguments {
    /// Vector files, or folders of them.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
}

fn main() -> anyhow::Result<ExitCode> {
    let scores = conformance::run(&Arguments::parse().paths)?;
    print!("{scores}");
    Ok(if scores.is_conformant() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
