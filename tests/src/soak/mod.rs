//! Gates that are kept busy for minutes, while what could go wrong does.

mod claims;
mod crash;
mod fleet;
mod hostile;
mod overload;
mod reload;
mod senders;
mod siege;
mod usage;

use anyhow::Context;
use serde_json::{Map, Value};
use std::fmt;
use std::path::Path;

/// The conditions that a gate is put through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Scenario {
    /// Every hostile policy at once, beside a good one.
    Hostile,
    /// Twice the load that can be served.
    Overload,
    /// Reloads under load, good ones and bad ones.
    Reload,
    /// The embedded store: killed under load, and damaged.
    Crash,
    /// Three gates on one Redis, which is stopped and paused.
    Fleet,
    /// 64 addresses that would keep everybody else out.
    Siege,
}

/// The results of a scenario.
#[derive(Debug)]
pub struct Verdict {
    scenario: Scenario,
    figures: Map<String, Value>,
    /// The requirements that were not met.
    short_of: Vec<String>,
}

/// Runs a scenario, and writes what it showed to `<output>/<scenario>.json`.
///
/// # Errors
/// When it could not be run to its end.
pub fn run(scenario: Scenario, short: bool, output: &Path) -> anyhow::Result<Verdict> {
    let mut verdict = match scenario {
        Scenario::Hostile => hostile::run(short),
        Scenario::Overload => overload::run(short),
        Scenario::Reload => reload::run(short),
        Scenario::Crash => crash::run(short),
        Scenario::Fleet => fleet::run(short),
        Scenario::Siege => siege::run(short),
    }?;
    verdict.figures.insert("passed".to_owned(), verdict.passed().into());
    verdict.figures.insert("short".to_owned(), short.into());
    std::fs::create_dir_all(output).with_context(|| format!("`{}` cannot be made", output.display()))?;
    let file = output.join(format!("{}.json", scenario.name()));
    std::fs::write(&file, format!("{:#}\n", Value::Object(verdict.figures.clone())))
        .with_context(|| format!("`{}` cannot be written", file.display()))?;
    Ok(verdict)
}

impl Scenario {
    fn name(self) -> &'static str {
        match self {
            Self::Hostile => "hostile",
            Self::Overload => "overload",
            Self::Reload => "reload",
            Self::Crash => "crash",
            Self::Fleet => "fleet",
            Self::Siege => "siege",
        }
    }
}

impl Verdict {
    fn of(scenario: Scenario) -> Self {
        Self { scenario, figures: Map::new(), short_of: Vec::new() }
    }

    /// Whether it showed what it must.
    pub fn passed(&self) -> bool {
        self.short_of.is_empty()
    }

    /// Notes a figure.
    fn note(&mut self, name: &str, value: impl Into<Value>) {
        self.figures.insert(name.to_owned(), value.into());
    }

    /// Notes a figure, and what it falls short of unless `holds`.
    fn require(&mut self, name: &str, value: impl Into<Value>, holds: bool, what: &str) {
        let value = value.into();
        if !holds {
            self.short_of.push(format!("{name} is {value}: {what}"));
        }
        self.note(name, value);
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "soak {}: {}", self.scenario.name(), if self.passed() { "passed" } else { "FAILED" })?;
        self.figures.iter().try_for_each(|(name, value)| write!(f, "\n  {name:<28} {value}"))?;
        self.short_of.iter().try_for_each(|short| write!(f, "\n  FELL SHORT: {short}"))
    }
}
