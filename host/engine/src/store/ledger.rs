//! Nonces and quotas in memory, by a clock of the caller's.

use crate::limits::HELD_FOR;
use crate::store::rule::Tally;
use crate::store::{Claim, Draw, Holder, MemoryLimits, NonceId, StoreError, Take};
use std::cmp::Reverse;
use std::collections::hash_map::Entry;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;
use std::time::Duration;

/// Nonces and quotas in memory: what [`MemoryStore`](crate::MemoryStore) is
/// made of, and a store that also writes them down.
///
/// It expires by the `now` it is given, which must not go backwards, and is
/// bounded: when it is full it refuses, and never forgets what is live.
#[derive(Debug)]
pub struct Ledger {
    nonces: Nonces,
    quotas: Quotas,
}

/// A claimed nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// Until when it is remembered.
    pub expires: Duration,
    /// Who holds it and until when, if it is provisional.
    pub held: Option<(Holder, Duration)>,
}

impl Ledger {
    /// An empty one.
    pub fn new(limits: MemoryLimits) -> Self {
        Self {
            nonces: Nonces { max: limits.nonces, ..Nonces::default() },
            quotas: Quotas { max: limits.quotas, ..Quotas::default() },
        }
    }

    /// See [`LocalStore::claim`](crate::LocalStore::claim).
    ///
    /// # Errors
    /// [`StoreError::Full`].
    pub fn claim(
        &mut self,
        now: Duration,
        nonce: &NonceId,
        retain: Duration,
        holder: Option<Holder>,
    ) -> Result<Claim, StoreError> {
        self.nonces.forget_expired(now);
        let is_full = self.nonces.live.len() >= self.nonces.max;
        match self.nonces.live.entry(nonce.clone()) {
            Entry::Occupied(live) => {
                let held = live.get().held.is_some_and(|(_, until)| now < until);
                Ok(if held { Claim::InProgress } else { Claim::Replayed })
            }
            Entry::Vacant(_) if is_full => Err(StoreError::Full { entries: self.nonces.max }),
            Entry::Vacant(free) => {
                let claimed = Claimed::new(now, retain, holder);
                free.insert(claimed);
                self.nonces.order.push(expiry(nonce, &claimed));
                Ok(Claim::FirstUse)
            }
        }
    }

    /// Whether `holder` has a provisional claim of `nonce`.
    pub fn holds(&self, nonce: &NonceId, holder: Holder) -> bool {
        self.nonces.live.get(nonce).is_some_and(|claimed| claimed.is_held_by(holder))
    }

    /// See [`LocalStore::confirm`](crate::LocalStore::confirm).
    pub fn confirm(&mut self, nonce: &NonceId, holder: Holder) {
        if let Some(claimed) = self.nonces.live.get_mut(nonce)
            && claimed.is_held_by(holder)
        {
            claimed.held = None;
        }
    }

    /// See [`LocalStore::release`](crate::LocalStore::release).
    pub fn release(&mut self, nonce: &NonceId, holder: Holder) {
        if self.holds(nonce, holder) {
            self.nonces.live.remove(nonce);
        }
    }

    /// Undoes a claim that was made just now.
    pub fn remove_nonce(&mut self, nonce: &NonceId) {
        self.nonces.live.remove(nonce);
    }

    /// See [`LocalStore::take`](crate::LocalStore::take).
    ///
    /// # Errors
    /// [`StoreError::Full`].
    pub fn take(&mut self, now: Duration, subject: &Arc<str>, draws: &[Draw], cost: u32) -> Result<Take, StoreError> {
        let mut account = self.quotas.accounts.get_mut(subject);
        let take = look(account.as_deref_mut(), now, draws, cost);
        if !take.admitted || cost == 0 {
            return Ok(take);
        }
        if account.is_some_and(|account| account.count_in_place(now, draws, cost)) {
            return Ok(take);
        }
        self.quotas.make_room(now, subject, draws)?;
        self.count(now, subject, draws, cost);
        Ok(take)
    }

    /// Counts units that were admitted at `now`, whatever the limits: also
    /// what is read back from where it was written down.
    pub fn count(&mut self, now: Duration, subject: &Arc<str>, draws: &[Draw], cost: u32) {
        for draw in draws {
            self.quotas.change(subject, draw, |kept| kept.idle_at = kept.tally.add(&draw.rule, now, cost));
        }
    }

    /// See [`LocalStore::give_back`](crate::LocalStore::give_back).
    pub fn give_back(&mut self, now: Duration, subject: &Arc<str>, draw: &Draw, cost: u32, at: Duration) {
        if self.quotas.accounts.get_mut(subject).is_some_and(|account| account.find(&draw.quota).is_some()) {
            self.quotas.change(subject, draw, |kept| kept.tally.give_back(&draw.rule, now, cost, at));
        }
    }

    /// Every nonce, expired ones perhaps among them.
    pub fn nonces(&self) -> impl Iterator<Item = (&NonceId, &Claimed)> {
        self.nonces.live.iter()
    }

    /// Puts back a nonce that was written down, whatever the limits.
    pub fn restore_nonce(&mut self, nonce: NonceId, claimed: Claimed) {
        self.nonces.insert(nonce, claimed);
    }

    /// Makes every provisional claim final: whoever held one is gone.
    pub fn end_holds(&mut self) {
        self.nonces.live.values_mut().for_each(|claimed| claimed.held = None);
    }

    /// Every tally: its subject, its quota, when it is as good as none, and
    /// what it counted. Ones as good as none perhaps among them.
    pub fn tallies(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<str>, Duration, &Tally)> {
        self.quotas.accounts.iter().flat_map(|(subject, account)| {
            account.0.iter().map(move |kept| (subject, &kept.quota, kept.idle_at, &kept.tally))
        })
    }

    /// Puts back a tally that was written down, whatever the limits.
    pub fn restore_tally(&mut self, subject: &Arc<str>, quota: Arc<str>, idle_at: Duration, tally: Tally) {
        self.quotas.weight += tally.weight();
        let account = self.quotas.accounts.entry(subject.clone()).or_default();
        account.0.push(Kept { quota, idle_at, tally });
    }
}

impl Claimed {
    /// A claim at `now`.
    pub fn new(now: Duration, retain: Duration, holder: Option<Holder>) -> Self {
        let held = holder.map(|holder| (holder, now.saturating_add(HELD_FOR)));
        Self { expires: now.saturating_add(retain), held }
    }

    fn is_held_by(&self, holder: Holder) -> bool {
        self.held.is_some_and(|(held_by, _)| held_by == holder)
    }
}

/// When a nonce expires, and which: the earliest comes out of a heap first.
type Expiry = Reverse<(Duration, [u8; 32], Arc<str>)>;

fn expiry(nonce: &NonceId, claimed: &Claimed) -> Expiry {
    Reverse((claimed.expires, nonce.digest, nonce.space.clone()))
}

#[derive(Debug, Default)]
struct Nonces {
    live: HashMap<NonceId, Claimed>,
    /// By expiry. Released claims leave an entry behind.
    order: BinaryHeap<Expiry>,
    max: usize,
}

impl Nonces {
    fn insert(&mut self, nonce: NonceId, claimed: Claimed) {
        self.order.push(expiry(&nonce, &claimed));
        self.live.insert(nonce, claimed);
    }

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
            self.order = self.live.iter().map(|(nonce, claimed)| expiry(nonce, claimed)).collect();
        }
    }
}

/// What is counted against one subject, by quota: few, so that looking
/// through them is quickest.
#[derive(Debug, Default)]
struct Account(Vec<Kept>);

#[derive(Debug)]
struct Kept {
    quota: Arc<str>,
    /// When the tally is as good as none.
    idle_at: Duration,
    tally: Tally,
}

/// What a take from all of `draws` comes to.
fn look(mut account: Option<&mut Account>, now: Duration, draws: &[Draw], cost: u32) -> Take {
    let mut each = |draw: &Draw, cost| match account.as_mut().and_then(|account| account.find(&draw.quota)) {
        Some(kept) => kept.tally.look(&draw.rule, now, cost),
        None => Tally::empty(&draw.rule).look(&draw.rule, now, cost),
    };
    let mut strictest = |cost| draws.iter().map(|draw| each(draw, cost)).reduce(Take::and);
    match (strictest(cost), draws.len()) {
        // Of no quota there is always enough.
        (None, _) => Take { admitted: true, remaining: 0, reset_after: Duration::ZERO, retry_after: None, at: now },
        // Refused by one, it takes nothing from the others either.
        (Some(refused), 2..) if !refused.admitted => strictest(0).map_or(refused, |standing| Take {
            remaining: standing.remaining,
            reset_after: standing.reset_after,
            ..refused
        }),
        (Some(take), _) => take,
    }
}

impl Account {
    /// Counts if that takes no more room than there is; otherwise nothing.
    fn count_in_place(&mut self, now: Duration, draws: &[Draw], cost: u32) -> bool {
        if self.room_for(draws) > 0 {
            return false;
        }
        for draw in draws {
            if let Some(kept) = self.find(&draw.quota) {
                kept.idle_at = kept.tally.add(&draw.rule, now, cost);
            }
        }
        true
    }

    /// How many more entries a take from `draws` needs.
    fn room_for(&mut self, draws: &[Draw]) -> usize {
        let room = |draw: &Draw| usize::from(self.find(&draw.quota).is_none()) + usize::from(draw.rule.remembers());
        draws.iter().map(room).sum()
    }

    fn find(&mut self, quota: &Arc<str>) -> Option<&mut Kept> {
        self.0.iter_mut().find(|kept| Arc::ptr_eq(&kept.quota, quota) || kept.quota == *quota)
    }
}

#[derive(Debug, Default)]
struct Quotas {
    accounts: HashMap<Arc<str>, Account>,
    /// Tallies, and takes that some of them remember.
    weight: usize,
    max: usize,
    /// Sweeping waits until there is about as much to drop as to keep.
    sweep_at: usize,
}

impl Quotas {
    /// Changes the tally of a draw, which is made if there is none.
    fn change(&mut self, subject: &Arc<str>, draw: &Draw, change: impl FnOnce(&mut Kept)) {
        if !self.accounts.contains_key(subject) {
            self.accounts.insert(subject.clone(), Account::default());
        }
        let Some(account) = self.accounts.get_mut(subject) else { return };
        if account.find(&draw.quota).is_none() {
            let tally = Tally::empty(&draw.rule);
            self.weight += tally.weight();
            account.0.push(Kept { quota: draw.quota.clone(), idle_at: Duration::ZERO, tally });
        }
        let Some(kept) = account.find(&draw.quota) else { return };
        let before = kept.tally.weight();
        change(kept);
        self.weight = (self.weight + kept.tally.weight()).saturating_sub(before);
    }

    /// Room for a take from `draws`.
    fn make_room(&mut self, now: Duration, subject: &Arc<str>, draws: &[Draw]) -> Result<(), StoreError> {
        let mut nobody = Account::default();
        let room = self.accounts.get_mut(subject).unwrap_or(&mut nobody).room_for(draws);
        if self.weight + room > self.max.min(self.sweep_at.max(1_024)) {
            self.accounts.retain(|_, account| {
                account.0.retain(|kept| kept.idle_at > now);
                !account.0.is_empty()
            });
            self.weight = self.accounts.values().flat_map(|account| &account.0).map(|kept| kept.tally.weight()).sum();
            self.sweep_at = 2 * self.weight;
        }
        if self.weight + room > self.max {
            return Err(StoreError::Full { entries: self.max });
        }
        Ok(())
    }
}
