//! The regression guard: what a request allocates. A test of its own, since
//! its allocator counts.

#![allow(clippy::expect_used, reason = "tests")]

use barmkin_benches::fixture::{Deliveries, chains_of_four, engine};
use barmkin_host::{Body, MemoryStore, Services};

/// Allocations of a request through the chain of four, from its normalized
/// head to its verdict, and their bytes. Measured: 25 of 4,174 to 4,227 bytes. Of
/// the bytes some are for nodes of trees, which differ from run to run.
const ALLOCATIONS_MAX: u64 = 25;
const BYTES_MAX: u64 = 4_320;

/// Enough for what happens to some of them only.
const REQUESTS: u64 = 256;

#[test]
fn a_request_allocates_so_much() {
    let gate = chains_of_four(engine(), Services::new(MemoryStore::default()), 1).expect("the gate is built");
    let mut deliveries = Deliveries::default();
    let mut prepare = || -> Vec<_> {
        let next = (0..REQUESTS).map(|_| deliveries.next(1024).into_head());
        next.map(|(head, body)| (gate.intake(head), Body::Whole(body))).collect()
    };
    let run = |requests: Vec<_>| {
        for (intake, body) in requests {
            let intake: barmkin_host::Intake = intake;
            let verdict = intake.decide_unbounded_now(body).expect("the store is local");
            assert!(verdict.reason().is_none(), "{:?}", verdict.steps());
        }
    };
    run(prepare());
    let requests = prepare();
    let counted = allocation_counter::measure(|| run(requests));
    let (count, bytes) = (counted.count_total / REQUESTS, counted.bytes_total / REQUESTS);
    println!("{count} allocations of {bytes} bytes for a request");
    assert!(count <= ALLOCATIONS_MAX, "{count} allocations for a request, which may have {ALLOCATIONS_MAX}");
    assert!(bytes <= BYTES_MAX, "{bytes} bytes allocated for a request, which may have {BYTES_MAX}");
}
