//! The parts of a check.

use super::rounds::Times;
use crate::fixture::{Deliveries, calling, chain, engine, trivial};
use anyhow::Result;
use barmkin_bench_peer::Subject;
use barmkin_host::{Body, MemoryStore, PolicySpec, Services};

/// Calls of the policy that calls; half of what a check may.
const CALLS: u32 = 500;

const ONE_TRIVIAL: &str = "one trivial policy";
const FIVE_TRIVIAL: &str = "five trivial policies";
const NO_CALLS: &str = "no host call";
const MANY_CALLS: &str = "many host calls";

/// Normalization, and what [`derive_parts`] needs.
///
/// # Errors
/// When a gate cannot be built.
pub fn parts() -> Result<Vec<Subject>> {
    let trivials = |count: usize| vec![trivial(); count];
    Ok(vec![
        normalize()?,
        check(ONE_TRIVIAL, trivials(1))?,
        check(FIVE_TRIVIAL, trivials(5))?,
        check(NO_CALLS, vec![calling(0)])?,
        check(MANY_CALLS, vec![calling(CALLS)])?,
    ])
}

/// The cost of one more policy, and of one more call.
pub fn derive_parts(times: &mut Times) {
    let mut difference = |more: &str, less: &str, count: f64| Some((times.remove(more)? - times.remove(less)?) / count);
    let trivial = difference(FIVE_TRIVIAL, ONE_TRIVIAL, 4.0);
    let call = difference(MANY_CALLS, NO_CALLS, f64::from(CALLS));
    times.extend(trivial.map(|trivial| ("trivial_fresh", trivial)));
    times.extend(call.map(|call| ("host_call", call)));
}

/// The one reading of the head, and its route.
fn normalize() -> Result<Subject> {
    let gate = chain(engine(), Services::new(MemoryStore::default()), vec![trivial()])?;
    let mut deliveries = Deliveries::default();
    let receive = move || deliveries.next(16).into_head().0;
    Ok(Subject::new("normalize", receive, move |head| gate.intake(head)))
}

fn check(key: &'static str, policies: Vec<PolicySpec>) -> Result<Subject> {
    let gate = chain(engine(), Services::new(MemoryStore::default()), policies)?;
    let mut deliveries = Deliveries::default();
    let receive = move || gate.intake(deliveries.next(16).into_head().0);
    Ok(Subject::new(key, receive, |intake| {
        let verdict = intake.decide_unbounded_now(Body::NotCarried).expect("the store is local");
        assert!(verdict.reason().is_none(), "{:?}", verdict.steps());
        verdict
    }))
}
