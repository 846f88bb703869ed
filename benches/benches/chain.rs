//! The group `chain`, one subject at a time.

#![allow(missing_docs, clippy::expect_used, reason = "criterion's macros; a bench that cannot run ends")]

use barmkin_benches::timed;
use criterion::{Criterion, criterion_group, criterion_main};

fn chain(criterion: &mut Criterion) {
    for mut subject in timed::chain().expect("the machine runs it") {
        let key = subject.key();
        criterion.bench_function(key, |bencher| {
            bencher.iter_custom(|count| subject.run(u32::try_from(count).unwrap_or(u32::MAX)));
        });
    }
}

criterion_group!(benches, chain);
criterion_main!(benches);
