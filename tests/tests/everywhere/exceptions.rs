//! What ways in cannot carry, and why that lets nothing through.

use crate::ways::{Seen, Way};
use std::borrow::Cow;

/// What a way in did instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Allow,
    Deny(Cow<'static, str>),
    /// The proxy answered by itself.
    Refused(u16),
}

impl Outcome {
    pub(crate) fn of(seen: &Seen) -> Self {
        match seen {
            Seen::Allow { .. } => Self::Allow,
            Seen::Deny(reason) => Self::Deny(Cow::Owned(reason.clone())),
            Seen::Refused(status) => Self::Refused(*status),
        }
    }
}

/// Cases that some ways in answer otherwise.
pub(crate) struct Exception {
    pub(crate) ways: &'static [Way],
    /// How the names of the cases begin.
    pub(crate) cases: &'static str,
    pub(crate) instead: Outcome,
    pub(crate) why: &'static str,
}

impl Exception {
    pub(crate) fn is_about(&self, way: Way, case: &str, seen: &Outcome) -> bool {
        debug_assert!(!self.why.is_empty());
        self.ways.contains(&way) && case.starts_with(self.cases) && self.instead == *seen
    }
}

/// All of them.
pub(crate) const EXCEPTIONS: &[Exception] = &[
    Exception {
        ways: &[Way::Nginx, Way::Caddy],
        cases: "webhook",
        instead: Outcome::Deny(Cow::Borrowed("no-route")),
        why: "they hand over no body, and a configuration with such a route is refused for them: it has none",
    },
    Exception {
        ways: &[Way::Envoy],
        cases: "webhook signed, 70000 bytes",
        instead: Outcome::Refused(413),
        why: "Envoy hands over at most the 64 KiB that it was told, and refuses more by itself",
    },
    Exception {
        ways: &[Way::Eval],
        cases: "webhook replayed",
        instead: Outcome::Allow,
        why: "each evaluation has a store of its own: for it nothing was before",
    },
    Exception {
        ways: &[Way::Eval],
        cases: "quota, second",
        instead: Outcome::Allow,
        why: "each evaluation has a store of its own: for it nothing was before",
    },
];
