//! Web frameworks and servers that the gate is tried in front of, from the
//! Python package index.

use crate::shell;
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The versions that the tests were written against.
const PACKAGES: [&str; 7] = [
    "django==5.2.19",
    "flask==3.1.3",
    "gunicorn==27.0.1",
    "hypercorn==0.18.0",
    "uvicorn==0.54.0",
    "waitress==3.0.2",
    "werkzeug==3.1.9",
];

/// The Python of an environment of its own that has them, made if needed.
pub(crate) fn get() -> Result<PathBuf> {
    let environment = shell::target()?.join("backends");
    let python = environment.join("bin/python");
    if check(&python).is_ok() {
        return Ok(python);
    }
    println!("installing {} into {}", PACKAGES.join(", "), environment.display());
    shell::output(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&environment))
        .context("python3 with its module `venv` makes the environment (Debian: python3-venv)")?;
    shell::output(Command::new(&python).args(["-m", "pip", "install", "--quiet"]).args(PACKAGES))?;
    check(&python)?;
    Ok(python)
}

/// Whether `python` runs, and has what is needed, in these versions.
fn check(python: &Path) -> Result<()> {
    let names = PACKAGES.iter().filter_map(|package| package.split("==").next());
    let versions = PACKAGES.map(|package| format!("{package:?}"));
    let compare = format!(
        "import importlib.metadata as m, sys; sys.exit([f'{{n}}=={{m.version(n)}}' for n in {names:?}] != [{versions}])",
        names = names.collect::<Vec<_>>(),
        versions = versions.join(", "),
    );
    shell::output(Command::new(python).arg("-c").arg(compare)).map(drop)
}
