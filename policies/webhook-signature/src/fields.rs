//! The headers of a request that a scheme reads, under whichever of their names
//! they came.

use barmkin_guest::prelude::*;

use crate::reason::{CONFLICTING_HEADERS, MISSING_SIGNATURE, Reason};
use crate::scheme::{HeaderSet, Scheme};

/// The values of the headers that one set of names stands for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields<'a> {
    pub(crate) signatures: Option<&'a str>,
    pub(crate) timestamp: Option<&'a str>,
    pub(crate) id: Option<&'a str>,
}

impl<'a> Fields<'a> {
    /// The values under the first set of names that the request has as a whole.
    /// If it has none, those under the first of which it has the signatures:
    /// they tell what is missing.
    ///
    /// Sets are not mixed: svix's libraries fall back from `svix-*` to
    /// `webhook-*` as a whole
    /// (<https://github.com/svix/svix-webhooks/blob/main/javascript/src/webhook.ts>).
    ///
    /// # Errors
    /// Where a header came under two names with different values: one could be
    /// verified, and the other read by the upstream.
    pub(crate) fn read(scheme: &Scheme, headers: NamedHeaders<'a>) -> Result<Self, Reason> {
        let sets = Self::of_each_set(scheme, headers);
        let roles = [|set: &Self| set.signatures, |set: &Self| set.timestamp, |set: &Self| set.id];
        if roles.into_iter().any(|value| differ(sets.iter().filter_map(value))) {
            return Err(Reason::Unacceptable(CONFLICTING_HEADERS));
        }
        let sets = || sets.iter().map(Self::without_empty);
        let whole = |set: &Self| {
            set.signatures.is_some()
                && set.timestamp.is_some() == scheme.timestamp_header().is_some()
                && set.id.is_some() == scheme.id_header.is_some()
        };
        let found = sets().find(whole).or_else(|| sets().find(|set| set.signatures.is_some()));
        found.ok_or(Reason::Missing(MISSING_SIGNATURE))
    }

    /// In the order in which the headers are declared.
    fn of_each_set(scheme: &Scheme, headers: NamedHeaders<'a>) -> Vec<Self> {
        let mut index = 0..;
        let mut next = || index.next().and_then(|index| headers.get(index));
        let of_set = |names: HeaderSet<'_>| Self {
            signatures: next(),
            timestamp: names.timestamp.and_then(|_| next()),
            id: names.id.and_then(|_| next()),
        };
        scheme.header_sets().map(of_set).collect()
    }

    fn without_empty(&self) -> Self {
        let present = |value: Option<&'a str>| value.filter(|value| !value.is_empty());
        Self { signatures: present(self.signatures), timestamp: present(self.timestamp), id: present(self.id) }
    }
}

/// Whether any of them is another than the first.
fn differ<'a>(mut values: impl Iterator<Item = &'a str>) -> bool {
    let first = values.next();
    values.any(|value| Some(value) != first)
}
