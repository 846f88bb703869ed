//! How much a store holds, in all and of each pot, over all of its shards.

use crate::store::{Pot, StoreError};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Counts entries of one kind against their bounds.
#[derive(Debug)]
pub(super) struct Room {
    max: usize,
    held: AtomicUsize,
    /// By the name of the pot: as many as the operator has names.
    pots: Mutex<BTreeMap<Arc<str>, Arc<AtomicUsize>>>,
}

/// One pot's part of it. Shards keep theirs, so that counting takes no lock.
#[derive(Clone, Debug)]
pub(super) struct Part {
    held: Arc<AtomicUsize>,
    is_trial: bool,
}

impl Room {
    pub(super) fn new(max: usize) -> Self {
        Self { max, held: AtomicUsize::new(0), pots: Mutex::default() }
    }

    pub(super) fn part(&self, pot: &Pot) -> Part {
        let mut pots = self.pots.lock().unwrap_or_else(PoisonError::into_inner);
        Part { held: pots.entry(pot.name().clone()).or_default().clone(), is_trial: pot.is_trial() }
    }

    /// Takes `entries` for `pot`, if both it and the store have as much.
    pub(super) fn reserve(&self, pot: &Pot, part: &Part, entries: usize) -> Result<(), StoreError> {
        let max = pot.entries_max(self.max);
        if !add(&part.held, entries, max) {
            // Without a bound of its own, a pot is full when the store is.
            return Err(match pot.own_max() {
                Some(_) => StoreError::PotFull { pot: pot.name().clone(), entries: max },
                None => StoreError::Full { entries: max },
            });
        }
        if !part.is_trial && !add(&self.held, entries, self.max) {
            subtract(&part.held, entries);
            return Err(StoreError::Full { entries: self.max });
        }
        Ok(())
    }

    /// Counts entries that are there, whatever the bounds.
    pub(super) fn add(&self, part: &Part, entries: usize) {
        part.held.fetch_add(entries, Ordering::Relaxed);
        if !part.is_trial {
            self.held.fetch_add(entries, Ordering::Relaxed);
        }
    }

    /// Gives back what was reserved or added.
    pub(super) fn give_back(&self, part: &Part, entries: usize) {
        subtract(&part.held, entries);
        if !part.is_trial {
            subtract(&self.held, entries);
        }
    }
}

fn add(held: &AtomicUsize, entries: usize, max: usize) -> bool {
    let add = |held: usize| held.checked_add(entries).filter(|sum| *sum <= max);
    held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add).is_ok()
}

fn subtract(held: &AtomicUsize, entries: usize) {
    let _ = held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |held| Some(held.saturating_sub(entries)));
}
