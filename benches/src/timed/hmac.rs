//! One `webhook-signature` on its own: the host verifies, and the body never
//! enters the sandbox.

use crate::fixture::{Deliveries, chain, engine, signature};
use crate::native::{NativeChain, Verdict};
use anyhow::Result;
use barmkin_bench_peer::Subject;
use barmkin_host::{Body, MemoryStore, Services};

/// Small and large bodies, each fresh and native. Every delivery is another
/// one, as in the chain: what has just arrived is in no cache.
///
/// # Errors
/// When a gate cannot be built.
pub fn hmac() -> Result<Vec<Subject>> {
    Ok(vec![
        fresh("hmac_1k", 1024)?,
        native("hmac_1k_native", 1024)?,
        fresh("hmac_256k", 256 * 1024)?,
        native("hmac_256k_native", 256 * 1024)?,
    ])
}

fn fresh(key: &'static str, body_bytes: usize) -> Result<Subject> {
    let gate = chain(engine(), Services::new(MemoryStore::default()), vec![signature()])?;
    let mut deliveries = Deliveries::default();
    let receive = move || {
        let (head, body) = deliveries.next(body_bytes).into_head();
        (gate.intake(head), Body::Whole(body))
    };
    Ok(Subject::new(key, receive, |(intake, body)| {
        let verdict = intake.decide_unbounded_now(body).expect("the store is local");
        assert!(verdict.reason().is_none(), "{:?}", verdict.steps());
        verdict
    }))
}

fn native(key: &'static str, body_bytes: usize) -> Result<Subject> {
    let mut chain = NativeChain::new(MemoryStore::default())?;
    let mut deliveries = Deliveries::default();
    let receive = move || deliveries.next(body_bytes).into_head();
    Ok(Subject::new(key, receive, move |(head, body)| {
        let verdict = chain.verify(&head, &body);
        assert!(matches!(verdict, Verdict::Allow(..)), "{verdict:?}");
        (head, body, verdict)
    }))
}
