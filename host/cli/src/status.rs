//! `barmkin status`: what a running gate serves, and what it did.

use crate::ask::{Form, Which, ask};
use crate::table::{Table, cell};
use anyhow::Result;
use http::Method;
use serde_json::{Map, Value};
use std::fmt::Write as _;
use std::process::ExitCode;

/// Prints what a running gate serves and what it did.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    form: Form,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    ask(&args.which, &args.form, Method::GET, "/status", shown)
}

fn shown(said: &Value) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = write_serving(&mut text, said).and_then(|()| {
        for table in [routes(said), policies(said), keys(said), attempts(said)].into_iter().flatten() {
            write!(text, "\n{table}")?;
        }
        Ok(())
    });
    text
}

fn write_serving(text: &mut String, said: &Value) -> std::fmt::Result {
    let ready = if said.get("ready") == Some(&Value::Bool(true)) { "ready" } else { "not ready" };
    writeln!(text, "barmkin {}, {ready}, started {}", cell(said, "/version"), cell(said, "/started"))?;
    let [number, digest] = ["/generation/number", "/generation/digest"].map(|part| cell(said, part));
    writeln!(text, "generation {number} serves ({digest})")?;
    writeln!(text, "configuration sha256:{}", cell(said, "/generation/configuration"))?;
    if said.pointer("/generation/rolled-back-from").is_some_and(Value::is_string) {
        writeln!(text, "rolled back from sha256:{}", cell(said, "/generation/rolled-back-from"))?;
    }
    if said.get("loading").is_some_and(Value::is_object) {
        writeln!(text, "loading since {}, by {}", cell(said, "/loading/since"), cell(said, "/loading/by"))?;
    }
    if let Some(problem) = said.get("problem").and_then(Value::as_str) {
        writeln!(text, "what is on disk cannot be used:")?;
        problem.lines().try_for_each(|line| writeln!(text, "  {line}"))?;
    }
    Ok(())
}

fn routes(said: &Value) -> Option<String> {
    let mut table = Table::new(["route", "allowed", "denied", "observed"]);
    for (name, counted) in entries(said, "routes") {
        let name = if name.is_empty() { "(none)" } else { name };
        table.row([name.to_owned(), cell(counted, "/allow"), cell(counted, "/deny"), cell(counted, "/observed")]);
    }
    (!table.is_empty()).then(|| table.to_string())
}

fn policies(said: &Value) -> Option<String> {
    let mut table = Table::new(["policy", "allowed", "abstained", "denied", "failed", "last failure"]);
    for (name, counted) in entries(said, "policies") {
        let failed: u64 = entries(counted, "failed").filter_map(|(_, count)| count.as_u64()).sum();
        let last = match cell(counted, "/last-failure/reason") {
            reason if reason == "-" => reason,
            reason => format!("{reason}, {}", cell(counted, "/last-failure/at")),
        };
        let last =
            if counted.get("quarantined") == Some(&Value::Bool(true)) { format!("quarantined: {last}") } else { last };
        let [allowed, abstained, denied] = ["/allow", "/abstain", "/deny"].map(|part| cell(counted, part));
        table.row([name.to_owned(), allowed, abstained, denied, failed.to_string(), last]);
    }
    (!table.is_empty()).then(|| table.to_string())
}

fn keys(said: &Value) -> Option<String> {
    let mut table = Table::new(["key", "secrets in force"]);
    for (name, secrets) in entries(said, "keys") {
        let secrets: Vec<_> = secrets.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let secrets = if secrets.is_empty() { "none".to_owned() } else { secrets.join(", ") };
        table.row([name.to_owned(), secrets]);
    }
    (!table.is_empty()).then(|| table.to_string())
}

/// Attempts that are shown: the others are in `--json`.
const ATTEMPTS_SHOWN: usize = 5;

fn attempts(said: &Value) -> Option<String> {
    let attempts = said.get("attempts").and_then(Value::as_array)?;
    let mut table = Table::new(["changed at", "by", "outcome", "serving"]);
    for attempt in attempts.iter().rev().take(ATTEMPTS_SHOWN) {
        table.row(["/at", "/by", "/outcome", "/serving"].map(|part| cell(attempt, part)));
    }
    (!table.is_empty()).then(|| table.to_string())
}

fn entries<'v>(said: &'v Value, name: &str) -> impl Iterator<Item = (&'v str, &'v Value)> {
    let entries = said.get(name).and_then(Value::as_object).into_iter().flat_map(Map::iter);
    entries.map(|(name, value)| (name.as_str(), value))
}
