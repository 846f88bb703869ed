//! The chain of four: webhook signature of 1 KiB, replay, fifty roles, quota.

use crate::fixture::{Counting, Deliveries, Ready, chains_of_four, engine};
use crate::native::{NativeChain, Verdict as NativeVerdict};
use anyhow::Result;
use barmkin_bench_peer::Subject;
use barmkin_host::measure::engine_that_keeps_instances;
use barmkin_host::{Body, Client, EngineSettings, Gate, Head, MemoryStore, Services, Store, Verdict};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// Bytes of the body.
const BODY_BYTES: usize = 1024;

/// Every way to decide the same deliveries.
///
/// # Errors
/// When a gate cannot be built.
pub fn chain() -> Result<Vec<Subject>> {
    Ok(vec![native()?, warm()?, fresh()?, fresh_async()?, end_to_end()?])
}

fn native() -> Result<Subject> {
    let mut chain = NativeChain::new(MemoryStore::default())?;
    let mut deliveries = Deliveries::default();
    let deliver = move || deliveries.next(BODY_BYTES).into_head();
    Ok(Subject::new("chain4_native", deliver, move |(head, body)| {
        let verdict = chain.decide(&head, &body);
        assert!(matches!(verdict, NativeVerdict::Allow(..)), "{verdict:?}");
        (head, body, verdict)
    }))
}

/// On instances that are kept, which no gate ever does.
fn warm() -> Result<Subject> {
    let engine = engine_that_keeps_instances(&EngineSettings::default())?;
    let gate = chains_of_four(&engine, Services::new(MemoryStore::default()), 1)?;
    Ok(decide_now("chain4_warm", gate))
}

fn fresh() -> Result<Subject> {
    Ok(decide_now("chain4_fresh", gate()?))
}

fn gate() -> Result<Gate> {
    chains_of_four(engine(), Services::new(MemoryStore::default()), 1)
}

fn decide_now(key: &'static str, gate: Gate) -> Subject {
    Subject::new(key, normalized(gate), |(intake, body)| {
        allowed(intake.decide_unbounded_now(body).expect("the store is local"))
    })
}

/// On a store whose futures are ready at once: what is left is that the
/// policies which ask it run on stacks that could be suspended.
fn fresh_async() -> Result<Subject> {
    let services = Services::new(Store::Remote(Arc::new(Ready::default())));
    let gate = chains_of_four(engine(), services, 1)?;
    Ok(Subject::new("chain4_fresh_async", normalized(gate), |(intake, body)| {
        let mut context = Context::from_waker(Waker::noop());
        let mut check = pin!(intake.decide_unbounded(body));
        // At a tick a check lets others go first.
        let verdict = std::iter::repeat_with(|| check.as_mut().poll(&mut context)).find_map(|poll| match poll {
            Poll::Ready(verdict) => Some(verdict),
            Poll::Pending => None,
        });
        verdict.map(allowed)
    }))
}

/// From what a server hands over to what it forwards, with metrics.
fn end_to_end() -> Result<Subject> {
    let mut services = Services::new(MemoryStore::default());
    services.metrics = Arc::new(Counting::default());
    let gate = chains_of_four(engine(), services, 1)?;
    let mut deliveries = Deliveries::default();
    let receive = move || deliveries.next(BODY_BYTES).into_request();
    Ok(Subject::new("check_end_to_end", receive, move |request| {
        let (mut parts, body) = request.into_parts();
        let intake = gate.intake(Head::take(&mut parts, Client::default()));
        match intake.decide_unbounded_now(Body::Whole(body)).expect("the store is local") {
            Verdict::Allow(permit) => {
                let (head, settlement) = permit.into_forwarded();
                parts.headers = head.headers;
                drop(settlement);
                parts
            }
            Verdict::Deny(denial) => panic!("{denial:?}"),
        }
    }))
}

/// The next delivery, its head normalized and its route found.
fn normalized(gate: Gate) -> impl FnMut() -> (barmkin_host::Intake, Body) {
    let mut deliveries = Deliveries::default();
    move || {
        let (head, body) = deliveries.next(BODY_BYTES).into_head();
        (gate.intake(head), Body::Whole(body))
    }
}

fn allowed(verdict: Verdict) -> Verdict {
    assert!(verdict.reason().is_none(), "{:?}", verdict.steps());
    verdict
}
