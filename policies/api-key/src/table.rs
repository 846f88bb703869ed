//! The keys that are known, by their hashes.

use barmkin_guest::Reason;

use crate::reason::{API_KEY_NOT_YET_VALID, EXPIRED_API_KEY};

/// HMAC-SHA256, as the host makes it.
pub(crate) type Hash = [u8; 32];

/// Whom a key stands for.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) hash: Hash,
    /// Of the key.
    pub(crate) id: String,
    pub(crate) principal: String,
    pub(crate) tenant: Option<String>,
    pub(crate) roles: Vec<String>,
    pub(crate) scopes: Vec<String>,
    pub(crate) not_before_unix_ms: Option<u64>,
    pub(crate) expires_unix_ms: Option<u64>,
    pub(crate) attributes: Vec<(String, String)>,
}

impl Entry {
    /// The reason of the denial, where the key does not count at this time.
    pub(crate) fn refused_at(&self, unix_ms: u64) -> Option<Reason> {
        if self.not_before_unix_ms.is_some_and(|from| unix_ms < from) {
            Some(API_KEY_NOT_YET_VALID)
        } else if self.expires_unix_ms.is_some_and(|expires| unix_ms >= expires) {
            Some(EXPIRED_API_KEY)
        } else {
            None
        }
    }
}

/// Entries in the order of their hashes, so that a request looks at few.
#[derive(Debug)]
pub(crate) struct Table(Vec<Entry>);

impl Table {
    pub(crate) fn new(mut entries: Vec<Entry>) -> Self {
        entries.sort_unstable_by_key(|entry| entry.hash);
        Self(entries)
    }

    /// How long the search takes says something about the hash, and nothing
    /// about the key: nobody without the pepper can choose a hash.
    pub(crate) fn get(&self, hash: &[u8]) -> Option<&Entry> {
        let found = self.0.binary_search_by(|entry| entry.hash.as_slice().cmp(hash));
        found.ok().and_then(|index| self.0.get(index))
    }
}
