//! A connection's place, and what it does with it.

use barmkin_shares::{Client, Holding, Shares};
use barmkin_tls::Watch;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

/// For those that give way to be gone, where many arrive at once. They need a
/// turn of their threads each.
pub(super) const PLACE_WITHIN: Duration = Duration::from_millis(100);

/// Requests of a connection of HTTP/2 that were given up, past those that were
/// answered: past them it is cut off. Each costs a verdict, and costs its client a
/// few bytes.
const GIVEN_UP_MAX: usize = 100;

/// A connection's place: among the extensions of each request, for what
/// outlives the connection's requests.
#[derive(Clone, Debug)]
pub struct Place {
    slot: Arc<ConnectionSlot>,
    stopping: watch::Receiver<()>,
}

/// The shares that places are taken from.
#[derive(Clone, Debug)]
pub(super) struct Shared {
    pub(super) places: Arc<Shares<Client>>,
    pub(super) tunnels: Arc<Shares<Client>>,
}

impl Place {
    pub(super) fn new(
        holding: Holding<Client>,
        client: Option<Client>,
        shared: Shared,
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
            shared,
            streams: Mutex::default(),
            is_stream: false,
        };
        Self { slot: Arc::new(slot), stopping }
    }

    /// A place for a request of HTTP/2 on this connection, if there is one.
    pub(super) async fn of_stream(&self) -> Option<Self> {
        let slot = &self.slot;
        let has_share = slot.has_share.load(Ordering::Relaxed);
        let client = slot.client().filter(|_| has_share);
        let keys = client.map(|client| [client]);
        let holding = timeout(PLACE_WITHIN, slot.shared.places.take_in_turn(keys, 1)).await.ok()??;
        holding.resume();
        let now = Instant::now();
        let slot = ConnectionSlot {
            holding: Mutex::new(Arc::new(holding)),
            counts_for: Mutex::new(client),
            has_share: AtomicBool::new(has_share),
            outlives: AtomicBool::new(false),
            phase: Mutex::new((Phase::Request, now)),
            began: now,
            moved_ms: AtomicU64::new(0),
            shared: slot.shared.clone(),
            streams: Mutex::default(),
            is_stream: true,
        };
        Some(Self { slot: Arc::new(slot), stopping: self.stopping.clone() })
    }

    /// Bytes of a request's body were read. On a connection that is one request's
    /// at a time they are counted already.
    pub fn moved(&self, bytes: usize) {
        if self.slot.is_stream {
            self.slot.moved(bytes);
        }
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
    /// says whether there was one. A connection of HTTP/1.1 ends with the request.
    #[must_use = "what has no place must not be begun"]
    pub fn outlive(&self) -> bool {
        let client = self.slot.client();
        let Some(holding) = self.slot.shared.tunnels.take(client.map(|client| [client]), 1) else { return false };
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

/// The phase of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// A request's header has begun, or is to come as the first.
    Header,
    /// A request is under way.
    Request,
    /// Between two requests.
    Rest,
}

/// The holding of a connection, and what its sides know of each other.
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
    shared: Shared,
    streams: Mutex<Streams>,
    /// Whether it is one request's on a connection of HTTP/2.
    is_stream: bool,
}

/// Requests of a connection of HTTP/2.
#[derive(Debug, Default)]
struct Streams {
    /// Whether there have been any.
    any: bool,
    under_way: usize,
    /// How many the client gave up, less those that were answered whole.
    given_up: usize,
}

impl ConnectionSlot {
    pub(super) fn poll_evicted(&self, context: &mut Context<'_>) -> Poll<()> {
        self.holding().poll_evicted(context)
    }

    /// Its phase, and since when.
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

    /// A request of HTTP/2 begins.
    pub(super) fn begin_stream(&self) {
        let is_first = {
            let mut streams = self.streams();
            streams.any = true;
            streams.under_way += 1;
            streams.under_way == 1
        };
        if is_first {
            self.enter(Phase::Request);
            self.holding().resume();
        }
    }

    /// It has ended: answered whole, or not.
    pub(super) fn end_stream(&self, is_whole: bool) {
        let is_last = {
            let mut streams = self.streams();
            streams.under_way -= 1;
            streams.given_up = if is_whole { streams.given_up.saturating_sub(1) } else { streams.given_up + 1 };
            streams.under_way == 0
        };
        if is_last {
            self.enter(Phase::Rest);
            self.holding().rest();
        }
    }

    /// Whether more of its requests were given up than a client does that means to
    /// read answers.
    pub(super) fn is_resetting(&self) -> bool {
        self.streams().given_up > GIVEN_UP_MAX
    }

    /// Whether it ends with its request.
    pub(super) fn outlives(&self) -> bool {
        self.outlives.load(Ordering::Relaxed)
    }

    fn client(&self) -> Option<Client> {
        *self.counts_for.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn streams(&self) -> MutexGuard<'_, Streams> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// Something of it moves.
    pub(super) fn moved(&self, bytes: usize) {
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
        // Of HTTP/2 it may be a ping.
        let may_begin = !self.streams().any;
        let mut phase = self.phase.lock().unwrap_or_else(PoisonError::into_inner);
        if may_begin && phase.0 == Phase::Rest {
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
