//! One `webhook-signature` on its own: the host verifies, and the body never
//! enters the sandbox.

use crate::fixture::{Deliveries, chain, engine, signature};
use crate::native::{NativeChain, Verdict};
use anyhow::Result;
use barmkin_bench_peer::Subject;
use barmkin_host::{Body, MemoryStore, Services};

/// Small and large bodies, each fresh and native.
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

/// The same delivery again and again: nothing here remembers it.
fn fresh(key: &'static str, body_bytes: usize) -> Result<Subject> {
    let gate = chain(engine(), Services::new(MemoryStore::default()), vec![signature()])?;
    let (head, body) = Deliveries::default().next(body_bytes).into_head();
    let receive = move || (gate.intake(head.clone()), Body::Whole(body.clone()));
    Ok(Subject::new(key, receive, |(intake, body)| {
        let verdict = intake.decide_now(body).expect("the store is local");
        assert!(verdict.reason().is_none(), "{:?}", verdict.steps());
        verdict
    }))
}

fn native(key: &'static str, body_bytes: usize) -> Result<Subject> {
    let mut chain = NativeChain::new(MemoryStore::default())?;
    let (head, body) = Deliveries::default().next(body_bytes).into_head();
    let receive = move || (head.clone(), body.clone());
    Ok(Subject::new(key, receive, move |(head, body)| {
        let verdict = chain.verify(&head, &body);
        assert!(matches!(verdict, Verdict::Allow(..)), "{verdict:?}");
        (head, body, verdict)
    }))
}
