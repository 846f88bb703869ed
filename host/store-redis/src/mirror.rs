//! How much of a bounded nonce space or quota this gate has added to the server.
//!
//! A server cannot count the keys of a space in the step that adds one: they
//! expire by themselves, and in a cluster they are on many nodes. So each gate
//! keeps account of what it added where the operator set a bound, and a fleet
//! holds at most as many times the bound as it has gates. A gate that restarts
//! begins to count at nothing.

use barmkin_host::{Claim, Draw, Hold, Holder, Ledger, MemoryLimits, NonceId, StoreError, SubjectId};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The account. Without bounds there is nothing in it.
pub(crate) struct Mirror {
    kept: Mutex<Kept>,
}

struct Kept {
    ledger: Ledger,
    /// The latest time it was told: a ledger's does not go back.
    now: Duration,
}

impl Default for Mirror {
    fn default() -> Self {
        // Its pots are bounded, each by itself.
        let limits = MemoryLimits { nonces: usize::MAX, quotas: usize::MAX };
        Self { kept: Mutex::new(Kept { ledger: Ledger::new(limits), now: Duration::ZERO }) }
    }
}

impl Mirror {
    /// Whether there is room for `nonce`, which is then counted.
    pub(crate) fn claim(
        &self,
        now: Duration,
        nonce: &NonceId,
        retain: Duration,
        hold: Option<Hold>,
    ) -> Result<Counted, StoreError> {
        if nonce.space.own_max().is_none() {
            return Ok(Counted::Not);
        }
        let mut kept = self.at(now);
        let now = kept.now;
        Ok(match kept.ledger.claim(now, nonce, retain, hold)? {
            Claim::FirstUse => Counted::Now,
            Claim::InProgress | Claim::Replayed => Counted::Not,
        })
    }

    /// The server had it already, from another gate.
    pub(crate) fn remove(&self, nonce: &NonceId) {
        self.lock().ledger.remove_nonce(nonce);
    }

    pub(crate) fn renew(&self, now: Duration, nonce: &NonceId, holder: Holder) {
        if nonce.space.own_max().is_some() {
            let mut kept = self.at(now);
            let now = kept.now;
            kept.ledger.renew(now, nonce, holder);
        }
    }

    pub(crate) fn confirm(&self, nonce: &NonceId, holder: Holder) {
        if nonce.space.own_max().is_some() {
            self.lock().ledger.confirm(nonce, holder);
        }
    }

    pub(crate) fn release(&self, nonce: &NonceId, holder: Holder) {
        if nonce.space.own_max().is_some() {
            self.lock().ledger.release(nonce, holder);
        }
    }

    /// Whether there is room for a take.
    pub(crate) fn room_for(&self, now: Duration, subject: &str, draws: &[Draw]) -> Result<(), StoreError> {
        let bounded = bounded(draws);
        if bounded.is_empty() {
            return Ok(());
        }
        let mut kept = self.at(now);
        let now = kept.now;
        kept.ledger.room_for(now, SubjectId::of(subject), &bounded)
    }

    /// Counts a take that the server admitted `at`.
    pub(crate) fn count(&self, at: Duration, subject: &str, draws: &[Draw], cost: u32) {
        let bounded = bounded(draws);
        if !bounded.is_empty() {
            self.lock().ledger.count(at, SubjectId::of(subject), &bounded, cost);
        }
    }

    pub(crate) fn give_back(&self, now: Duration, subject: &str, draw: &Draw, cost: u32, at: Duration) {
        if draw.quota.own_max().is_some() {
            let mut kept = self.at(now);
            let now = kept.now;
            kept.ledger.give_back(now, SubjectId::of(subject), draw, cost, at);
        }
    }

    fn at(&self, now: Duration) -> MutexGuard<'_, Kept> {
        let mut kept = self.lock();
        kept.now = kept.now.max(now);
        kept
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // Nothing under the lock panics.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a claim was counted, and must not be if it fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counted {
    Now,
    Not,
}

fn bounded(draws: &[Draw]) -> Vec<Draw> {
    draws.iter().filter(|draw| draw.quota.own_max().is_some()).cloned().collect()
}
