//! More than twice the load that can be served: what is admitted is decided in
//! time, the rest is told so, and memory stays as it was.

mod answer;
mod cores;
mod load;

use self::cores::Cores;
use self::load::{Load, Pace};
use super::{Scenario, Verdict};
use crate::harness::{Barmkin, ListenerKind};
use crate::rules;
use anyhow::{Context, Result, anyhow};
use barmkin_host::limits::UNDECIDED_MAX;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::time::Duration;

/// How long it is overloaded.
const OVERLOADED: [Duration; 2] = [Duration::from_secs(60), Duration::from_secs(5)];

/// How long it is found out what it can serve, before and after.
const MEASURED: [Duration; 2] = [Duration::from_secs(5), Duration::from_secs(1)];

/// Connections that keep it busy, though it has to share its core, and that it
/// has places for.
const BUSY: usize = UNDECIDED_MAX / 2;

/// As many as ask for more than that. Each carries one request at a time, and
/// most wait in their sockets: with less than a few times [`UNDECIDED_MAX`] all
/// would soon wait, and nobody could ask for twice of what can be served. A few
/// less than the listener takes; fewer in a short run, so that each gets its turn
/// in time on a slow machine, too.
const TOO_MANY: [usize; 2] = [3_800, 1_500];

/// Requests to each that it can serve: as many as are to be asked, by what it
/// served before, and as must have been, by what it served before or after.
const ASKED_PER_SERVED: f64 = 2.5;
const ASKED_PER_SERVED_MIN: f64 = 2.0;

/// Policies besides those of an API. A refused request was read before, and is
/// answered: twice the load that can be served is impossible where deciding costs
/// less than that.
const MORE_POLICIES: usize = 16;

/// The longest wait of an admitted request from when it was sent, most of it
/// before the gate has read it: all connections take their turns on one core.
/// It was 1.1 s when this was written. The second is for a short run, which
/// tests correctness: an unoptimized gate needs that on a busy machine.
const ADMITTED_P99_MAX: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(5)];

/// The most that all connections may hold with their buffers, and how much more
/// when the second half is over than when the first was.
const GROWTH_MAX_KIB: u64 = 128 * 1024;
const GROWTH_LATER_MAX_KIB: u64 = 4 * 1024;

pub(super) fn run(short: bool) -> Result<Verdict> {
    // On a thread of its own, for its core stays with it.
    std::thread::spawn(move || overload(short)).join().map_err(|_| anyhow!("it panicked"))?
}

fn overload(short: bool) -> Result<Verdict> {
    let pick = usize::from(short);
    let (span, measured) = (OVERLOADED[pick], MEASURED[pick]);
    let rules = rules();
    // Else who asks and who answers take turns, and neither shows what it can.
    let cores = Cores::find()?;
    // Of the gate, too, which inherits it.
    let (_, files_max) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, files_max, files_max)?;
    cores.first()?;
    let gate = Barmkin::serve(&rules, &rules::SECRETS, &[("gate", ListenerKind::ForwardAuth("caddy"))]);
    cores.second()?;
    let address = gate.address("gate");

    let before = Load::connect(address, BUSY)?.ask(Pace::AtOnce, measured)?;
    let can_serve = before.admitted.len() as f64 / measured.as_secs_f64();
    let resident = resident_kib(gate.id())?;
    let mut load = Load::connect(address, TOO_MANY[pick])?;
    let pace = Pace::PerSecond(ASKED_PER_SERVED * can_serve);
    let first = load.ask(pace, span / 2)?;
    let halfway = resident_kib(gate.id())?;
    let answers = first.and(load.ask(pace, span / 2)?);
    let at_the_end = resident_kib(gate.id())?;
    drop(load);
    let after = Load::connect(address, BUSY)?.ask(Pace::AtOnce, measured)?;
    let served_after = after.admitted.len() as f64 / measured.as_secs_f64();

    let mut verdict = Verdict::of(Scenario::Overload);
    verdict.note("a_core_each", cores.are_two());
    verdict.note("served_per_s_before", can_serve.round());
    verdict.note("served_per_s_after", served_after.round());
    verdict.note("asked_per_s", (answers.asked as f64 / span.as_secs_f64()).round());
    verdict.note("admitted_per_s", (answers.admitted.len() as f64 / span.as_secs_f64()).round());
    let asked = answers.asked as f64 / span.as_secs_f64() / can_serve.max(served_after);
    let is_twice = asked >= ASKED_PER_SERVED_MIN;
    // A short run is for correctness, also on a machine that is busy with more.
    let what = "who asks was too slow, or the gate did: it was not overloaded enough";
    verdict.require("asked_per_served", (asked * 100.0).round() / 100.0, is_twice || short, what);
    verdict.require("admitted", answers.admitted.len(), !answers.admitted.is_empty(), "it must go on serving");
    let has_refused = answers.overloaded > 0 || (short && !is_twice);
    verdict.require("overloaded", answers.overloaded, has_refused, "it was to be overloaded");
    verdict.require("other_answers", answers.other, answers.other == 0, "a verdict or `overloaded`");
    let p99 = percentile(answers.admitted, 99);
    let p99_holds = p99 <= ADMITTED_P99_MAX[pick];
    verdict.require("admitted_p99_ms", millis(p99), p99_holds, "what is admitted is decided in time");
    verdict.note("undisturbed_p99_ms", millis(percentile(before.admitted, 99)));
    let growth = at_the_end.saturating_sub(resident);
    verdict.require("growth_kib", growth, growth <= GROWTH_MAX_KIB, "memory is bounded");
    let later = at_the_end.saturating_sub(halfway);
    verdict.require("growth_later_kib", later, later <= GROWTH_LATER_MAX_KIB, "memory does not go on growing");
    let recovers = after.other == 0 && after.overloaded == 0 && !after.admitted.is_empty();
    verdict.require("recovers", recovers, recovers, "when it is over, it is over");
    Ok(verdict)
}

/// A chain that takes long enough, and quotas that a minute of this does not use
/// up: those would say nothing of the load.
fn rules() -> String {
    let chain = r#"chain = ["callers", "roles", "enough"]"#;
    let names: Vec<_> = (0..MORE_POLICIES).map(|n| format!("more-{n}")).collect();
    let longer = format!(r#"chain = ["callers", "roles", "enough", "{}"]"#, names.join(r#"", ""#));
    let rules = rules::api().replace(r#""100000/min""#, r#""1000000/s""#).replace(chain, &longer);
    let more = names.iter().map(|name| {
        format!(
            r#"
[quotas.{name}]
rate = "1000000/s"
key  = "principal"

[policies.{name}]
component = "stock:rate-quota"
grants    = {{ quotas = {{ quota = "{name}" }} }}
"#
        )
    });
    // The tables of the routes, which are an array, come last.
    let (policies, routes) = rules.split_at(rules.find("[[routes]]").unwrap_or(rules.len()));
    policies.to_owned() + &more.collect::<String>() + "\n" + routes
}

/// Resident memory of a process.
fn resident_kib(process: u32) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("the process has memory")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

fn percentile(mut spans: Vec<Duration>, percent: usize) -> Duration {
    spans.sort();
    spans.get(spans.len() * percent / 100).copied().unwrap_or_default()
}

fn millis(span: Duration) -> f64 {
    (span.as_secs_f64() * 100_000.0).round() / 100.0
}
