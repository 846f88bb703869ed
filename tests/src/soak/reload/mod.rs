//! Reloads under steady load: every second generation answers the probe
//! oppositely, every third was never compiled before, and between them what is
//! on disk is broken in every way there is.

mod attempts;
mod load;

use super::{Scenario, Verdict};
use crate::harness::{Barmkin, ListenerKind};
use anyhow::{Context, bail};
use attempts::{Attempt, Disk, Expected};
use load::Load;
use serde_json::Value;
use std::collections::HashMap;

/// Reloads of the whole run, and of a short one.
const RELOADS: [usize; 2] = [1_377, 90];

/// After how many reloads memory is looked at first, in the whole run and in a
/// short one.
const SETTLED: [usize; 2] = [100, 40];

/// Reloads over which memory is averaged, there and at the end.
const WINDOW: usize = 20;

/// How much more memory may be taken at the end, in percent. A short run is over
/// before all is warm.
const GROWTH_MAX: [f64; 2] = [5.0, 15.0];

pub(super) fn run(short: bool) -> anyhow::Result<Verdict> {
    let pick = usize::from(short);
    let (reloads, settled) = (RELOADS[pick], SETTLED[pick]);
    let disk = Disk::new();
    let gate = Barmkin::serve(&disk.rules(), &attempts::SECRETS, &[("envoy", ListenerKind::ExtAuthz)]);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(async {
        let load = Load::start(gate.address("envoy")).await?;
        let mut seen = Seen { gate: &gate, disk, expected: HashMap::new(), memory: Vec::new() };
        seen.learn_first().await?;
        let (mut good, mut bad) = (0, 0);
        for number in 0..reloads {
            match seen.attempt(number).await.with_context(|| format!("reload {number}"))? {
                Attempt::Good => good += 1,
                Attempt::Broken => bad += 1,
            }
        }
        let probed = load.stop().await;

        let mut verdict = Verdict::of(Scenario::Reload);
        verdict.note("reloads_taken", good);
        verdict.note("reloads_refused", bad);
        verdict.note("generations_that_decided", probed.by_generation().count());
        verdict.require("requests", probed.requests, probed.requests > reloads, "more than there were reloads");
        verdict.require("failed", probed.failed, probed.failed == 0, "no request may fail");
        let mixed = probed.by_generation().flat_map(|(generation, answers)| {
            let expected = seen.expected.get(generation);
            answers.iter().filter(move |answer| expected != Some(*answer)).map(move |answer| (expected, answer))
        });
        let mixed: Vec<_> = mixed.collect();
        let what = format!("each verdict must be its own generation's: {:?}", mixed.first());
        verdict.require("mixed", mixed.len(), mixed.is_empty(), &what);
        let (first, last) = (mean(&seen.memory[settled - WINDOW..settled]), mean(&seen.memory[reloads - WINDOW..]));
        let growth = (last / first - 1.0) * 100.0;
        verdict.note("resident_mib_first", round(first / 1024.0));
        verdict.note("resident_mib_last", round(last / 1024.0));
        let bound = GROWTH_MAX[pick];
        let what = format!("at most {bound} %");
        verdict.require("resident_growth_percent", round(growth), growth <= bound, &what);
        Ok(verdict)
    })
}

/// The configurations that the gate was given, and the decisions that must have
/// followed.
struct Seen<'g> {
    gate: &'g Barmkin,
    disk: Disk,
    expected: HashMap<String, Expected>,
    /// Resident memory after each reload, in KiB.
    memory: Vec<f64>,
}

impl Seen<'_> {
    async fn learn_first(&mut self) -> anyhow::Result<()> {
        let status: Value = serde_json::from_slice(&self.ask(http::Method::GET, "/status").await?.body)?;
        let digest = status["generation"]["digest"].as_str().context("it names its generation")?;
        self.expected.insert(digest.to_owned(), self.disk.expected());
        Ok(())
    }

    /// Changes what is on disk, and has the gate take it or refuse it.
    async fn attempt(&mut self, number: usize) -> anyhow::Result<Attempt> {
        let attempt = self.disk.change(number, self.gate.folder());
        let answer = self.ask(http::Method::POST, "/reload").await?;
        let said: Value = serde_json::from_slice(&answer.body)?;
        match (attempt, answer.status.is_success()) {
            (Attempt::Good, true) => {
                let digest = said["generation"].as_str().context("it names its generation")?;
                self.expected.insert(digest.to_owned(), self.disk.expected());
            }
            (Attempt::Broken, false) => {}
            (Attempt::Good, false) => bail!("a good one was refused: {said:#}"),
            (Attempt::Broken, true) => bail!("a broken one was taken: {}", self.disk.what(number)),
        }
        self.memory.push(resident_kib(self.gate.id())?);
        Ok(attempt)
    }

    async fn ask(&self, method: http::Method, target: &str) -> anyhow::Result<barmkin_admin::Answer> {
        let address = format!("unix:{}", self.gate.socket("admin").display());
        Ok(barmkin_admin::ask(&address, method, target).await?)
    }
}

/// Resident memory of a process.
fn resident_kib(process: u32) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("the process has memory")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn round(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}
