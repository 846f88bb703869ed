//! `cargo xtask bench`: what a check costs.

use crate::shell;
use crate::tools::{self, Tools};
use anyhow::Result;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

/// Builds what is measured and what it is compared with, and runs all of it in
/// one go.
pub(crate) fn run(only: Option<&str>, quick: bool) -> Result<ExitCode> {
    tools::add_wasm_target()?;
    let wanted = |group: &str| only.is_none_or(|only| only.split(',').any(|it| it == group));
    let mut build = shell::cargo();
    // The program prints the configuration of Envoy.
    build.args(["build", "--release", "--package", "barmkin-benches", "--package", "barmkin"]);
    shell::run(build.args(["--bin", "bench", "--bin", "barmkin"]))?;
    let mut bench = Command::new(program("bench")?);
    bench.current_dir(shell::root()).arg("--summary").arg(shell::target()?.join("bench/summary.json"));
    bench.args(only.map(|only| format!("--only={only}"))).args(quick.then_some("--quick"));
    if wanted("rbac") {
        pass(&mut bench, "--peers", peers("peers"));
    }
    if wanted("sandbox") {
        pass(&mut bench, "--extism", peers("extism"));
    }
    if wanted("envoy") {
        pass(&mut bench, "--envoy", Tools::envoy());
    }
    shell::run(&mut bench)?;
    Ok(ExitCode::SUCCESS)
}

/// Builds a package of peers, which has its own workspace and lock file.
fn peers(folder: &str) -> Result<PathBuf> {
    let mut build = shell::cargo();
    build.args(["build", "--release", "--locked", "--target-dir"]).arg(shell::target()?);
    build.arg("--manifest-path").arg(shell::root().join("benches").join(folder).join("Cargo.toml"));
    shell::run(&mut build)?;
    program(&format!("barmkin-bench-{folder}"))
}

fn program(name: &str) -> Result<PathBuf> {
    Ok(shell::target()?.join("release").join(name).with_extension(std::env::consts::EXE_EXTENSION))
}

/// Passes a program to the bench, or leaves it out; the bench says so.
fn pass(bench: &mut Command, option: &str, program: Result<PathBuf>) {
    match program {
        Ok(program) => {
            bench.arg(option).arg(program);
        }
        Err(error) => println!("SKIP: {option}: {error:#}"),
    }
}
