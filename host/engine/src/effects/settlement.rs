//! Effects that wait for the end of an allowed request.

use crate::effects::Ended;
use crate::effects::journal::Journal;
use http::StatusCode;

/// The effects of an allowed request that wait for its end, as far as its
/// adapter sees that (see [`Sees`](crate::Sees)).
///
/// Dropped without a report of the end, it frees deliveries where the adapter
/// would have seen it, because an event that is seen twice is better than one that
/// is lost, and keeps everything else. Units of a concurrency quota are given back either
/// way.
#[must_use = "report how the request ended"]
pub struct Settlement {
    journal: Option<Box<Journal>>,
    /// The end that is assumed when none is reported.
    unseen: Ended,
}

impl Default for Settlement {
    fn default() -> Self {
        Self { journal: None, unseen: Ended::LetIn }
    }
}

impl Settlement {
    pub(super) fn of(journal: Journal, unseen: Ended) -> Self {
        Self { journal: (!journal.is_empty()).then(|| Box::new(journal)), unseen }
    }

    /// Whether anything waits.
    pub fn is_pending(&self) -> bool {
        self.journal.is_some()
    }

    /// Whether a delivery, or another claim, waits.
    pub fn has_claims(&self) -> bool {
        self.journal.as_ref().is_some_and(|journal| journal.holds_claims())
    }

    /// Renews the leases of what it holds, every
    /// [`LEASE_RENEWED_EVERY`](crate::limits::LEASE_RENEWED_EVERY) while the
    /// request is under way. Nobody waits for that.
    pub fn renew(&self) {
        if let Some(journal) = &self.journal {
            journal.renew();
        }
    }

    /// The upstream answered with `status`, and its answer was whole. Deliveries
    /// are used by 2xx, and by the other statuses of their nonce space; quotas that
    /// count successes count statuses below 400.
    ///
    /// Settling begins at once, and goes on even if the future is dropped.
    pub fn answered(self, status: StatusCode) -> impl Future<Output = ()> + Send + use<> {
        self.end(Ended::Answered(status))
    }

    /// Nothing was forwarded, or the upstream failed, or its answer broke off:
    /// deliveries are free again, and units that count successes are given back.
    pub fn failed(self) -> impl Future<Output = ()> + Send + use<> {
        self.end(Ended::Failed)
    }

    /// The verdict was sent to the proxy that acts on it, and no more will be seen:
    /// deliveries are used.
    pub fn sent(self) -> impl Future<Output = ()> + Send + use<> {
        self.end(Ended::LetIn)
    }

    /// The part that lasts as long as the exchange, whatever the fate of the rest:
    /// units of concurrency, for an exchange that outlives the response, such as a
    /// tunnel.
    pub fn split_lasting(&mut self) -> Self {
        match &mut self.journal {
            None => Self::default(),
            Some(journal) => Self::of(journal.split_ending_with_request(), self.unseen),
        }
    }

    fn end(mut self, ended: Ended) -> impl Future<Output = ()> + Send + use<> {
        let rest = self.journal.take().and_then(|journal| journal.end(ended));
        async move {
            if let Some(rest) = rest {
                rest.await;
            }
        }
    }
}

impl Drop for Settlement {
    fn drop(&mut self) {
        if let Some(journal) = self.journal.take() {
            drop(journal.end(self.unseen));
        }
    }
}

impl std::fmt::Debug for Settlement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settlement").field("pending", &self.is_pending()).finish()
    }
}
