use barmkin_bench_peer::{BATCH, Subject};
use std::collections::BTreeMap;

/// Nanoseconds by key.
pub type Times = BTreeMap<&'static str, f64>;

/// Runs a batch of every subject in each of `rounds` rounds, and gives the
/// median of a subject's rounds: what disturbs the machine for a while hits all
/// of them alike, and moves no median.
pub fn rounds(subjects: &mut [Subject], rounds: usize) -> Times {
    let mut samples: BTreeMap<&'static str, Vec<f64>> = BTreeMap::new();
    for _ in 0..rounds {
        for subject in &mut *subjects {
            let took = subject.run(BATCH);
            samples.entry(subject.key()).or_default().push(took.as_secs_f64() * 1e9 / f64::from(BATCH));
        }
        // Each follows another one in turn.
        if let Some(last) = subjects.len().checked_sub(1) {
            subjects.swap(0, last);
            subjects.rotate_left(1);
        }
    }
    samples.into_iter().map(|(key, mut samples)| (key, median(&mut samples))).collect()
}

/// The middle one.
pub fn median(samples: &mut [f64]) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples.get(samples.len() / 2).copied().unwrap_or(f64::NAN)
}
