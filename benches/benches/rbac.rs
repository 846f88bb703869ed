//! The group `rbac`, one subject at a time.

#![allow(missing_docs, clippy::expect_used, reason = "criterion's macros; a bench that cannot run ends")]

use barmkin_benches::timed;
use criterion::{Criterion, criterion_group, criterion_main};

fn rbac(criterion: &mut Criterion) {
    for mut subject in timed::rbac(&barmkin_bench_peer::Question::of_fifty_roles()).expect("the machine runs it") {
        let key = subject.key();
        criterion.bench_function(key, |bencher| {
            bencher.iter_custom(|count| subject.run(u32::try_from(count).unwrap_or(u32::MAX)));
        });
    }
}

criterion_group!(benches, rbac);
criterion_main!(benches);
