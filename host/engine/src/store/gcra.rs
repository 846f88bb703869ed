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
    /// The outcome of taking `cost` at `now` from a bucket that is full again
    /// at `full_at`.
    pub(super) fn look(&self, full_at: Duration, now: Duration, cost: u32) -> Take {
        let full_at = full_at.max(now);
        let wanted = self.after(full_at, now, cost);
        let latest = now.saturating_add(self.span(self.limit));
        let admitted = wanted <= latest;
        let reset_after = if admitted { wanted } else { full_at }.saturating_sub(now);
        let possible = u64::from(cost) <= self.limit;
        Take {
            admitted,
            remaining: self.units(self.span(self.limit).saturating_sub(reset_after)),
            reset_after,
            retry_after: (!admitted && possible).then(|| wanted.saturating_sub(latest)),
            at: now,
        }
    }

    /// When the bucket is full again after `cost` was taken at `now`.
    pub(super) fn after(&self, full_at: Duration, now: Duration, cost: u32) -> Duration {
        full_at.max(now).saturating_add(self.span(u64::from(cost)))
    }

    /// When the bucket is full again after `cost`, taken at `at`, is given
    /// back at `now`. Units that have flowed back by themselves are not given twice.
    pub(super) fn give_back(&self, full_at: Duration, now: Duration, cost: u32, at: Duration) -> Duration {
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
