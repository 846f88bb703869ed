//! Holders by key, in one dimension, in the order in which they give way.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::time::Duration;

pub(crate) type Id = u64;

/// The holders of one key.
#[derive(Debug, Default)]
pub(crate) struct Group {
    pub(crate) weight: usize,
    /// By the mark that was last noted, which is never later than the true one.
    pub(crate) moving: BTreeSet<(Duration, Id)>,
    /// By the time since which they rest.
    pub(crate) resting: BTreeSet<(Duration, Id)>,
}

/// A holder that rests.
#[derive(Clone, Copy)]
pub(crate) struct Rested<K> {
    pub(crate) key: K,
    pub(crate) id: Id,
    pub(crate) since: Duration,
}

/// The groups of one dimension.
#[derive(Debug)]
pub(crate) struct Groups<K> {
    groups: HashMap<K, Group>,
    by_weight: BTreeSet<(usize, K)>,
    by_resting: BTreeSet<(usize, K)>,
}

impl<K> Default for Groups<K> {
    fn default() -> Self {
        Self { groups: HashMap::new(), by_weight: BTreeSet::new(), by_resting: BTreeSet::new() }
    }
}

impl<K: Copy + Ord + Hash> Groups<K> {
    /// Changes the group of `key`, and puts it in its new place.
    pub(crate) fn change(&mut self, key: K, change: impl FnOnce(&mut Group)) {
        let group = self.groups.entry(key).or_default();
        self.by_weight.remove(&(group.weight, key));
        self.by_resting.remove(&(group.resting.len(), key));
        change(group);
        if group.weight == 0 && group.moving.is_empty() && group.resting.is_empty() {
            self.groups.remove(&key);
            return;
        }
        self.by_weight.insert((group.weight, key));
        if !group.resting.is_empty() {
            self.by_resting.insert((group.resting.len(), key));
        }
    }

    pub(crate) fn weight(&self, key: K) -> usize {
        self.groups.get(&key).map_or(0, |group| group.weight)
    }

    /// Those that hold most first.
    pub(crate) fn heaviest(&self) -> impl Iterator<Item = (usize, K)> + '_ {
        self.by_weight.iter().rev().copied()
    }

    /// Of the key with the most holders that rest, the one that rests longest.
    pub(crate) fn most_rested(&self) -> Option<Rested<K>> {
        let (_, key) = *self.by_resting.last()?;
        let (since, id) = *self.groups.get(&key)?.resting.first()?;
        Some(Rested { key, id, since })
    }

    /// Keys that hold something.
    pub(crate) fn len(&self) -> usize {
        self.groups.len()
    }

    /// The holder of `key` that moves and has the earliest noted mark.
    pub(crate) fn first_moving(&self, key: K) -> Option<(Duration, Id)> {
        self.groups.get(&key)?.moving.first().copied()
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.groups.is_empty() && self.by_weight.is_empty() && self.by_resting.is_empty()
    }
}
