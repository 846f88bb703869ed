//! Words of an inner service about an outcome.

use barmkin_host::Settlement;
use std::sync::{Arc, Mutex, PoisonError};

/// Among the extensions of a response of an inner service which could not do what
/// it was asked: nothing was forwarded, or the upstream failed. Whatever its
/// status, the delivery may come again.
#[derive(Clone, Copy, Debug)]
pub struct CameToNothing;

/// Among the extensions of a request that counts for as long as it lasts (a quota
/// of concurrency). An inner service that changes the protocol (101) keeps a clone
/// until the tunnel ends.
#[derive(Clone, Debug, Default)]
pub struct Lasting(Arc<Mutex<Option<Settlement>>>);

impl Lasting {
    /// Settles `settlement` when the last clone is gone.
    pub(crate) fn hold(&self, settlement: Settlement) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(settlement);
    }
}
