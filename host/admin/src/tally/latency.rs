use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds in seconds. A chain takes tens of microseconds; a remote store
/// takes a millisecond; the longest deadline is a second.
const BOUNDS: [f64; 16] =
    [10e-6, 25e-6, 50e-6, 75e-6, 100e-6, 150e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 100e-3, 250e-3, 1.0];

/// How long verdicts took. It is counted on the request path: two additions,
/// and no lock.
#[derive(Debug, Default)]
pub(super) struct Latency {
    buckets: [AtomicU64; BOUNDS.len()],
    beyond: AtomicU64,
    nanos: AtomicU64,
}

impl Latency {
    pub(super) fn observe(&self, took: Duration) {
        let seconds = took.as_secs_f64();
        let within = BOUNDS.iter().zip(&self.buckets).find(|(bound, _)| seconds <= **bound);
        within.map_or(&self.beyond, |(_, bucket)| bucket).fetch_add(1, Ordering::Relaxed);
        self.nanos.fetch_add(took.as_nanos().try_into().unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// The sum in seconds, the count, and the count within each bound that is
    /// in none before it.
    pub(super) fn read(&self) -> (f64, u64, Vec<(f64, u64)>) {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let mut buckets: Vec<_> =
            BOUNDS.iter().zip(&self.buckets).map(|(bound, count)| (*bound, read(count))).collect();
        buckets.push((f64::INFINITY, read(&self.beyond)));
        let count = buckets.iter().map(|(_, count)| count).sum();
        (Duration::from_nanos(read(&self.nanos)).as_secs_f64(), count, buckets)
    }
}

#[cfg(test)]
mod tests {
    use super::Latency;
    use std::time::Duration;

    #[test]
    fn a_bound_is_within_its_bucket() {
        let latency = Latency::default();
        for micros in [10, 11, 2_000_000] {
            latency.observe(Duration::from_micros(micros));
        }
        let (sum, count, buckets) = latency.read();
        assert_eq!((sum, count), (2.000_021, 3));
        let filled: Vec<_> = buckets.into_iter().filter(|(_, count)| *count > 0).collect();
        assert_eq!(filled, [(10e-6, 1), (25e-6, 1), (f64::INFINITY, 1)]);
    }
}
