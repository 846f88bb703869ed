//! Reports of a verdict: to metrics, and to the operator's log.

use crate::clock::monotonic;
use crate::generation::Generation;
use crate::policy::{Established, LogRate};
use crate::request::Request;
use crate::routes::BuiltRoute;
use crate::verdict::Denial;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Instant;

/// Lines are bounded, so that they do not drown everything else; those on
/// requests that are let in take no place from the others.
#[derive(Debug, Default)]
pub(super) struct Lines {
    denied: LogRate,
    allowed: LogRate,
}

impl Generation {
    pub(crate) fn admits_log_line(&self) -> bool {
        self.lines.denied.admit(monotonic().saturating_duration_since(self.built))
    }

    /// Reports to metrics and to the operator's log a deny that an observing
    /// route did not enforce.
    pub(crate) fn count_observed(&self, denial: &Denial, began: Instant) {
        if self.lines.denied.admit(began.saturating_duration_since(self.built)) {
            tracing::info!(
                target: "barmkin::observed",
                request = %denial.request_id,
                route = denial.route(),
                policy = denial.policy(),
                reason = denial.reason.as_str(),
                status = denial.status.as_u16(),
                detail = denial.detail,
                "would have been denied"
            );
        }
        self.metrics.unenforced(&denial.unenforced());
    }

    /// Reports a verdict to metrics, and a deny to the operator's log.
    pub(crate) fn count(&self, route: Option<&str>, denial: Option<&Denial>, began: Instant) {
        let policy = denial.and_then(Denial::policy);
        if let Some(denial) = denial
            && self.lines.denied.admit(began.saturating_duration_since(self.built))
        {
            tracing::info!(
                target: "barmkin::denied",
                request = %denial.request_id,
                route,
                policy,
                reason = denial.reason.as_str(),
                status = denial.status.as_u16(),
                detail = denial.detail,
                "denied"
            );
        }
        self.metrics.verdict(route, policy, denial.map(Denial::reason), began.elapsed());
    }

    /// Logs an allowed request with its sender, if the route logs such requests and
    /// this one is picked.
    pub(crate) fn note_allowed(
        &self,
        route: &BuiltRoute,
        request: &Request,
        established: &Established,
        began: Instant,
    ) {
        let Some(one_of) = route.log_allowed else { return };
        // Serials begin at random in each process: nobody can tell which are
        // picked.
        let mut hasher = DefaultHasher::new();
        request.serial.hash(&mut hasher);
        let is_picked = hasher.finish().is_multiple_of(u64::from(one_of.get()));
        if !is_picked || !self.lines.allowed.admit(began.saturating_duration_since(self.built)) {
            return;
        }
        let principal = established.principal.as_deref();
        let signed_by = established.facts.as_deref().and_then(|facts| facts.key_id.as_deref());
        tracing::info!(
            target: "barmkin::allowed",
            request = %request.id,
            route = &*route.name,
            client = request.head.client.address.map(tracing::field::display),
            principal = principal.map(|principal| principal.id.as_str()),
            tenant = principal.and_then(|principal| principal.tenant.as_deref()),
            by = principal.map(|principal| principal.method.as_str()),
            key = signed_by.or_else(|| principal.and_then(|principal| principal.attribute("key-id"))),
            "allowed"
        );
    }
}
