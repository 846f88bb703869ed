//! What happened, for whoever counts it.

use crate::reason::Reason;
use crate::request::RequestId;
use crate::verdict::{Digest, Step};
use std::time::Duration;

/// Told of every verdict and of every failure. Implementations must be quick:
/// they run on the request path.
pub trait Metrics: Send + Sync {
    /// A verdict: `reason` is `None` for an allow. On a route that observes, a
    /// deny is told here too, and by [`unenforced`](Self::unenforced) that it
    /// was not kept to.
    fn verdict(&self, route: Option<&str>, policy: Option<&str>, reason: Option<&Reason>, took: Duration) {
        let _ = (route, policy, reason, took);
    }

    /// What one policy of a chain decided.
    fn step(&self, step: &Step) {
        let _ = step;
    }

    /// Something was decided for the record only (law 3).
    fn unenforced(&self, unenforced: &Unenforced<'_>) {
        let _ = unenforced;
    }

    /// An effect could not be given back and stays used.
    fn undo_lost(&self) {}

    /// A policy was quarantined since it kept missing its deadline, or is no
    /// longer.
    fn quarantine(&self, policy: &str, is_quarantined: bool) {
        let _ = (policy, is_quarantined);
    }

    /// A line of a guest was dropped, since it logs too much.
    fn log_dropped(&self, policy: &str) {
        let _ = policy;
    }
}

/// What a shadow policy decided, or the chain of a route that observes, beside
/// what became of the request.
#[derive(Clone, Copy, Debug)]
pub struct Unenforced<'a> {
    /// The route.
    pub route: &'a str,
    /// The request.
    pub request: &'a RequestId,
    /// The generation that decided.
    pub generation: Digest,
    /// The shadow policy; `None` for the chain of a route that observes.
    pub policy: Option<&'a str>,
    /// Why it would have denied; `None` if it would not have.
    pub would: Option<&'a Reason>,
    /// Why the request was denied; `None` if it was allowed.
    pub did: Option<&'a Reason>,
}

impl Unenforced<'_> {
    /// Whether enforcing it would have changed nothing.
    pub fn agrees(&self) -> bool {
        self.would.is_none() == self.did.is_none()
    }
}

/// Counts nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoMetrics;

impl Metrics for NoMetrics {}
