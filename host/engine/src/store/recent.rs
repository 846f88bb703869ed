//! Every take that still counts: for sliding windows and concurrency.

use crate::limits::CONCURRENCY_RETRY;
use crate::store::Take;
use crate::store::rule::Window;
use std::collections::VecDeque;
use std::time::Duration;

/// Takes, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recent {
    takes: VecDeque<(Duration, u32)>,
    used: u64,
}

impl Recent {
    /// When each was, and how much it took.
    pub fn takes(&self) -> impl ExactSizeIterator<Item = (Duration, u32)> + '_ {
        self.takes.iter().copied()
    }

    pub(super) fn len(&self) -> usize {
        self.takes.len()
    }

    /// A sliding window: each take comes back a window later.
    pub(super) fn look(&mut self, window: &Window, now: Duration, cost: u32) -> Take {
        self.forget(window.length, now);
        let units = u64::from(cost);
        let admitted = self.used.saturating_add(units) <= window.limit;
        let after = if admitted { self.used.saturating_add(units) } else { self.used };
        let newest = if admitted && cost > 0 { Some(now) } else { self.takes.back().map(|(at, _)| *at) };
        let until_over = |at: Duration| at.saturating_add(window.length).saturating_sub(now);
        let retry_after = (!admitted && units <= window.limit).then(|| {
            let mut missing = self.used.saturating_add(units).saturating_sub(window.limit);
            let freeing = self.takes.iter().find(|(_, taken)| {
                missing = missing.saturating_sub(u64::from(*taken));
                missing == 0
            });
            freeing.map_or(window.length, |(at, _)| until_over(*at))
        });
        Take {
            admitted,
            remaining: window.limit.saturating_sub(after),
            reset_after: newest.map_or(Duration::ZERO, until_over),
            retry_after,
            at: now,
        }
    }

    /// Concurrency: a take comes back when its request ends, which can be any
    /// moment, and when its lease is over.
    pub(super) fn look_at_once(&mut self, lease: &Window, now: Duration, cost: u32) -> Take {
        let take = self.look(lease, now, cost);
        Take { retry_after: take.retry_after.map(|over| over.min(CONCURRENCY_RETRY)), ..take }
    }

    pub(super) fn push(&mut self, at: Duration, cost: u32) {
        self.takes.push_back((at, cost));
        self.used = self.used.saturating_add(u64::from(cost));
    }

    /// Removes the take of `cost` at `at`, if it still counts. Two of the same
    /// time and cost are the same to everybody.
    pub(super) fn remove(&mut self, at: Duration, cost: u32) {
        // A take that is given back is seldom old.
        if let Some(index) = self.takes.iter().rposition(|take| *take == (at, cost)) {
            self.takes.remove(index);
            self.used = self.used.saturating_sub(u64::from(cost));
        }
    }

    fn forget(&mut self, length: Duration, now: Duration) {
        while let Some((at, cost)) = self.takes.front().copied()
            && at.saturating_add(length) <= now
        {
            self.takes.pop_front();
            self.used = self.used.saturating_sub(u64::from(cost));
        }
    }
}

impl FromIterator<(Duration, u32)> for Recent {
    fn from_iter<I: IntoIterator<Item = (Duration, u32)>>(takes: I) -> Self {
        let takes: VecDeque<_> = takes.into_iter().collect();
        let used = takes.iter().fold(0, |used: u64, (_, cost)| used.saturating_add(u64::from(*cost)));
        Self { takes, used }
    }
}
