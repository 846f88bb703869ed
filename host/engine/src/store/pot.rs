//! The name of a nonce space or a quota, and how much of a store it may fill.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

/// The prefix of the names under which trials count. A configuration takes no
/// name with a colon in it.
pub const TRIAL_PREFIX: &str = "shadow:";

/// Trials have room of their own beside the store's: this part of what the
/// space or quota that they try may fill.
const TRIAL_PART: usize = 8;

/// A nonce space or a quota as a store knows it: its name, and how many entries
/// it may have there.
///
/// The bound comes with every call and is not part of its identity: two pots of
/// one name are one, whatever their bounds. So a reload changes bounds
/// without the store being told, and what is held already stays.
#[derive(Clone)]
pub struct Pot {
    name: Arc<str>,
    entries_max: Option<usize>,
    is_trial: bool,
}

impl Pot {
    /// A pot that may have `entries_max` entries; `None` leaves it to the
    /// store's own bound.
    pub fn new(name: impl Into<Arc<str>>, entries_max: Option<usize>) -> Self {
        let name = name.into();
        Self { is_trial: name.starts_with(TRIAL_PREFIX), name, entries_max }
    }

    /// Its name.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The most entries it may have in a store that holds `room` in all.
    pub fn entries_max(&self, room: usize) -> usize {
        match (self.entries_max, self.is_trial) {
            (Some(max), _) => max,
            (None, false) => room,
            (None, true) => trial_part(room),
        }
    }

    /// The bound it was given, if any.
    pub fn own_max(&self) -> Option<usize> {
        self.entries_max
    }

    /// Whether its entries count beside those of the store, and not among them.
    pub(crate) fn is_trial(&self) -> bool {
        self.is_trial
    }

    /// The pot in which the trial called `name` takes from this one: it can fill
    /// neither this one nor the store. The name begins with [`TRIAL_PREFIX`].
    pub(crate) fn trial(&self, name: &str) -> Self {
        Self::new(format!("{name}:{}", self.name), self.entries_max.map(trial_part))
    }
}

fn trial_part(entries: usize) -> usize {
    entries.div_ceil(TRIAL_PART)
}

impl Deref for Pot {
    type Target = str;

    fn deref(&self) -> &str {
        &self.name
    }
}

impl PartialEq for Pot {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.name, &other.name) || self.name == other.name
    }
}

impl Eq for Pot {}

impl Hash for Pot {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl fmt::Display for Pot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl fmt::Debug for Pot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.name, f)
    }
}

impl From<Arc<str>> for Pot {
    fn from(name: Arc<str>) -> Self {
        Self::new(name, None)
    }
}

impl From<&str> for Pot {
    fn from(name: &str) -> Self {
        Self::new(name, None)
    }
}

impl From<String> for Pot {
    fn from(name: String) -> Self {
        Self::new(name, None)
    }
}
