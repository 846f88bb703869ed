//! How quotas count: the algorithms, and what each remembers of a subject.

use crate::store::recent::Recent;
use crate::store::{Gcra, Take};
use std::time::Duration;

/// How a quota counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuotaRule {
    /// A steady rate with a burst: units flow back one by one.
    Gcra(Gcra),
    /// A number of units in each window of the store's clock, all of which come
    /// back when the next one begins. Around a boundary twice the limit can be
    /// taken within one window's length.
    FixedWindow(Window),
    /// A number of units in any window: each comes back a window after it was
    /// taken. It remembers every take, so the limit is at most
    /// [`REMEMBERED_TAKES_MAX`](crate::limits::REMEMBERED_TAKES_MAX).
    SlidingWindow(Window),
    /// Units in use at once: they come back when the request ends, whatever
    /// its `keep`, and after `length` at the latest, so that a crash does not
    /// keep them for ever. The limit is bounded as a sliding window's.
    Concurrency(Window),
}

/// A number of units in a span of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The most units; at least 1.
    pub limit: u64,
    /// How long it is.
    pub length: Duration,
}

impl QuotaRule {
    /// The most that can be taken at once.
    pub fn limit(&self) -> u64 {
        match self {
            Self::Gcra(Gcra { limit, .. })
            | Self::FixedWindow(Window { limit, .. })
            | Self::SlidingWindow(Window { limit, .. })
            | Self::Concurrency(Window { limit, .. }) => *limit,
        }
    }

    /// Between two units, or the length of the window.
    pub fn span(&self) -> Duration {
        match self {
            Self::Gcra(Gcra { interval: span, .. })
            | Self::FixedWindow(Window { length: span, .. })
            | Self::SlidingWindow(Window { length: span, .. })
            | Self::Concurrency(Window { length: span, .. }) => *span,
        }
    }

    /// Whether it remembers every take.
    pub(super) fn remembers(&self) -> bool {
        matches!(self, Self::SlidingWindow(_) | Self::Concurrency(_))
    }

    /// Whether its units come back when the request ends.
    pub fn is_concurrency(&self) -> bool {
        matches!(self, Self::Concurrency(_))
    }
}

impl From<Gcra> for QuotaRule {
    fn from(rate: Gcra) -> Self {
        Self::Gcra(rate)
    }
}

/// The count of one quota for one subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tally {
    /// GCRA: when the bucket is full again.
    FullAt(Duration),
    /// A fixed window.
    Window {
        /// When it ends.
        ends: Duration,
        /// Units taken in it.
        used: u64,
    },
    /// Every take that still counts.
    Recent(Recent),
}

impl Tally {
    /// Of nothing.
    pub(super) fn empty(rule: &QuotaRule) -> Self {
        match rule {
            QuotaRule::Gcra(_) => Self::FullAt(Duration::ZERO),
            QuotaRule::FixedWindow(_) => Self::Window { ends: Duration::ZERO, used: 0 },
            QuotaRule::SlidingWindow(_) | QuotaRule::Concurrency(_) => Self::Recent(Recent::default()),
        }
    }

    /// Entries of memory that it takes.
    pub(super) fn weight(&self) -> usize {
        match self {
            Self::FullAt(_) | Self::Window { .. } => 1,
            Self::Recent(recent) => 1 + recent.len(),
        }
    }

    /// The outcome of taking `cost` at `now`. Forgets what no longer counts,
    /// and what was counted by another algorithm.
    pub(super) fn look(&mut self, rule: &QuotaRule, now: Duration, cost: u32) -> Take {
        match (rule, &mut *self) {
            (QuotaRule::Gcra(rate), Self::FullAt(full_at)) => rate.look(*full_at, now, cost),
            (QuotaRule::FixedWindow(window), Self::Window { ends, used }) => {
                if *ends <= now {
                    (*ends, *used) = (window.end(now), 0);
                }
                window.look(*used, ends.saturating_sub(now), now, cost)
            }
            (QuotaRule::SlidingWindow(window), Self::Recent(recent)) => recent.look(window, now, cost),
            (QuotaRule::Concurrency(window), Self::Recent(recent)) => recent.look_at_once(window, now, cost),
            _ => {
                *self = Self::empty(rule);
                // It fits now.
                self.look(rule, now, cost)
            }
        }
    }

    /// Counts `cost` units that were admitted at `now`. The second value is
    /// when this tally has expired.
    pub(super) fn add(&mut self, rule: &QuotaRule, now: Duration, cost: u32) -> Duration {
        // As `look`, which may not have been asked: when a log is replayed.
        self.look(rule, now, 0);
        match (rule, self) {
            (QuotaRule::Gcra(rate), Self::FullAt(full_at)) => {
                *full_at = rate.after(*full_at, now, cost);
                *full_at
            }
            (_, Self::Window { ends, used }) => {
                *used = used.saturating_add(u64::from(cost));
                *ends
            }
            (rule, Self::Recent(recent)) => {
                recent.push(now, cost);
                now.saturating_add(rule.span())
            }
            (_, Self::FullAt(full_at)) => *full_at,
        }
    }

    /// Takes back `cost` units that were counted `at`, as far as they still
    /// count.
    pub(super) fn give_back(&mut self, rule: &QuotaRule, now: Duration, cost: u32, at: Duration) {
        match (rule, self) {
            (QuotaRule::Gcra(rate), Self::FullAt(full_at)) => *full_at = rate.give_back(*full_at, now, cost, at),
            (QuotaRule::FixedWindow(window), Self::Window { ends, used })
                if at < *ends && *ends <= at.saturating_add(window.length) =>
            {
                *used = used.saturating_sub(u64::from(cost));
            }
            (QuotaRule::SlidingWindow(_) | QuotaRule::Concurrency(_), Self::Recent(recent)) => recent.remove(at, cost),
            // Counted by another algorithm, or in another window.
            _ => {}
        }
    }
}

impl Window {
    /// When the window of `now` ends. Windows begin at multiples of their
    /// length, so that machines which share a clock agree on them.
    fn end(&self, now: Duration) -> Duration {
        let length = self.length.as_nanos().max(1);
        let ends = (now.as_nanos() / length).saturating_add(1).saturating_mul(length);
        Duration::from_nanos(u64::try_from(ends).unwrap_or(u64::MAX))
    }

    /// `left` is what is left of the window.
    fn look(&self, used: u64, left: Duration, now: Duration, cost: u32) -> Take {
        let cost = u64::from(cost);
        let admitted = used.saturating_add(cost) <= self.limit;
        let after = if admitted { used.saturating_add(cost) } else { used };
        Take {
            admitted,
            remaining: self.limit.saturating_sub(after),
            reset_after: if after == 0 { Duration::ZERO } else { left },
            retry_after: (!admitted && cost <= self.limit).then_some(left),
            at: now,
        }
    }
}
