//! `barmkin build`: a policy crate to a component, in this process.

use crate::help::Help;
use anyhow::{Context, Result, anyhow};
use barmkin_build::{BuildOptions, build_component};
use barmkin_host::inspect;
use barmkin_host::limits::COMPILE_BUDGET_DEFAULT;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// Builds a policy crate to a component.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The folder of the crate.
    #[arg(default_value = ".")]
    folder: PathBuf,
    /// Where the component goes; defaults to `<folder>.wasm` in that folder.
    #[arg(short, long)]
    output: Option<PathBuf>,
}

pub(crate) fn run(args: Args) -> Result<ExitCode> {
    if !args.folder.is_dir() {
        return Err(anyhow!("there is no folder `{}`", args.folder.display())).help("name that of the policy's crate");
    }
    let component = match build_component(&args.folder, &BuildOptions::default()) {
        Ok(component) => component,
        Err(error) => {
            let help = error.help();
            return Err(error).help(help);
        }
    };
    // What the host would refuse is refused here, while its author looks.
    let inspection = inspect(&component).context("the component is no policy")?;
    let output = match args.output {
        Some(output) => output,
        None => default_output(&args.folder)?,
    };
    std::fs::write(&output, &component).with_context(|| format!("cannot write `{}`", output.display()))?;
    println!("{}", output.display());
    println!("  {} bytes, {} of them code", component.len(), inspection.code_bytes);
    println!("  loads in about {:.1?}{}", inspection.estimate, budget(inspection.estimate));
    println!("  sha256:{}", hex::encode(Sha256::digest(&component)));
    println!("  uses {}", uses(&inspection.imports));
    Ok(ExitCode::SUCCESS)
}

/// The setting that a policy needs for it, if it needs one.
fn budget(estimate: Duration) -> String {
    if estimate <= COMPILE_BUDGET_DEFAULT {
        return String::new();
    }
    format!(": its policy needs `compile-budget = \"{}s\"`", estimate.as_secs() + 1)
}

fn default_output(folder: &Path) -> Result<PathBuf> {
    let folder = folder.canonicalize().with_context(|| format!("there is no folder `{}`", folder.display()))?;
    let name = folder.file_name().context("the folder has no name")?;
    Ok(folder.join(name).with_extension("wasm"))
}

fn uses(imports: &[String]) -> String {
    let capabilities: Vec<_> = imports
        .iter()
        .filter(|import| !import.contains("/types@"))
        .filter_map(|import| import.strip_prefix("barmkin:")?.split('/').next())
        .collect();
    if capabilities.is_empty() { "no capability".to_owned() } else { capabilities.join(", ") }
}
