//! Requests that some ways in cannot carry, and why that lets nothing through.

use crate::ways::{Seen, Way};
use std::borrow::Cow;

/// The outcome there instead.
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
    pub(crate) cases: &'static [&'static str],
    pub(crate) instead: Outcome,
    pub(crate) why: &'static str,
}

/// The exception for `case`, and the beginning that names it.
pub(crate) fn find(way: Way, case: &str, seen: &Outcome) -> Option<(usize, &'static str)> {
    EXCEPTIONS.iter().enumerate().find_map(|(index, exception)| {
        let begins = exception.cases.iter().find(|begin| case.starts_with(**begin))?;
        (exception.ways.contains(&way) && exception.instead == *seen).then_some((index, *begins))
    })
}

/// All of them.
pub(crate) const EXCEPTIONS: &[Exception] = &[
    Exception {
        ways: &[Way::Nginx, Way::Caddy],
        cases: &["webhook"],
        instead: deny("no-route"),
        why: "they hand over no body, and a configuration with such a route is refused for them: it has none",
    },
    Exception {
        ways: &[Way::Envoy],
        cases: &["webhook signed, 70000 bytes"],
        instead: Outcome::Refused(413),
        why: "Envoy hands over at most the 64 KiB that it was told to, and refuses more by itself",
    },
    Exception {
        ways: &[Way::Envoy, Way::Nginx, Way::Caddy],
        cases: &["host missing"],
        instead: Outcome::Refused(400),
        why: "RFC 9112, section 3.2, has a server refuse it, and they do",
    },
    Exception {
        ways: &[Way::Nginx, Way::Caddy],
        cases: &["host twice"],
        instead: Outcome::Refused(400),
        why: "the same section has a server refuse it; where Envoy joins the two, the gate does",
    },
    Exception {
        ways: &[Way::Caddy],
        cases: &["host with a user"],
        instead: Outcome::Refused(400),
        why: "Go's server takes it for no host",
    },
    Exception {
        ways: &[Way::Nginx, Way::Caddy],
        cases: &["path percent sign alone"],
        instead: Outcome::Refused(400),
        why: "they decode paths, and `%zz` is not encoded",
    },
    Exception {
        ways: &[Way::Nginx],
        cases: &["path extension behind a zero byte", "path dots above the root", "path slash, encoded, behind dots"],
        instead: Outcome::Refused(400),
        why: "nginx decodes paths: it takes no `%00`, and no `..` above the root",
    },
    Exception {
        ways: &[Way::Nginx],
        cases: &["role TRACE"],
        instead: Outcome::Refused(405),
        why: "nginx answers no TRACE",
    },
    Exception {
        ways: &[Way::Envoy],
        cases: &["path byte above ASCII"],
        instead: Outcome::Refused(400),
        why: "Envoy takes no target with bytes above ASCII",
    },
    Exception {
        ways: &[Way::Caddy],
        cases: &["path byte above ASCII"],
        instead: deny("ambiguous-path"),
        why: "Caddy encodes bytes above ASCII: the gate sees a well-formed target, and refuses what it means",
    },
    Exception {
        ways: &[Way::Caddy],
        cases: &["forged principal with an underscore"],
        instead: deny("forged-field"),
        why: "Caddy can replace the field under its own name only: the endpoint refuses other spellings",
    },
    Exception {
        ways: &[Way::Eval],
        cases: &["webhook replayed", "quota, second"],
        instead: Outcome::Allow,
        why: "each evaluation has a store of its own: for it nothing was before",
    },
];

const fn deny(reason: &'static str) -> Outcome {
    Outcome::Deny(Cow::Borrowed(reason))
}
