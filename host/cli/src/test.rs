//! `barmkin test`: decides cases, and compares.

use crate::cases::{Case, Cases, Component};
use crate::eval::took;
use crate::{input, load};
use anyhow::{Context, Result, bail};
use barmkin_config::Secrets;
use barmkin_host::{Body, FixedClock, Gate, Head, MemoryStore, Services, Step, Took, Verdict};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// Decides the cases of a file, and compares.
///
/// Ends with 0 when all are as expected, 1 when one is not, and 2 when they could not
/// be decided.
#[derive(clap::Args)]
#[command(after_long_help = FORMAT)]
pub(crate) struct Args {
    /// The file with the cases (TOML), a folder with a `cases.toml`, or `-` for
    /// standard input.
    #[arg(default_value = ".")]
    cases: PathBuf,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

/// The format, by an example of everything.
const FORMAT: &str = concat!(
    "The file of cases, with an example of everything (`barmkin schema --cases` prints its JSON Schema):\n\n",
    include_str!("../templates/every-case.toml.in")
);

/// Bytes of a file of cases: bodies of tests stand in it.
const CASES_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Decisions before a case's own.
const BEFORE_MAX: u32 = 10_000;

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let file = if args.cases.is_dir() { args.cases.join("cases.toml") } else { args.cases.clone() };
    let cases: Cases = input::parse_toml(&file, &input::read_text(&file, CASES_BYTES_MAX)?)?;
    let folder = file.parent().unwrap_or(Path::new("."));
    let clock = Arc::new(FixedClock::default());
    let subject = Subject::load(&cases, folder, clock.clone())?;
    let (mut results, mut used) = (Vec::new(), Used::default());
    for (index, case) in cases.cases.iter().enumerate() {
        let verdict =
            decide(&cases, (index, case), &subject, &clock).with_context(|| format!("case `{}`", case.name))?;
        used.add(verdict.steps());
        let difference = case.expect.compare(&verdict).err();
        if let Some(difference) = difference.as_ref().filter(|_| !args.json) {
            println!("case `{}` in {}: {difference}", case.name, file.display());
            verdict.steps().iter().for_each(print_step);
        }
        results.push((case.name.as_str(), difference));
    }
    let failed = results.iter().filter(|(_, difference)| difference.is_some()).count();
    if args.json {
        println!("{:#}", as_json(&results, failed));
    } else {
        used.print();
        println!("{} passed, {failed} failed", results.len() - failed);
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Cases by their names, with what differed.
fn as_json(results: &[(&str, Option<String>)], failed: usize) -> serde_json::Value {
    let case =
        |(name, difference): &(&str, Option<String>)| serde_json::json!({ "name": name, "difference": difference });
    serde_json::json!({
        "passed": results.len() - failed,
        "failed": failed,
        "cases": results.iter().map(case).collect::<Vec<_>>(),
    })
}

/// The configuration or component that decides the cases.
enum Subject {
    Configuration(Gate),
    Component(Box<Component>),
}

impl Subject {
    fn load(cases: &Cases, folder: &Path, clock: Arc<FixedClock>) -> Result<Self> {
        let engine = load::engine(None)?;
        match (&cases.configuration, &cases.component) {
            (Some(file), None) => {
                let declared = !cases.keys.is_empty() || !cases.nonces.is_empty() || !cases.quotas.is_empty();
                if declared || cases.cases.iter().any(Case::declares) {
                    bail!(
                        "`keys`, `nonces` and `quotas` are for a `component`\n  help: leave them out: a configuration has its own"
                    );
                }
                let config = load::File::from(folder.join(file)).config(Secrets::Read)?;
                let services = Services { clock, ..load::services(&config) };
                Ok(Self::Configuration(Gate::new(load::generation(&config, &engine, services)?)))
            }
            (None, Some(component)) => {
                let services = Services { clock, for_authors: true, ..Services::new(MemoryStore::default()) };
                let component = Component::load(&folder.join(component), cases, engine, services)?;
                Ok(Self::Component(Box::new(component)))
            }
            _ => bail!(
                "the cases are to have either `configuration` or `component`\n  help: name what is to decide them"
            ),
        }
    }
}

fn decide(cases: &Cases, (index, case): (usize, &Case), subject: &Subject, clock: &FixedClock) -> Result<Verdict> {
    let now = case.now.unwrap_or_else(jiff::Timestamp::now);
    clock.set_unix_ms(u64::try_from(now.as_millisecond()).context("it is before 1970")?);
    if case.before > BEFORE_MAX {
        bail!("`before` is {}, but may be at most {BEFORE_MAX}", case.before);
    }
    let (own, shared) = match subject {
        Subject::Configuration(gate) => (None, gate),
        Subject::Component(component) => (component.own(case, index)?, component.shared()),
    };
    let gate = own.as_ref().unwrap_or(shared);
    for _ in 0..case.before {
        let (head, body) = request(cases, case, now)?;
        let _ = gate.check_now(head, body)?;
    }
    let (head, body) = request(cases, case, now)?;
    Ok(gate.check_now(head, body)?)
}

fn request(cases: &Cases, case: &Case, now: jiff::Timestamp) -> Result<(Head, Body)> {
    let (mut head, body) = case.request.to_parts()?;
    case.establish(&mut head)?;
    case.sign(cases, now, &mut head, &body)?;
    Ok((head, body))
}

fn print_step(step: &Step) {
    let took = step.took.as_deref().map(took).unwrap_or_default();
    println!("  {:<24} {took}", step.policy);
}

/// The cost of the checks of each policy.
#[derive(Default)]
struct Used(BTreeMap<Arc<str>, Vec<Took>>);

impl Used {
    fn add(&mut self, steps: &[Step]) {
        for step in steps {
            self.0.entry(step.policy.clone()).or_default().extend(step.took.as_deref().copied());
        }
    }

    fn print(&mut self) {
        for (policy, took) in &mut self.0 {
            took.sort_by_key(|took| took.time);
            let median = took.get(took.len() / 2).map_or(Duration::ZERO, |took| took.time);
            let longest = took.last().map_or(Duration::ZERO, |took| took.time);
            let memory = took.iter().map(|took| took.memory_bytes).max().unwrap_or_default();
            println!(
                "policy `{policy}`: {} checks, median {median:.2?}, longest {longest:.2?}, at most {} KiB of memory",
                took.len(),
                memory / 1024
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::FORMAT;
    use crate::cases::Cases;

    #[test]
    fn the_example_in_the_help_is_a_file_of_cases() {
        let (_, example) = FORMAT.split_once("\n\n").unwrap();
        let cases: Cases = toml::from_str(example).unwrap();
        assert!(cases.cases.iter().any(|case| case.sign.is_some()));
    }
}
