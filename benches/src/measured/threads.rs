//! Two threads against one.

use super::clock;
use crate::fixture::{Deliveries, chains_of_four, engine};
use crate::process::pin_thread;
use crate::timed::median;
use anyhow::{Context, Result, anyhow};
use barmkin_host::{Body, Gate, MemoryStore, Services};
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

/// Checks of a thread in a round: long enough for the barrier not to count.
const CHECKS: usize = 1_000;

/// How much more two threads, each on a core of its own, decide in the same
/// time than one: the fresh chain of four, on one gate and one store.
///
/// # Errors
/// When the machine does not have two cores, or the gate cannot be built.
pub fn threads(rounds: usize) -> Result<f64> {
    let gate = chains_of_four(engine(), Services::new(MemoryStore::default()), 1)?;
    let mut deliveries = [0, 1 << 40].map(Deliveries::starting_at);
    let mut ratios = Vec::new();
    for _ in 0..rounds {
        let one = run(&gate, deliveries.get_mut(..1).unwrap_or_default())?;
        let two = run(&gate, &mut deliveries)?;
        ratios.push(2.0 * one.as_secs_f64() / two.as_secs_f64());
    }
    Ok(median(&mut ratios))
}

/// From when the first begins to when the last ends.
fn run(gate: &Gate, deliveries: &mut [Deliveries]) -> Result<Duration> {
    let barrier = Barrier::new(deliveries.len());
    let spans: Result<Vec<_>> = thread::scope(|scope| {
        let workers = deliveries.iter_mut().enumerate().map(|(core, deliveries)| {
            let barrier = &barrier;
            scope.spawn(move || -> Result<_> {
                let pinned = pin_thread(core);
                let prepared: Vec<_> = (0..CHECKS)
                    .map(|_| {
                        let (head, body) = deliveries.next(1024).into_head();
                        (gate.intake(head), Body::Whole(body))
                    })
                    .collect();
                barrier.wait();
                let began = clock::now();
                for (intake, body) in prepared {
                    let verdict = intake.decide_unbounded_now(body).expect("the store is local");
                    assert!(verdict.reason().is_none(), "{:?}", verdict.steps());
                }
                pinned.map(|()| (began, clock::now()))
            })
        });
        let workers: Vec<_> = workers.collect();
        workers.into_iter().map(|worker| worker.join().map_err(|_| anyhow!("a thread panicked"))?).collect()
    });
    let spans = spans?;
    let began = spans.iter().map(|(began, _)| *began).min().context("there are threads")?;
    let ended = spans.iter().map(|(_, ended)| *ended).max().context("there are threads")?;
    Ok(ended - began)
}
