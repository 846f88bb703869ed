//! Reports of what happened, for metrics.

use crate::reason::Reason;
use crate::request::RequestId;
use crate::verdict::{Digest, Step};
use std::time::Duration;

/// Told of every verdict and of every failure. Implementations must be quick:
/// they run on the request path.
pub trait Metrics: Send + Sync {
    /// A verdict: `reason` is `None` for an allow. An observing route allows
    /// everything; [`unenforced`](Self::unenforced) reports what it would have
    /// denied.
    fn verdict(&self, route: Option<&str>, policy: Option<&str>, reason: Option<&Reason>, took: Duration) {
        let _ = (route, policy, reason, took);
    }

    /// The decision of one policy of a chain.
    fn step(&self, step: &Step) {
        let _ = step;
    }

    /// Something was decided for the record only.
    fn unenforced(&self, unenforced: &Unenforced<'_>) {
        let _ = unenforced;
    }

    /// A shadow was not asked: `policy` is its name.
    fn untried(&self, policy: &str, why: Untried) {
        let _ = (policy, why);
    }

    /// The outcome of a delivery that was claimed in the nonce space `space`.
    fn delivery(&self, space: &str, outcome: DeliveryOutcome) {
        let _ = (space, outcome);
    }

    /// An effect could not be given back and stays used.
    fn undo_lost(&self) {}

    /// A policy was quarantined because it kept missing its deadline, or is no
    /// longer quarantined.
    fn quarantine(&self, policy: &str, is_quarantined: bool) {
        let _ = (policy, is_quarantined);
    }

    /// A line of a guest was dropped because it logs too much.
    fn log_dropped(&self, policy: &str) {
        let _ = policy;
    }
}

/// The verdict that a shadow, or the chain of an observing route, would have
/// given, beside the outcome of the request.
///
/// For a shadow that is the verdict if it had been enforced in its place in the
/// chain: its own deny, or an allow where only the shadow vouched, and otherwise
/// the decision of the chain.
#[derive(Clone, Copy, Debug)]
pub struct Unenforced<'a> {
    /// The route.
    pub route: &'a str,
    /// The request.
    pub request: &'a RequestId,
    /// The generation that decided.
    pub generation: Digest,
    /// The shadow policy; `None` for the chain of an observing route.
    pub policy: Option<&'a str>,
    /// Why the verdict would have been deny; `None` if it would have been allow.
    pub would: Option<&'a Reason>,
    /// Why the request was denied; `None` if it was allowed.
    pub did: Option<&'a Reason>,
}

/// The outcome of a claimed delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeliveryOutcome {
    /// It is used: the upstream took it, or where that is not seen, it was let in.
    Used,
    /// It is free again: it was not let in.
    Refused,
    /// It is free again: the upstream failed, or was not reached.
    Failed,
    /// It is free again: its end should have been seen, and was not.
    Unknown,
    /// It was used before.
    Duplicate,
    /// Another request has it under way.
    InProgress,
}

impl DeliveryOutcome {
    /// Its name, for metrics and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Used => "used",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
            Self::Duplicate => "duplicate",
            Self::InProgress => "in-progress",
        }
    }
}

/// Why a shadow was not asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Untried {
    /// It reads the body, which the chain did not need, or more of it than the
    /// shadow takes. No body is read for a trial.
    NoBody,
    /// There were too many trials to be made, or they held too much.
    NoRoom,
}

impl Untried {
    /// Its name, for metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoBody => "no-body",
            Self::NoRoom => "no-room",
        }
    }
}

impl Unenforced<'_> {
    /// Whether enforcing it would have left the verdict as it was: allow, or
    /// deny for whatever reason.
    pub fn agrees(&self) -> bool {
        self.would.is_none() == self.did.is_none()
    }
}

/// Counts nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoMetrics;

impl Metrics for NoMetrics {}
