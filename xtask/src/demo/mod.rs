//! `cargo xtask demo`: a gate in front of a tiny upstream, six requests that
//! show what it does, and then yours.

mod client;
mod gate;
mod requests;
mod table;
mod upstream;

use crate::{shell, tools};
use anyhow::{Context, Result};
use gate::Gate;
use std::process::ExitCode;
use table::Row;
use tokio::signal::unix::{SignalKind, signal};

/// Runs the demo; with `once`, only the requests.
pub(crate) fn run(once: bool) -> Result<ExitCode> {
    tools::add_wasm_target()?;
    println!("building barmkin and its policies; the first time takes some minutes");
    shell::run(shell::cargo().args(["build", "--quiet", "--package", "barmkin"]))?;

    let upstream = upstream::start()?;
    let mut gate = Gate::start(upstream)?;
    println!("a gate on the memory store: a restart forgets which deliveries came, and what quotas were used");
    let rows = requests::send_all(gate.address())?;
    print!("\n{}", table::render(&rows));
    if !rows.iter().all(Row::is_expected) {
        println!("\nsome verdict is not the expected one; the gate's log: {}", gate.log().display());
        return Ok(ExitCode::FAILURE);
    }
    if !once {
        println!("\n{}", invitation(&gate));
        wait_for_the_end(&mut gate)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn invitation(gate: &Gate) -> String {
    let (log, rules) = (gate.log(), gate.configuration());
    format!(
        "serving until Ctrl-C; the log is {}, the rules are {}; try:\n\n  \
         curl -i -H 'x-api-key: {}' http://{}/v1/reports\n",
        log.display(),
        rules.display(),
        requests::ADMIN_KEY,
        gate.address()
    )
}

/// Ends with a signal, or with the gate. The gate must not outlive the demo.
fn wait_for_the_end(gate: &mut Gate) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut hangup = signal(SignalKind::hangup())?;
        let mut child = signal(SignalKind::child())?;
        loop {
            tokio::select! {
                _ = interrupt.recv() => return Ok(()),
                _ = terminate.recv() => return Ok(()),
                _ = hangup.recv() => return Ok(()),
                _ = child.recv() => gate.check().context("the gate ended by itself")?,
            }
        }
    })
}
