use std::path::PathBuf;
use std::process::Command;

use crate::environment::{overrides, rustc};
use crate::error::BuildError;

pub(crate) const TRIPLE: &str = "wasm32-unknown-unknown";

/// Adds the wasm target where the compiler does not have it.
pub(crate) fn ensure() -> Result<(), BuildError> {
    if is_installed()? {
        return Ok(());
    }
    let added = Command::new("rustup").args(["target", "add", TRIPLE]).status();
    match added {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(BuildError::Target { source: None }),
        Err(source) => Err(BuildError::Target { source: Some(source) }),
    }
}

fn is_installed() -> Result<bool, BuildError> {
    let rustc = rustc();
    let mut command = Command::new(&rustc);
    command.args(["--print", "target-libdir", "--target", TRIPLE]);
    for name in overrides() {
        command.env_remove(name);
    }
    let output = command
        .output()
        .map_err(|source| BuildError::Start { program: rustc.to_string_lossy().into_owned(), source })?;
    let folder = String::from_utf8_lossy(&output.stdout);
    Ok(PathBuf::from(folder.trim_end()).is_dir())
}
