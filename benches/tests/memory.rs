//! The regression guard: the memory that a policy touches, all of which is
//! restored after each request. A test of its own, since it looks at all
//! policies of its process.

#![allow(clippy::expect_used, reason = "tests")]

use barmkin_benches::fixture::{Deliveries, chains_of_four, engine};
use barmkin_host::{Body, MemoryStore, Services};

const PAGE_BYTES: usize = 64 * 1024;

#[test]
fn each_policy_of_the_chain_has_one_page_fifty_roles_among_them() {
    let gate = chains_of_four(engine(), Services::new(MemoryStore::default()), 1).expect("the gate is built");
    let (head, body) = Deliveries::default().next(1024).into_head();
    let verdict = gate.check_now(head, Body::Whole(body)).expect("the store is local");
    assert!(verdict.reason().is_none(), "{:?}", verdict.steps());
    let warm = engine().pool_use().expect("there is a pool");
    assert_eq!((warm.idle, warm.warm_memories, warm.warm_bytes), (4, 4, 4 * PAGE_BYTES));
}
