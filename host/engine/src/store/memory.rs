//! A bounded store in memory. A restart forgets it.

use crate::limits::HELD_FOR;
use crate::store::{Claim, Gcra, Holder, LocalStore, NonceId, QuotaId, StoreError, Take};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Locks are per shard, so that threads seldom meet.
const SHARDS: usize = 16;

/// How much a [`MemoryStore`] may hold. When it is full it refuses: it never
/// forgets what is live to make room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryLimits {
    /// Live nonces. Each takes about 120 bytes.
    pub nonces: usize,
    /// Quotas that are not full. Each takes about 120 bytes and its subject.
    pub quotas: usize,
}

impl Default for MemoryLimits {
    /// About 120 MB each when full: a webhook receiver that retains for a day
    /// can take 11 deliveries a second.
    fn default() -> Self {
        Self { nonces: 1_000_000, quotas: 1_000_000 }
    }
}

/// A bounded store in this process.
pub struct MemoryStore {
    nonces: Vec<Mutex<Nonces>>,
    quotas: Vec<Mutex<Quotas>>,
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
        Self {
            nonces: (0..SHARDS).map(|_| Mutex::default()).collect(),
            quotas: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
            limits,
            now: Box::new(now),
        }
    }

    fn shard<'a, T>(&self, shards: &'a [Mutex<T>], key: &impl Hash) -> Result<MutexGuard<'a, T>, StoreError> {
        let index = usize::try_from(self.hasher.hash_one(key)).unwrap_or_default() % SHARDS;
        let shard = shards.get(index).ok_or_else(|| StoreError::Unavailable("no shard".to_owned()))?;
        // Nothing under the lock panics; a poisoned shard is still whole.
        Ok(shard.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new(MemoryLimits::default())
    }
}

impl LocalStore for MemoryStore {
    fn claim(&self, nonce: &NonceId, retain: Duration, holder: Option<Holder>) -> Result<Claim, StoreError> {
        let now = (self.now)();
        let mut shard = self.shard(&self.nonces, nonce)?;
        shard.forget_expired(now);
        if let Some(held) = shard.live.get(nonce) {
            return Ok(if held.is_held(now) { Claim::InProgress } else { Claim::Replayed });
        }
        if shard.live.len() >= self.limits.nonces.div_ceil(SHARDS) {
            return Err(StoreError::Full { entries: self.limits.nonces });
        }
        let expires = now.saturating_add(retain);
        shard.live.insert(nonce.clone(), Nonce { expires, holder, held_until: now + HELD_FOR });
        shard.order.push(Reverse((expires, nonce.digest, nonce.space.clone())));
        Ok(Claim::FirstUse)
    }

    fn confirm(&self, nonce: &NonceId, holder: Holder) -> Result<(), StoreError> {
        if let Some(held) = self.shard(&self.nonces, nonce)?.live.get_mut(nonce)
            && held.holder == Some(holder)
        {
            held.holder = None;
        }
        Ok(())
    }

    fn release(&self, nonce: &NonceId, holder: Holder) -> Result<(), StoreError> {
        let mut shard = self.shard(&self.nonces, nonce)?;
        if shard.live.get(nonce).is_some_and(|held| held.holder == Some(holder)) {
            shard.live.remove(nonce);
        }
        Ok(())
    }

    fn take(&self, quota: &QuotaId, rate: &Gcra, cost: u32) -> Result<Take, StoreError> {
        let now = (self.now)();
        let mut shard = self.shard(&self.quotas, quota)?;
        let full_at = shard.full_at.get(quota).copied().unwrap_or_default();
        let (take, after) = rate.take(full_at, now, cost);
        if take.admitted && cost > 0 {
            if let Some(full_at) = shard.full_at.get_mut(quota) {
                *full_at = after;
            } else {
                shard.make_room(now, self.limits.quotas.div_ceil(SHARDS))?;
                shard.full_at.insert(quota.clone(), after);
            }
        }
        Ok(take)
    }

    fn give_back(&self, quota: &QuotaId, rate: &Gcra, cost: u32, at: Duration) -> Result<(), StoreError> {
        let now = (self.now)();
        if let Some(full_at) = self.shard(&self.quotas, quota)?.full_at.get_mut(quota) {
            *full_at = rate.give_back(*full_at, now, cost, at);
        }
        Ok(())
    }
}

struct Nonce {
    expires: Duration,
    holder: Option<Holder>,
    held_until: Duration,
}

impl Nonce {
    fn is_held(&self, now: Duration) -> bool {
        self.holder.is_some() && now < self.held_until
    }
}

/// When a nonce expires, and which.
type Expiry = (Duration, [u8; 32], Arc<str>);

#[derive(Default)]
struct Nonces {
    live: HashMap<NonceId, Nonce>,
    /// By expiry. Released claims leave an entry behind.
    order: BinaryHeap<Reverse<Expiry>>,
}

impl Nonces {
    fn forget_expired(&mut self, now: Duration) {
        while let Some(Reverse((expires, ..))) = self.order.peek() {
            if *expires > now {
                break;
            }
            if let Some(Reverse((expires, digest, space))) = self.order.pop() {
                let nonce = NonceId { space, digest };
                if self.live.get(&nonce).is_some_and(|live| live.expires <= expires) {
                    self.live.remove(&nonce);
                }
            }
        }
        // INVARIANT (bounded): claims that are released again and again must
        // not pile up in the order.
        if self.order.len() > 2 * self.live.len() + 1_024 {
            self.order =
                self.live.iter().map(|(id, live)| Reverse((live.expires, id.digest, id.space.clone()))).collect();
        }
    }
}

#[derive(Default)]
struct Quotas {
    full_at: HashMap<QuotaId, Duration>,
    /// Sweeping waits until there is about as much to drop as to keep.
    sweep_at: usize,
}

impl Quotas {
    fn make_room(&mut self, now: Duration, limit: usize) -> Result<(), StoreError> {
        if self.full_at.len() >= limit.min(self.sweep_at.max(1_024)) {
            self.full_at.retain(|_, full_at| *full_at > now);
            self.sweep_at = 2 * self.full_at.len();
        }
        if self.full_at.len() >= limit {
            return Err(StoreError::Full { entries: self.full_at.len() });
        }
        Ok(())
    }
}
