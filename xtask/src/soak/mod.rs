//! `cargo xtask soak`: keeps a gate busy while what could go wrong does.

use crate::shell;
use crate::tools::Tools;
use anyhow::Result;
use clap::ValueEnum;
use std::process::{Command, ExitCode};

/// The conditions that a gate is put through.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Scenario {
    /// Every hostile policy at once, beside a good one.
    Hostile,
    /// Twice the load that can be served.
    Overload,
    /// 1,377 reloads under load, good ones and bad ones.
    Reload,
    /// The embedded store: killed 50 times under load, and damaged 200 times.
    Crash,
    /// Three gates on one Redis, which is stopped, paused and restarted.
    Fleet,
    /// 64 addresses that would keep everybody else out, beside one client that
    /// behaves.
    Siege,
}

/// Builds the gate and the program that runs the scenario, and runs it. It
/// says by itself what it showed.
pub(crate) fn run(scenario: Scenario, short: bool) -> Result<ExitCode> {
    let name = scenario.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
    let mut build = shell::cargo();
    build.args(["build", "--release", "-p", "barmkin", "-p", "barmkin-tests", "--bin", "barmkin", "--bin", "soak"]);
    shell::run(&mut build)?;
    let mut soak = Command::new(shell::target()?.join("release/soak"));
    soak.current_dir(shell::root()).arg(name).args(short.then_some("--short"));
    soak.arg("--output").arg(shell::target()?.join("soak"));
    if let Scenario::Fleet = scenario {
        Tools::get()?.pass_to(&mut soak);
    }
    Ok(if soak.status()?.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
