//! From a head and a body to a verdict, through four fresh sandboxes.

#![allow(missing_docs, clippy::expect_used, reason = "criterion's macros; a bench that cannot run ends")]

use barmkin_benches::{chain_of_four, delivery};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use std::cell::Cell;

fn check(criterion: &mut Criterion) {
    let gate = chain_of_four().expect("the machine runs it");
    let next = Cell::new(0);
    criterion.bench_function("chain4_fresh", |bencher| {
        let deliver = || delivery(next.replace(next.get() + 1));
        bencher.iter_batched(deliver, |(head, body)| gate.check_now(head, body), BatchSize::SmallInput);
    });
    let (head, body) = delivery(next.get());
    let verdict = gate.check_now(head, body).expect("the store is local");
    assert!(verdict.reason().is_none(), "{:?}", verdict.steps());
}

criterion_group!(benches, check);
criterion_main!(benches);
