//! The counts of a ledger's quotas, by subject.

use crate::limits::FORGOTTEN_AT_ONCE;
use crate::store::room::{Part, Room};
use crate::store::rule::Tally;
use crate::store::{Draw, Pot, StoreError, SubjectId, Take};
use std::collections::{BTreeMap, BTreeSet};
use std::iter;
use std::sync::Arc;
use std::time::Duration;

#[derive(Debug)]
pub(super) struct Accounts {
    room: Arc<Room>,
    accounts: BTreeMap<SubjectId, Account>,
    quotas: BTreeMap<Arc<str>, Quota>,
}

/// The counts of one subject, by quota: few, so that looking through them is
/// quickest.
#[derive(Debug, Default)]
struct Account(Vec<Kept>);

#[derive(Debug)]
struct Kept {
    quota: Arc<str>,
    /// When the tally has nothing left to say.
    idle_at: Duration,
    tally: Tally,
}

/// One quota: whose tallies there are.
#[derive(Debug)]
struct Quota {
    part: Part,
    /// By when they are idle: each tally once.
    order: BTreeSet<(Duration, SubjectId)>,
}

impl Accounts {
    pub(super) fn new(room: Arc<Room>) -> Self {
        Self { room, accounts: BTreeMap::new(), quotas: BTreeMap::new() }
    }

    pub(super) fn take(
        &mut self,
        now: Duration,
        subject: SubjectId,
        draws: &[Draw],
        cost: u32,
    ) -> Result<Take, StoreError> {
        let take = self.take_at(now, subject, draws, cost);
        // Last, since what this subject has may have been idle: it is not now.
        for draw in draws {
            self.forget_idle_of(now, &draw.quota);
        }
        take
    }

    fn take_at(&mut self, now: Duration, subject: SubjectId, draws: &[Draw], cost: u32) -> Result<Take, StoreError> {
        let take = self.look(now, subject, draws, cost);
        if !take.admitted || cost == 0 {
            return Ok(take);
        }
        // Idle accounts may hold the room.
        let reserved = self.reserve(subject, draws).or_else(|_| {
            self.forget_idle(now);
            self.reserve(subject, draws)
        })?;
        for (draw, reserved) in draws.iter().zip(reserved.into_iter().chain(iter::repeat(0))) {
            self.change(subject, draw, reserved, |kept| kept.idle_at = kept.tally.add(&draw.rule, now, cost));
        }
        Ok(take)
    }

    /// Whether a take would have room.
    pub(super) fn room_for(&mut self, now: Duration, subject: SubjectId, draws: &[Draw]) -> Result<(), StoreError> {
        for draw in draws {
            self.forget_idle_of(now, &draw.quota);
        }
        // Takes that are remembered give their room back when they are looked at.
        self.look(now, subject, draws, 0);
        let reserved = self.reserve(subject, draws)?;
        self.unreserve(draws, reserved);
        Ok(())
    }

    /// Counts units that were admitted at `now`, whatever the limits.
    pub(super) fn count(&mut self, now: Duration, subject: SubjectId, draws: &[Draw], cost: u32) {
        for draw in draws {
            self.change(subject, draw, 0, |kept| kept.idle_at = kept.tally.add(&draw.rule, now, cost));
        }
    }

    pub(super) fn give_back(&mut self, now: Duration, subject: SubjectId, draw: &Draw, cost: u32, at: Duration) {
        if self.find(subject, &draw.quota).is_some() {
            self.change(subject, draw, 0, |kept| kept.tally.give_back(&draw.rule, now, cost, at));
        }
    }

    pub(super) fn restore(&mut self, subject: SubjectId, pot: &Pot, idle_at: Duration, tally: Tally) {
        let quota = quota(&mut self.quotas, pot, &self.room);
        let account = self.accounts.entry(subject).or_default();
        if let Some(before) = account.remove(pot.name()) {
            quota.order.remove(&(before.idle_at, subject));
            self.room.give_back(&quota.part, before.tally.weight());
        }
        self.room.add(&quota.part, tally.weight());
        quota.order.insert((idle_at, subject));
        account.0.push(Kept { quota: pot.name().clone(), idle_at, tally });
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (SubjectId, &Arc<str>, Duration, &Tally)> {
        self.accounts.iter().flat_map(|(subject, account)| {
            account.0.iter().map(move |kept| (*subject, &kept.quota, kept.idle_at, &kept.tally))
        })
    }

    /// Forgets a few tallies of each quota.
    pub(super) fn forget_idle(&mut self, now: Duration) {
        for (name, quota) in &mut self.quotas {
            quota.forget_idle(now, name, &mut self.accounts, &self.room);
        }
    }

    /// Forgets a few tallies of `pot`.
    pub(super) fn forget_idle_of(&mut self, now: Duration, pot: &Pot) {
        if let Some(quota) = self.quotas.get_mut(&**pot.name()) {
            quota.forget_idle(now, pot.name(), &mut self.accounts, &self.room);
        }
    }

    /// The result of taking from all of `draws`. Tallies forget what no longer counts.
    fn look(&mut self, now: Duration, subject: SubjectId, draws: &[Draw], cost: u32) -> Take {
        let mut each = |draw: &Draw, cost| {
            let kept = self.accounts.get_mut(&subject).and_then(|account| account.find(draw.quota.name()));
            let Some(kept) = kept else { return Tally::empty(&draw.rule).look(&draw.rule, now, cost) };
            let before = kept.tally.weight();
            let take = kept.tally.look(&draw.rule, now, cost);
            let forgotten = before.saturating_sub(kept.tally.weight());
            if forgotten > 0
                && let Some(quota) = self.quotas.get(&**draw.quota.name())
            {
                self.room.give_back(&quota.part, forgotten);
            }
            take
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

    /// Reserves room for a take from each of `draws`, or from none. The entries of
    /// each are empty where all of them have what they need.
    fn reserve(&mut self, subject: SubjectId, draws: &[Draw]) -> Result<Vec<usize>, StoreError> {
        if draws.iter().all(|draw| self.needed(subject, draw) == 0) {
            return Ok(Vec::new());
        }
        let mut reserved = Vec::with_capacity(draws.len());
        for draw in draws {
            let needed = self.needed(subject, draw);
            let part = &quota(&mut self.quotas, &draw.quota, &self.room).part;
            if needed > 0
                && let Err(full) = self.room.reserve(&draw.quota, part, needed)
            {
                self.unreserve(draws, reserved);
                return Err(full);
            }
            reserved.push(needed);
        }
        Ok(reserved)
    }

    /// The entries by which a take from `draw` grows.
    fn needed(&mut self, subject: SubjectId, draw: &Draw) -> usize {
        let is_new = self.find(subject, &draw.quota).is_none();
        usize::from(is_new) + usize::from(draw.rule.remembers())
    }

    fn unreserve(&mut self, draws: &[Draw], reserved: Vec<usize>) {
        for (draw, entries) in draws.iter().zip(reserved) {
            self.room.give_back(&quota(&mut self.quotas, &draw.quota, &self.room).part, entries);
        }
    }

    /// Changes the tally of a draw, which is made if there is none. Of the
    /// entries by which it grows, `reserved` are counted already.
    fn change(&mut self, subject: SubjectId, draw: &Draw, reserved: usize, change: impl FnOnce(&mut Kept)) {
        let quota = quota(&mut self.quotas, &draw.quota, &self.room);
        let account = self.accounts.entry(subject).or_default();
        let is_new = account.find(draw.quota.name()).is_none();
        if is_new {
            let name = draw.quota.name().clone();
            account.0.push(Kept { quota: name, idle_at: Duration::ZERO, tally: Tally::empty(&draw.rule) });
        }
        let Some(kept) = account.find(draw.quota.name()) else { return };
        let counted = if is_new { 0 } else { kept.tally.weight() } + reserved;
        let idle_at = kept.idle_at;
        change(kept);
        let weight = kept.tally.weight();
        if weight > counted {
            self.room.add(&quota.part, weight - counted);
        } else if weight < counted {
            self.room.give_back(&quota.part, counted - weight);
        }
        if is_new || kept.idle_at != idle_at {
            quota.order.remove(&(idle_at, subject));
            quota.order.insert((kept.idle_at, subject));
        }
    }

    fn find(&mut self, subject: SubjectId, pot: &Pot) -> Option<&mut Kept> {
        self.accounts.get_mut(&subject)?.find(pot.name())
    }
}

impl Account {
    fn find(&mut self, quota: &Arc<str>) -> Option<&mut Kept> {
        self.0.iter_mut().find(|kept| Arc::ptr_eq(&kept.quota, quota) || kept.quota == *quota)
    }

    fn remove(&mut self, quota: &Arc<str>) -> Option<Kept> {
        let index = self.0.iter().position(|kept| kept.quota == *quota)?;
        Some(self.0.swap_remove(index))
    }
}

impl Quota {
    fn forget_idle(
        &mut self,
        now: Duration,
        name: &Arc<str>,
        accounts: &mut BTreeMap<SubjectId, Account>,
        room: &Room,
    ) {
        for _ in 0..FORGOTTEN_AT_ONCE {
            let Some((idle_at, subject)) = self.order.first().filter(|(idle_at, _)| *idle_at <= now).copied() else {
                break;
            };
            self.order.remove(&(idle_at, subject));
            let Some(account) = accounts.get_mut(&subject) else { continue };
            if let Some(kept) = account.remove(name) {
                room.give_back(&self.part, kept.tally.weight());
            }
            if account.0.is_empty() {
                accounts.remove(&subject);
            }
        }
    }
}

fn quota<'q>(quotas: &'q mut BTreeMap<Arc<str>, Quota>, pot: &Pot, room: &Room) -> &'q mut Quota {
    let quota = || Quota { part: room.part(pot), order: BTreeSet::new() };
    quotas.entry(pot.name().clone()).or_insert_with(quota)
}
