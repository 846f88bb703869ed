//! `cargo xtask test`: every check and test of the workspace.

mod tally;

use crate::shell;
use crate::tools::Tools;
use anyhow::{Context, Result};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use tally::Tally;

/// The vectors that the conformance runner must pass.
const VECTORS: [&str; 10] = [
    "webhooks/github.json",
    "webhooks/stripe.json",
    "webhooks/slack.json",
    "webhooks/shopify.json",
    "webhooks/standard_webhooks.json",
    "webhooks/generic_hmac_list.json",
    "webhooks/discord.json",
    "webhooks/svix.json",
    "webhooks/xero.json",
    "rate_limit/gcra.json",
];

/// Runs everything, whatever fails on the way, and sums up.
pub(crate) fn run(no_skip: bool) -> Result<ExitCode> {
    let tools = Tools::get()?;
    let mut tally = Tally::default();
    for tool in tools.missing() {
        if let Err(error) = &tool.found {
            let line = format!("SKIP: {}: {error:#}", tool.name);
            println!("{line}");
            tally.skip(line);
        }
    }
    step(&mut tally, "format", shell::cargo().args(["fmt", "--all", "--check"]))?;
    step(
        &mut tally,
        "lints",
        shell::cargo().args(["clippy", "--workspace", "--all-targets", "--all-features", "--", "--deny", "warnings"]),
    )?;

    let mut tests = shell::cargo();
    tests.args(["test", "--workspace", "--all-features", "--no-fail-fast"]);
    tools.pass_to(&mut tests);
    if no_skip {
        // Whatever xtask does not know of fails in the test that misses it.
        tests.env("BARMKIN_NO_SKIP", "1");
    }
    step(&mut tally, "tests", &mut tests)?;

    if let Some(vectors) = tools.path("vectors") {
        step(&mut tally, "conformance", &mut conformance(vectors)?)?;
    } else {
        println!("\n== conformance: no vectors of others here; the tests have asked the vendors' libraries");
    }
    for scenario in ["hostile", "overload", "reload", "crash", "fleet", "siege"] {
        if scenario == "fleet" && tools.path("redis").is_none() {
            continue;
        }
        let mut soak = Command::new(shell::built("soak")?);
        soak.args([scenario, "--short", "--output"]).arg(shell::target()?.join("soak"));
        tools.pass_to(&mut soak);
        step(&mut tally, "soak", &mut soak)?;
    }
    Ok(tally.sum_up(no_skip))
}

/// The runner, as the tests have just built it: building it by itself would
/// build half the workspace again with fewer features.
fn conformance(vectors: &Path) -> Result<Command> {
    let mut runner = Command::new(shell::built("conformance")?);
    runner.args(VECTORS.map(|file| vectors.join(file)));
    Ok(runner)
}

/// Runs one step; its output goes through, and is read on the way.
fn step(tally: &mut Tally, name: &'static str, command: &mut Command) -> Result<()> {
    println!("\n== {name}: {}", shell::describe(command));
    let (status, took) = shell::timed(|| -> Result<_> {
        let mut child = command.stdout(Stdio::piped()).spawn().with_context(|| format!("step `{name}`"))?;
        let output = child.stdout.take().context("standard output is piped")?;
        let mut shown = std::io::stdout().lock();
        for line in BufReader::new(output).split(b'\n') {
            let line = line?;
            shown.write_all(&line)?;
            shown.write_all(b"\n")?;
            tally.read(&String::from_utf8_lossy(&line));
        }
        Ok(child.wait()?)
    });
    tally.end_step(name, status?.success(), took);
    Ok(())
}
