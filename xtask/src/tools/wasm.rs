//! The target that policies are built for.

use crate::shell;
use anyhow::{Context, Result};
use std::path::Path;
use std::process::Command;

const TARGET: &str = "wasm32-unknown-unknown";

/// Adds the target to the toolchain, if it is not there.
pub(crate) fn add_target() -> Result<()> {
    let sysroot = shell::output(Command::new("rustc").args(["--print", "sysroot"]).current_dir(shell::root()))?;
    if Path::new(sysroot.trim()).join("lib/rustlib").join(TARGET).is_dir() {
        return Ok(());
    }
    println!("adding the target {TARGET}");
    shell::run(Command::new("rustup").args(["target", "add", TARGET]).current_dir(shell::root()))
        .with_context(|| format!("policies need the target `{TARGET}`: add it to this toolchain"))
}
