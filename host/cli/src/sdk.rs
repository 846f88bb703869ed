//! The SDK, as this binary brings it; `barmkin sdk` writes it.

use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Its files, by their paths within it.
const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/sdk.rs"));

/// The versions of other crates that it was tested with.
pub(crate) const LOCK: &str = include_str!(concat!(env!("OUT_DIR"), "/sdk.lock"));

/// The crate that a policy depends on, within the SDK or the repository.
pub(crate) const GUEST: &str = "guest";

/// Folders that are the SDK's alone.
const FOLDERS: [&str; 4] = ["by-name", GUEST, "path", "wit"];

/// Writes the SDK of this version, in place of one that is there.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Its folder.
    #[arg(default_value = "sdk")]
    folder: PathBuf,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let folder = &args.folder;
    if folder.exists() {
        let is_sdk = std::fs::read_to_string(folder.join(GUEST).join("Cargo.toml"))
            .is_ok_and(|manifest| manifest.contains("name = \"barmkin-guest\""));
        if !is_sdk {
            bail!("`{}` exists already, and is not an SDK that could be replaced", folder.display());
        }
        if folder.join("host").exists() {
            bail!("`{}` is Barmkin's repository, which has its own", folder.display());
        }
        // Files that this version no longer has must not stay among its own.
        for own in FOLDERS.map(|own| folder.join(own)).iter().filter(|own| own.exists()) {
            std::fs::remove_dir_all(own).with_context(|| format!("cannot remove `{}`", own.display()))?;
        }
    }
    write(folder)?;
    println!("wrote the SDK of {} to {}", env!("CARGO_PKG_VERSION"), folder.display());
    println!("next: `barmkin-guest = {{ path = \"{}/{GUEST}\" }}` in the policy's Cargo.toml", folder.display());
    Ok(ExitCode::SUCCESS)
}

/// Writes the SDK to a folder.
pub(crate) fn write(folder: &Path) -> Result<()> {
    FILES.iter().try_for_each(|(name, text)| write_file(&folder.join(name), text))
}

/// Writes a file, and makes the folders that it is in.
pub(crate) fn write_file(path: &Path, text: &str) -> Result<()> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).with_context(|| format!("cannot make `{}`", parent.display()))?;
    }
    std::fs::write(path, text).with_context(|| format!("cannot write `{}`", path.display()))
}
