//! The generic cell rate algorithm (ITU-T I.371, as virtual scheduling).
//!
//! A quota is one number: the *theoretical arrival time*, when the bucket
//! would be full again if nothing more was taken.

use crate::store::Take;
use std::time::Duration;

/// A rate, and how much of it can be taken at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gcra {
    /// Between two units at the steady rate.
    pub interval: Duration,
    /// The most that can be taken at once; at least 1.
    pub limit: u64,
}

impl Gcra {
    /// Takes `cost` at `now` from a bucket that is full again at `full_at`.
    /// The second value is when it is full again afterwards.
    pub(crate) fn take(&self, full_at: Duration, now: Duration, cost: u32) -> (Take, Duration) {
        let full_at = full_at.max(now);
        let wanted = full_at.saturating_add(self.span(u64::from(cost)));
        let capacity = self.span(self.limit);
        let admitted = wanted <= now.saturating_add(capacity);
        let after = if admitted { wanted } else { full_at };
        let reset_after = after.saturating_sub(now);
        let possible = u64::from(cost) <= self.limit;
        let take = Take {
            admitted,
            remaining: self.units(capacity.saturating_sub(reset_after)),
            reset_after,
            retry_after: (!admitted && possible).then(|| wanted.saturating_sub(now.saturating_add(capacity))),
            at: now,
        };
        (take, after)
    }

    /// When the bucket is full again after `cost`, taken at `at`, is given
    /// back at `now`. What has flowed back by itself is not given twice.
    pub(crate) fn give_back(&self, full_at: Duration, now: Duration, cost: u32, at: Duration) -> Duration {
        let missing = self.span(u64::from(cost)).saturating_sub(now.saturating_sub(at));
        full_at.saturating_sub(missing)
    }

    fn span(&self, units: u64) -> Duration {
        let nanos = self.interval.as_nanos().saturating_mul(u128::from(units));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    fn units(&self, span: Duration) -> u64 {
        u64::try_from(span.as_nanos() / self.interval.as_nanos().max(1)).unwrap_or(u64::MAX)
    }
}
