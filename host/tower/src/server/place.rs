//! A connection's place, and what it does with it.

use barmkin_shares::{Client, Holding, Shares};
use barmkin_tls::Watch;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// A connection's place: among the extensions of each request, for what
/// outlives the connection's requests.
#[derive(Clone, Debug)]
pub struct Place {
    slot: Arc<ConnectionSlot>,
    stopping: watch::Receiver<()>,
}

impl Place {
    pub(super) fn new(
        holding: Holding<Client>,
        client: Option<Client>,
        tunnels: Arc<Shares<Client>>,
        stopping: watch::Receiver<()>,
    ) -> Self {
        let now = Instant::now();
        let phase = Mutex::new((Phase::Header, now));
        let slot = ConnectionSlot {
            holding: Mutex::new(Arc::new(holding)),
            counts_for: Mutex::new(client),
            has_share: AtomicBool::new(client.is_some()),
            outlives: AtomicBool::new(false),
            phase,
            began: now,
            moved_ms: AtomicU64::new(0),
            tunnels,
        };
        Self { slot: Arc::new(slot), stopping }
    }

    /// The same, which keeps nothing: a request that goes on without its client has
    /// no place.
    pub fn downgrade(&self) -> WeakPlace {
        WeakPlace { slot: Arc::downgrade(&self.slot), stopping: self.stopping.clone() }
    }

    /// Waits until the server has stopped.
    pub async fn stopped(&mut self) {
        // Nothing is ever sent: it ends when the server drops its end.
        while self.stopping.changed().await.is_ok() {}
    }

    /// The request under way is `client`'s, by what a proxy says of it; a
    /// connection that has a share counts by its peer anyway.
    pub fn counts_for(&self, client: Option<IpAddr>) {
        if !self.slot.has_share.load(Ordering::Relaxed) {
            self.slot.belong(client.map(Client::from));
        }
    }

    /// Changes it for a place among those of tunnels and event streams, and
    /// says whether there was one. The connection ends with the request.
    #[must_use = "what has no place must not be begun"]
    pub fn outlive(&self) -> bool {
        let client = *self.slot.counts_for.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(holding) = self.slot.tunnels.take(client.map(|client| [client]), 1) else { return false };
        // It is in use from the first moment: not one that has asked nothing yet.
        holding.resume();
        self.slot.outlives.store(true, Ordering::Relaxed);
        *self.slot.holding.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(holding);
        true
    }

    /// For how long nothing has moved on the connection.
    pub fn quiet_for(&self) -> Duration {
        let moved = self.slot.began + Duration::from_millis(self.slot.moved_ms.load(Ordering::Relaxed));
        moved.elapsed()
    }

    /// Waits until others need the place: what has it must end.
    pub async fn evicted(&self) {
        std::future::poll_fn(|context| self.slot.poll_evicted(context)).await;
    }

    pub(super) fn slot(&self) -> &Arc<ConnectionSlot> {
        &self.slot
    }
}

/// A [`Place`] for as long as its connection has it.
#[derive(Clone, Debug)]
pub struct WeakPlace {
    slot: Weak<ConnectionSlot>,
    stopping: watch::Receiver<()>,
}

impl WeakPlace {
    /// The place, if its connection is still there.
    pub fn upgrade(&self) -> Option<Place> {
        Some(Place { slot: self.slot.upgrade()?, stopping: self.stopping.clone() })
    }
}

/// What a connection is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// A request's header has begun, or is to come as the first.
    Header,
    /// A request is under way.
    Request,
    /// Between two requests.
    Rest,
}

/// What a connection holds, and what its sides know of each other.
#[derive(Debug)]
pub(super) struct ConnectionSlot {
    holding: Mutex<Arc<Holding<Client>>>,
    counts_for: Mutex<Option<Client>>,
    /// Whether its peer counts for itself.
    has_share: AtomicBool,
    outlives: AtomicBool,
    phase: Mutex<(Phase, Instant)>,
    began: Instant,
    /// When something moved last, since it began.
    moved_ms: AtomicU64,
    tunnels: Arc<Shares<Client>>,
}

impl ConnectionSlot {
    pub(super) fn poll_evicted(&self, context: &mut Context<'_>) -> Poll<()> {
        self.holding().poll_evicted(context)
    }

    /// What it is at, and since when.
    pub(super) fn phase(&self) -> (Phase, Instant) {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where it comes from is known, by what a balancer says: what has a share
    /// of its own from here on.
    pub(super) fn comes_from(&self, client: Client) {
        self.has_share.store(true, Ordering::Relaxed);
        self.belong(Some(client));
    }

    /// The time for the first header begins.
    pub(super) fn begin(&self) {
        self.enter(Phase::Header);
    }

    /// Says whether it came before the answer to the one before it was there.
    pub(super) fn begin_request(&self) -> bool {
        let (before, _) = self.phase();
        self.enter(Phase::Request);
        self.holding().resume();
        // What comes while it rests begins a header.
        before == Phase::Rest
    }

    pub(super) fn end_request(&self) {
        self.enter(Phase::Rest);
        self.holding().rest();
        if !self.has_share.load(Ordering::Relaxed) {
            self.belong(None);
        }
    }

    /// Whether it ends with its request.
    pub(super) fn outlives(&self) -> bool {
        self.outlives.load(Ordering::Relaxed)
    }

    fn enter(&self, phase: Phase) {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner) = (phase, Instant::now());
    }

    fn belong(&self, client: Option<Client>) {
        *self.counts_for.lock().unwrap_or_else(PoisonError::into_inner) = client;
        self.holding().belong(client.map(|client| [client]));
    }

    fn holding(&self) -> Arc<Holding<Client>> {
        self.holding.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn moved(&self, bytes: usize) {
        let since = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.moved_ms.store(since, Ordering::Relaxed);
        self.holding().moved(bytes);
    }
}

impl Watch for ConnectionSlot {
    fn read(&self, bytes: usize) {
        if bytes == 0 {
            return;
        }
        let mut phase = self.phase.lock().unwrap_or_else(PoisonError::into_inner);
        if phase.0 == Phase::Rest {
            *phase = (Phase::Header, Instant::now());
            drop(phase);
            self.holding().resume();
        } else {
            drop(phase);
        }
        self.moved(bytes);
    }

    fn wrote(&self, bytes: usize) {
        self.moved(bytes);
    }
}
