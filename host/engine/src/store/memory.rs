//! A bounded store in memory. A restart forgets it.

use crate::store::ledger::Bounds;
use crate::store::{Claim, Draw, Hold, Holder, Ledger, Listed, LocalStore, NonceId, StoreError, SubjectId, Take};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Locks are per shard, so that threads seldom meet.
const SHARDS: usize = 16;

/// How much a store in memory may hold. When it is full it refuses: it never
/// forgets what is live to make room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryLimits {
    /// Live nonces. Each takes about 200 bytes.
    pub nonces: usize,
    /// Quotas that are not full, by subject, and takes that sliding windows and
    /// concurrency remember. Each takes about 200 bytes.
    pub quotas: usize,
}

impl Default for MemoryLimits {
    /// About 200 MB each when full, and an eighth of that for trials: a webhook receiver that retains for a day
    /// can take 11 deliveries a second.
    fn default() -> Self {
        Self { nonces: 1_000_000, quotas: 1_000_000 }
    }
}

/// A bounded store in this process.
pub struct MemoryStore {
    shards: Vec<Mutex<Ledger>>,
    hasher: RandomState,
    limits: MemoryLimits,
    now: Box<dyn Fn() -> Duration + Send + Sync>,
}

impl MemoryStore {
    /// A store by the machine's monotonic clock.
    pub fn new(limits: MemoryLimits) -> Self {
        #[expect(clippy::disallowed_methods, reason = "a store has a clock of its own")]
        let start = Instant::now();
        Self::with_clock(limits, move || start.elapsed())
    }

    /// A store by a clock of the caller's, which must not go backwards.
    pub fn with_clock(limits: MemoryLimits, now: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        let bounds = Bounds::new(limits);
        Self {
            shards: (0..SHARDS).map(|_| Mutex::new(Ledger::within(&bounds))).collect(),
            hasher: RandomState::new(),
            limits,
            now: Box::new(now),
        }
    }

    /// The shard of what has this `digest`, of which a few bytes say enough. They
    /// are hashed all the same: nobody can choose whom to meet.
    fn shard(&self, digest: &[u8]) -> Result<MutexGuard<'_, Ledger>, StoreError> {
        let first = digest.first_chunk().map_or(0, |first| u64::from_le_bytes(*first));
        let index = usize::try_from(self.hasher.hash_one(first)).unwrap_or_default() % SHARDS;
        let shard = self.shards.get(index).ok_or_else(|| StoreError::Unavailable("no shard".to_owned()))?;
        // Nothing under the lock panics; a poisoned shard is still whole.
        Ok(shard.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Asks again when the store or a pot is full: entries that have expired may
    /// be in other shards than the one that was asked.
    fn or_make_room<T>(&self, ask: impl Fn() -> Result<T, StoreError>) -> Result<T, StoreError> {
        match ask() {
            Err(StoreError::Full { .. } | StoreError::PotFull { .. }) => {
                for shard in &self.shards {
                    shard.lock().unwrap_or_else(PoisonError::into_inner).forget((self.now)());
                }
                ask()
            }
            answer => answer,
        }
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new(MemoryLimits::default())
    }
}

impl LocalStore for MemoryStore {
    fn claim(&self, nonce: &NonceId, retain: Duration, hold: Option<Hold>) -> Result<Claim, StoreError> {
        self.or_make_room(|| {
            // The clock is read under the lock: no claim is older than the last.
            let mut shard = self.shard(&nonce.digest)?;
            shard.claim((self.now)(), nonce, retain, hold)
        })
    }

    fn renew(&self, nonce: &NonceId, holder: Holder) -> Result<(), StoreError> {
        let mut shard = self.shard(&nonce.digest)?;
        shard.renew((self.now)(), nonce, holder);
        Ok(())
    }

    fn confirm(&self, nonce: &NonceId, holder: Holder) -> Result<(), StoreError> {
        self.shard(&nonce.digest)?.confirm(nonce, holder);
        Ok(())
    }

    fn release(&self, nonce: &NonceId, holder: Holder) -> Result<(), StoreError> {
        self.shard(&nonce.digest)?.release(nonce, holder);
        Ok(())
    }

    fn take(&self, subject: &Arc<str>, draws: &[Draw], cost: u32) -> Result<Take, StoreError> {
        let subject = SubjectId::of(subject);
        self.or_make_room(|| {
            let mut shard = self.shard(&subject.0)?;
            shard.take((self.now)(), subject, draws, cost)
        })
    }

    fn give_back(&self, subject: &Arc<str>, draw: &Draw, cost: u32, at: Duration) -> Result<(), StoreError> {
        let subject = SubjectId::of(subject);
        let mut shard = self.shard(&subject.0)?;
        shard.give_back((self.now)(), subject, draw, cost, at);
        Ok(())
    }

    fn list(&self, space: &str, most: usize) -> Result<Vec<Listed>, StoreError> {
        let mut listed = Vec::new();
        for shard in &self.shards {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            listed.extend(shard.list((self.now)(), space, most.saturating_sub(listed.len())));
        }
        Ok(listed)
    }

    fn forget(&self, space: &str, digest: &[u8; 32]) -> Result<bool, StoreError> {
        let mut shard = self.shard(digest)?;
        Ok(shard.forget_nonce((self.now)(), space, digest))
    }

    fn room(&self) -> Option<MemoryLimits> {
        Some(self.limits)
    }
}
