use std::cell::Cell;

use crate::types::Outcome;

/// A quota: a plain counter that never fills up again. A caller is identified
/// by the principal, else by the address.
#[derive(Clone, Debug)]
pub struct TestQuota {
    limit: u64,
    taken: Cell<u64>,
    refill_ms: u64,
    retry_after_ms: Cell<u64>,
}

impl TestQuota {
    /// A quota of `limit` units, whose refusals say to come back after `refill_ms`.
    #[must_use]
    pub fn new(limit: u64, refill_ms: u64) -> Self {
        Self { limit, taken: Cell::new(0), refill_ms, retry_after_ms: Cell::new(0) }
    }

    pub(super) fn take(&self, cost: u32) -> Outcome {
        let cost = u64::from(cost);
        if cost > self.remaining() {
            self.retry_after_ms.set(if cost > self.limit { 0 } else { self.refill_ms });
            return Outcome::Refused;
        }
        self.taken.set(self.taken.get() + cost);
        self.retry_after_ms.set(0);
        Outcome::Admitted
    }

    pub(super) fn limit(&self) -> u64 {
        self.limit
    }

    pub(super) fn remaining(&self) -> u64 {
        self.limit - self.taken.get()
    }

    pub(super) fn retry_after_ms(&self) -> u64 {
        self.retry_after_ms.get()
    }

    pub(super) fn reset_after_ms(&self) -> u64 {
        if self.taken.get() == 0 { 0 } else { self.refill_ms }
    }
}
