//! The holders and their weights, without a clock and without locks.

use crate::group::{Groups, Id};
use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

/// Bytes a second at which a holder does not fall behind: a telephone line's. A
/// slower one only gives way earlier than others, and only under pressure.
pub const RATE: u64 = 16 * 1024;

/// A holder whose mark is this far in the past gives way to a key that holds as
/// much as its own. A packet that was lost twice costs less, and so does an
/// upstream that takes its time. One that has done nothing yet gives way at once:
/// silent connections of as many addresses as there are places must not keep out
/// one that speaks.
pub const FALLEN_BEHIND: Duration = Duration::from_secs(5);

/// How far a mark is ever behind once its holder moves again: what it did
/// earlier than that says nothing.
const REMEMBERED: Duration = Duration::from_secs(30);

/// Keys that are looked at for a holder that gives way.
const KEYS_TRIED: usize = 8;

/// Marks that are put right, and holders that are looked at, for one arrival:
/// the work that one arrival can cause.
const MARKS_TRIED: usize = 16;

/// The mark of a holder whose mark was `mark`, and that moved `bytes`.
pub(crate) fn moved(mark: Duration, bytes: usize, now: Duration) -> Duration {
    let worth = Duration::from_nanos((bytes as u64).saturating_mul(1_000_000_000 / RATE));
    mark.max(now.saturating_sub(REMEMBERED)).saturating_add(worth).min(now)
}

/// The ledger's view of the other side of a holder.
pub(crate) trait Mark {
    /// Its true mark.
    fn mark(&self) -> Duration;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Moving(Duration),
    Resting(Duration),
    /// It does not give way.
    Kept,
    /// It has given way, and is not gone.
    Leaving,
}

#[derive(Debug)]
struct Holder<K, M, const D: usize> {
    keys: Option<[K; D]>,
    weight: usize,
    state: State,
    /// Whether it has done anything yet: one that has not must not keep out one that
    /// will.
    has_begun: bool,
    mark: Arc<M>,
}

#[derive(Debug)]
pub(crate) struct Ledger<K, M, const D: usize> {
    max: usize,
    /// Without what is leaving.
    taken: usize,
    leaving: usize,
    holders: HashMap<Id, Holder<K, M, D>>,
    next: Id,
    groups: [Groups<K>; D],
    resting_without_key: BTreeSet<(Duration, Id)>,
    /// All with a key that move and hold something: those that have not begun,
    /// then the slowest.
    moving: BTreeSet<(bool, Duration, Id)>,
}

/// Why there is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoRoom {
    /// No holder gives way.
    Taken,
    /// As much is leaving as may at a time: there is room when it is gone.
    Leaving,
}

impl<K: Copy + Ord + Hash, M: Mark, const D: usize> Ledger<K, M, D> {
    pub(crate) fn new(max: usize) -> Self {
        Self {
            max,
            taken: 0,
            leaving: 0,
            holders: HashMap::new(),
            next: 0,
            groups: std::array::from_fn(|_| Groups::default()),
            resting_without_key: BTreeSet::new(),
            moving: BTreeSet::new(),
        }
    }

    /// A new holder of `weight`. Those that give way are added to `evicted`,
    /// and must be told also where there is no room in the end.
    pub(crate) fn take(
        &mut self,
        keys: Option<[K; D]>,
        weight: usize,
        mark: Arc<M>,
        now: Duration,
        evicted: &mut Vec<Arc<M>>,
    ) -> Result<Id, NoRoom> {
        self.make_room(keys, None, weight, now, evicted)?;
        let id = self.next;
        self.next += 1;
        self.taken += weight;
        self.holders.insert(id, Holder { keys, weight, state: State::Moving(now), has_begun: false, mark });
        self.enlist(id);
        Ok(id)
    }

    /// `by` more for a holder. Those that give way are as for
    /// [`take`](Self::take).
    pub(crate) fn grow(&mut self, id: Id, by: usize, now: Duration, evicted: &mut Vec<Arc<M>>) -> Result<(), NoRoom> {
        let holder = self.holders.get(&id).filter(|holder| holder.state != State::Leaving).ok_or(NoRoom::Taken)?;
        self.make_room(holder.keys, Some(id), by, now, evicted)?;
        self.taken += by;
        self.alter(id, |holder| {
            holder.weight += by;
            holder.has_begun = true;
        });
        Ok(())
    }

    /// A holder is gone. Says whether it was leaving.
    pub(crate) fn remove(&mut self, id: Id) -> bool {
        self.delist(id);
        let Some(holder) = self.holders.remove(&id) else { return false };
        let was_leaving = holder.state == State::Leaving;
        let pot = if was_leaving { &mut self.leaving } else { &mut self.taken };
        *pot = pot.saturating_sub(holder.weight);
        was_leaving
    }

    pub(crate) fn rest(&mut self, id: Id, now: Duration) {
        self.enter(id, State::Resting(now));
    }

    pub(crate) fn resume(&mut self, id: Id, now: Duration) {
        self.alter(id, |holder| {
            holder.has_begun = true;
            if holder.state != State::Leaving {
                holder.state = State::Moving(now);
            }
        });
    }

    pub(crate) fn keep(&mut self, id: Id) {
        self.enter(id, State::Kept);
    }

    pub(crate) fn belong(&mut self, id: Id, keys: Option<[K; D]>) {
        self.alter(id, |holder| holder.keys = keys);
    }

    fn enter(&mut self, id: Id, state: State) {
        self.alter(id, |holder| {
            if holder.state != State::Leaving {
                holder.state = state;
            }
        });
    }

    fn alter(&mut self, id: Id, change: impl FnOnce(&mut Holder<K, M, D>)) {
        self.delist(id);
        if let Some(holder) = self.holders.get_mut(&id) {
            change(holder);
        }
        self.enlist(id);
    }

    fn enlist(&mut self, id: Id) {
        let Some(Holder { keys, weight, state, has_begun, .. }) = self.holders.get(&id) else { return };
        let (weight, state, has_begun) = (*weight, *state, *has_begun);
        match *keys {
            Some(keys) => {
                for (groups, key) in self.groups.iter_mut().zip(keys) {
                    groups.change(key, |group| match state {
                        State::Leaving => {}
                        State::Kept => group.weight += weight,
                        State::Moving(at) => {
                            group.weight += weight;
                            if weight > 0 {
                                group.moving.insert((at, id));
                            }
                        }
                        State::Resting(since) => {
                            group.weight += weight;
                            group.resting.insert((since, id));
                        }
                    });
                }
                // A holder of nothing has nothing to give.
                if let State::Moving(at) = state
                    && weight > 0
                {
                    self.moving.insert((has_begun, at, id));
                }
            }
            None => {
                if let State::Resting(since) = state {
                    self.resting_without_key.insert((since, id));
                }
            }
        }
    }

    fn delist(&mut self, id: Id) {
        let Some(Holder { keys, weight, state, has_begun, .. }) = self.holders.get(&id) else { return };
        let (weight, state, has_begun) = (*weight, *state, *has_begun);
        match *keys {
            Some(keys) if state != State::Leaving => {
                for (groups, key) in self.groups.iter_mut().zip(keys) {
                    groups.change(key, |group| {
                        group.weight = group.weight.saturating_sub(weight);
                        if let State::Moving(at) = state {
                            group.moving.remove(&(at, id));
                        }
                        if let State::Resting(since) = state {
                            group.resting.remove(&(since, id));
                        }
                    });
                }
                if let State::Moving(at) = state {
                    self.moving.remove(&(has_begun, at, id));
                }
            }
            None => {
                if let State::Resting(since) = state {
                    self.resting_without_key.remove(&(since, id));
                }
            }
            Some(_) => {}
        }
    }

    /// Has holders give way until there is room for `need` more of `keys`.
    fn make_room(
        &mut self,
        keys: Option<[K; D]>,
        own: Option<Id>,
        need: usize,
        now: Duration,
        evicted: &mut Vec<Arc<M>>,
    ) -> Result<(), NoRoom> {
        while self.taken.checked_add(need).ok_or(NoRoom::Taken)? > self.max {
            let victim = self.victim(keys, own, need, now).ok_or(NoRoom::Taken)?;
            let weight = self.holders.get(&victim).map_or(0, |holder| holder.weight);
            // One may always be leaving, or else a small bound could not be
            // shared at all.
            if self.leaving > 0 && self.leaving + weight > self.max / 8 {
                return Err(NoRoom::Leaving);
            }
            evicted.extend(self.evict(victim));
        }
        Ok(())
    }

    /// Has up to `count` give way although there is room, as that is bounded by
    /// something else, too: those that rest, and then those that have not begun or
    /// have fallen behind.
    pub(crate) fn relieve(&mut self, count: usize, now: Duration) -> Vec<Arc<M>> {
        let mut evicted = Vec::new();
        while evicted.len() < count {
            let rested = self.groups.first().and_then(Groups::most_rested).map(|rested| rested.id);
            let rested = rested.or_else(|| self.resting_without_key.first().map(|(_, id)| *id));
            let Some(victim) = rested.or_else(|| self.hindmost(None, now, |_, _| true)) else { break };
            evicted.extend(self.evict(victim));
        }
        evicted
    }

    fn evict(&mut self, id: Id) -> Option<Arc<M>> {
        self.delist(id);
        let holder = self.holders.get_mut(&id)?;
        holder.state = State::Leaving;
        self.taken = self.taken.saturating_sub(holder.weight);
        self.leaving += holder.weight;
        Some(holder.mark.clone())
    }

    fn victim(&mut self, keys: Option<[K; D]>, own: Option<Id>, need: usize, now: Duration) -> Option<Id> {
        let weight_of = |groups: &Groups<K>, dimension: usize| {
            keys.and_then(|keys| keys.get(dimension).copied()).map_or(0, |key| groups.weight(key))
        };
        let first = self.groups.first()?;
        let rested = first.most_rested().filter(|rested| {
            let is_own = keys.is_some_and(|keys| keys.first() == Some(&rested.key));
            let holds_as_much = first.weight(rested.key) >= weight_of(first, 0).saturating_add(need);
            Some(rested.id) != own && (is_own || holds_as_much)
        });
        if let Some(rested) = &rested {
            let holds_much = first.weight(rested.key).saturating_mul(first.len()) > self.max;
            if holds_much || now.saturating_sub(rested.since) > FALLEN_BEHIND {
                return Some(rested.id);
            }
        }
        for must_lag in [false, true] {
            for dimension in 0..D {
                let Some(groups) = self.groups.get(dimension) else { continue };
                let mine = weight_of(groups, dimension);
                let heaviest: Vec<_> = groups.heaviest().take(KEYS_TRIED).collect();
                for (weight, key) in heaviest {
                    let is_own = keys.is_some_and(|keys| keys.get(dimension) == Some(&key));
                    let holds_more = weight > mine.saturating_add(need);
                    let holds_as_much = is_own || weight >= mine.saturating_add(need);
                    if !(if must_lag { holds_as_much } else { holds_more }) {
                        continue;
                    }
                    let Some((mark, id)) = self.slowest(dimension, key) else { continue };
                    let lags = now.saturating_sub(mark) > FALLEN_BEHIND;
                    let has_begun = self.holders.get(&id).is_some_and(|holder| holder.has_begun);
                    if Some(id) != own && (!must_lag || lags || (!is_own && !has_begun)) {
                        return Some(id);
                    }
                }
            }
        }
        let mine = self.groups.first().map_or(0, |groups| weight_of(groups, 0));
        let holds_as_much = |groups: &Groups<K>, key: K| {
            let is_own = keys.is_some_and(|keys| keys.first() == Some(&key));
            !is_own && groups.weight(key) >= mine.saturating_add(need)
        };
        if let Some(id) = self.hindmost(own, now, holds_as_much) {
            return Some(id);
        }
        if let Some(rested) = rested {
            return Some(rested.id);
        }
        // One without a key counts as one that holds what it holds, and no more.
        let resting = self.resting_without_key.first().map(|(_, id)| *id).filter(|id| Some(*id) != own)?;
        let holds = self.holders.get(&resting).map_or(0, |holder| holder.weight);
        (holds >= mine.saturating_add(need)).then_some(resting)
    }

    /// The holder of `key` with the earliest mark, once marks that are out of
    /// date are put right.
    fn slowest(&mut self, dimension: usize, key: K) -> Option<(Duration, Id)> {
        for _ in 0..MARKS_TRIED {
            let (noted, id) = self.groups.get(dimension)?.first_moving(key)?;
            let mark = self.holders.get(&id)?.mark.mark();
            if mark <= noted {
                return Some((noted, id));
            }
            self.enter(id, State::Moving(mark));
        }
        let (noted, id) = self.groups.get(dimension)?.first_moving(key)?;
        Some((noted.max(self.holders.get(&id)?.mark.mark()), id))
    }

    /// Of all holders whose key is `eligible`, one that has not begun, or else the
    /// slowest, if it has fallen behind: those that hold most may all move, and
    /// hide behind them what does not.
    fn hindmost(&mut self, own: Option<Id>, now: Duration, eligible: impl Fn(&Groups<K>, K) -> bool) -> Option<Id> {
        let first: Vec<_> = self.moving.iter().take(MARKS_TRIED).copied().collect();
        let mut hindmost: Option<(bool, Duration, Id)> = None;
        for (has_begun, noted, id) in first {
            let Some(holder) = self.holders.get(&id) else { continue };
            let mark = noted.max(holder.mark.mark());
            let key = holder.keys.and_then(|keys| keys.first().copied());
            let is_eligible = key.zip(self.groups.first()).is_some_and(|(key, groups)| eligible(groups, key));
            if mark > noted {
                self.enter(id, State::Moving(mark));
            }
            let candidate = (has_begun, mark, id);
            if is_eligible && Some(id) != own && hindmost.is_none_or(|hindmost| candidate < hindmost) {
                hindmost = Some(candidate);
            }
        }
        let (has_begun, mark, id) = hindmost?;
        (!has_begun || now.saturating_sub(mark) > FALLEN_BEHIND).then_some(id)
    }
}

#[cfg(test)]
mod tests;
