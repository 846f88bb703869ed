//! `barmkin-fuzz TARGET`: tries many inputs; one that breaks something is
//! written beside the corpus.

use anyhow::{Context, Result};
use barmkin_fuzz::{Found, TARGETS, run, target};
use clap::Parser;
use std::path::Path;
use std::process::ExitCode;

/// Tries many inputs.
#[derive(Parser)]
struct Arguments {
    /// The target; all of them by default.
    target: Option<String>,
    /// How many inputs.
    #[arg(long, default_value_t = 1_000_000)]
    rounds: u32,
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let targets = match &arguments.target {
        None => TARGETS.to_vec(),
        Some(name) => vec![target(name).with_context(|| format!("there is no target `{name}`"))?],
    };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    for target in targets {
        if let Err(Found(input)) = run(target, &folder.join("corpus").join(target.name), arguments.rounds)? {
            let file = folder.join(format!("{}.found", target.name));
            std::fs::write(&file, input).with_context(|| format!("cannot write `{}`", file.display()))?;
            println!("{}: found `{}`", target.name, file.display());
            return Ok(ExitCode::FAILURE);
        }
        println!("{}: nothing found in {} inputs", target.name, arguments.rounds);
    }
    Ok(ExitCode::SUCCESS)
}
