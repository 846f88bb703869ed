//! What happened, for whoever counts it.

use crate::reason::Reason;
use std::time::Duration;

/// Told of every verdict and of every failure. Implementations must be quick:
/// they run on the request path.
pub trait Metrics: Send + Sync {
    /// A verdict: `reason` is `None` for an allow.
    fn verdict(&self, route: Option<&str>, policy: Option<&str>, reason: Option<&Reason>, took: Duration) {
        let _ = (route, policy, reason, took);
    }

    /// What a shadow policy decided, and whether the chain decided likewise.
    fn shadow(&self, policy: &str, reason: Option<&Reason>, agrees: bool) {
        let _ = (policy, reason, agrees);
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

/// Counts nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoMetrics;

impl Metrics for NoMetrics {}
