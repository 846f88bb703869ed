//! Nonces and quotas in memory, by a clock of the caller's.

use crate::store::accounts::Accounts;
use crate::store::nonces::{Claimed, Nonces};
use crate::store::room::Room;
use crate::store::rule::Tally;
use crate::store::{Claim, Draw, Hold, Holder, Listed, MemoryLimits, NonceId, Pot, StoreError, SubjectId, Take};
use std::sync::Arc;
use std::time::Duration;

/// Nonces and quotas in memory: what [`MemoryStore`](crate::MemoryStore) is
/// made of, and a store that also writes them down.
///
/// It expires by the `now` it is given, which must not go backwards, and is
/// bounded, in all and for each [`Pot`]: when it is full it refuses, and never
/// forgets what is live.
///
/// INVARIANT (flat cost): no call costs more than the logarithm of what is
/// held. Expired entries are forgotten a few at a time, with every call, and
/// nothing is ever looked through or moved as a whole.
#[derive(Debug)]
pub struct Ledger {
    nonces: Nonces,
    quotas: Accounts,
}

/// The bounds that several ledgers share: the shards of one store.
#[derive(Clone, Debug)]
pub(super) struct Bounds {
    nonces: Arc<Room>,
    quotas: Arc<Room>,
}

impl Bounds {
    pub(super) fn new(limits: MemoryLimits) -> Self {
        Self { nonces: Arc::new(Room::new(limits.nonces)), quotas: Arc::new(Room::new(limits.quotas)) }
    }
}

impl Ledger {
    /// An empty one.
    pub fn new(limits: MemoryLimits) -> Self {
        Self::within(&Bounds::new(limits))
    }

    /// An empty one, which shares `bounds` with others.
    pub(super) fn within(bounds: &Bounds) -> Self {
        Self { nonces: Nonces::new(bounds.nonces.clone()), quotas: Accounts::new(bounds.quotas.clone()) }
    }

    /// See [`LocalStore::claim`](crate::LocalStore::claim).
    ///
    /// # Errors
    /// [`StoreError::Full`], [`StoreError::PotFull`].
    pub fn claim(
        &mut self,
        now: Duration,
        nonce: &NonceId,
        retain: Duration,
        hold: Option<Hold>,
    ) -> Result<Claim, StoreError> {
        self.nonces.claim(now, nonce, retain, hold)
    }

    /// See [`LocalStore::renew`](crate::LocalStore::renew).
    pub fn renew(&mut self, now: Duration, nonce: &NonceId, holder: Holder) {
        self.nonces.renew(now, nonce, holder);
    }

    /// Whether `holder` has a provisional claim of `nonce`.
    pub fn holds(&self, nonce: &NonceId, holder: Holder) -> bool {
        self.nonces.holds(nonce, holder)
    }

    /// See [`LocalStore::confirm`](crate::LocalStore::confirm).
    pub fn confirm(&mut self, nonce: &NonceId, holder: Holder) {
        self.nonces.confirm(nonce, holder);
    }

    /// See [`LocalStore::release`](crate::LocalStore::release).
    pub fn release(&mut self, nonce: &NonceId, holder: Holder) {
        if self.holds(nonce, holder) {
            self.nonces.remove(nonce);
        }
    }

    /// See [`LocalStore::list`](crate::LocalStore::list).
    pub fn list(&self, now: Duration, space: &str, most: usize) -> Vec<Listed> {
        self.nonces.list(now, space, most)
    }

    /// See [`LocalStore::forget`](crate::LocalStore::forget).
    pub fn forget_nonce(&mut self, now: Duration, space: &str, digest: &[u8; 32]) -> bool {
        self.nonces.forget(now, space, digest)
    }

    /// Undoes a claim that was made just now.
    pub fn remove_nonce(&mut self, nonce: &NonceId) {
        self.nonces.remove(nonce);
    }

    /// See [`LocalStore::take`](crate::LocalStore::take).
    ///
    /// # Errors
    /// [`StoreError::Full`], [`StoreError::PotFull`].
    pub fn take(&mut self, now: Duration, subject: SubjectId, draws: &[Draw], cost: u32) -> Result<Take, StoreError> {
        self.quotas.take(now, subject, draws, cost)
    }

    /// Whether a take from `draws` would have room, whatever their limits.
    ///
    /// # Errors
    /// [`StoreError::Full`], [`StoreError::PotFull`].
    pub fn room_for(&mut self, now: Duration, subject: SubjectId, draws: &[Draw]) -> Result<(), StoreError> {
        self.quotas.room_for(now, subject, draws)
    }

    /// Counts units that were admitted at `now`, whatever the limits: also
    /// what is read back from where it was written down.
    pub fn count(&mut self, now: Duration, subject: SubjectId, draws: &[Draw], cost: u32) {
        self.quotas.count(now, subject, draws, cost);
    }

    /// See [`LocalStore::give_back`](crate::LocalStore::give_back).
    pub fn give_back(&mut self, now: Duration, subject: SubjectId, draw: &Draw, cost: u32, at: Duration) {
        self.quotas.give_back(now, subject, draw, cost, at);
    }

    /// Every nonce; may include expired ones.
    pub fn nonces(&self) -> impl Iterator<Item = (NonceId, &Claimed)> {
        self.nonces.iter()
    }

    /// Puts back a nonce that was written down, whatever the limits.
    pub fn restore_nonce(&mut self, nonce: &NonceId, claimed: Claimed) {
        self.nonces.restore(nonce, claimed);
    }

    /// The holders of all claims are gone: a claim that would not be free again
    /// when its lease ends is used from now on.
    pub fn use_up_held(&mut self) {
        self.nonces.use_up_held();
    }

    /// Every tally: its subject, its quota, when it is idle, and its count. May
    /// include idle ones.
    pub fn tallies(&self) -> impl Iterator<Item = (SubjectId, &Arc<str>, Duration, &Tally)> {
        self.quotas.iter()
    }

    /// Puts back a tally that was written down, whatever the limits.
    pub fn restore_tally(&mut self, subject: SubjectId, quota: &Pot, idle_at: Duration, tally: Tally) {
        self.quotas.restore(subject, quota, idle_at, tally);
    }

    /// Forgets a few nonces and tallies of each pot that count no longer.
    pub(super) fn forget(&mut self, now: Duration) {
        self.nonces.forget_expired(now);
        self.quotas.forget_idle(now);
    }
}
