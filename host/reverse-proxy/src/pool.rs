//! Connections to one upstream, and which of its addresses are avoided.

use crate::Outgoing;
use crate::connection::{Again, Connection, Multiplexed, Origin, Sent, StreamPlace, Target, is_too_large_for_two};
use crate::dial::Dialer;
use crate::failure::Failure;
use crate::upstream::{Address, Http, Tls, Upstream};
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long a connection to the upstream is kept for the next request: less
/// than the five seconds after which common servers close it, since a request
/// that meets the closing is lost.
const IDLE: Duration = Duration::from_secs(4);

/// How long an address that takes no connection is tried after the others, and a
/// connection to another is used instead.
const AVOIDED_FOR: Duration = Duration::from_secs(10);

/// Connections that were kept, and turn out to be gone, before another is made.
const GONE_MAX: usize = 4;

/// Connections to one upstream.
pub(crate) struct Pool {
    name: Box<str>,
    pub(crate) upstream: Upstream,
    dialer: Dialer,
    connect_within: Duration,
    kept: Mutex<Kept>,
    /// Until when each address is avoided.
    avoided: Mutex<Vec<Option<Instant>>>,
    /// Whether its last connection spoke HTTP/2.
    is_two: AtomicBool,
    /// Those who wait for a connection of HTTP/2 have one made for all of them.
    turn: tokio::sync::Mutex<()>,
    dialed: Mutex<(u64, Option<Failure>)>,
}

#[derive(Default)]
struct Kept {
    idle: Vec<Idle>,
    shared: Vec<Arc<Multiplexed>>,
    is_swept: bool,
}

struct Idle {
    sender: http1::SendRequest<Outgoing>,
    origin: Origin,
    since: Instant,
}

/// An answer that has begun, and the room that it needs.
pub(crate) struct Begun {
    pub(crate) response: Response<Incoming>,
    pub(crate) place: Option<StreamPlace>,
}

impl Pool {
    /// Connections to `upstream`, each within `connect`.
    pub(crate) fn new(upstream: Upstream, connect: Duration) -> Arc<Self> {
        Arc::new(Self {
            name: upstream.name().into(),
            dialer: Dialer::new(connect),
            connect_within: connect,
            kept: Mutex::default(),
            avoided: Mutex::new(vec![None; upstream.addresses.len()]),
            is_two: AtomicBool::new(upstream.http == Http::Two),
            turn: tokio::sync::Mutex::default(),
            dialed: Mutex::default(),
            upstream,
        })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn tls(&self) -> Option<&Tls> {
        self.upstream.tls.as_ref()
    }

    /// Sends `request` to the first address that takes it. It goes to another only
    /// if nothing of it was taken.
    pub(crate) async fn send(
        self: &Arc<Self>,
        mut request: Request<Outgoing>,
        target: &Target,
    ) -> Result<Begun, Failure> {
        let (mut gone, mut refused) = (0, 0);
        loop {
            let kept = if gone < GONE_MAX { self.take(target.upgrades) } else { None };
            let was_kept = kept.is_some();
            let connection = match kept {
                Some(connection) => connection,
                None => self.connect(target.upgrades).await?,
            };
            if matches!(connection, Connection::Two(_)) && is_too_large_for_two(&request, target) {
                return Err(Failure::FieldsTooLarge);
            }
            let address = connection.origin().address;
            match connection.send(request, target).await {
                Ok(Sent::Answered(response, again)) => return Ok(self.begun(response, again)),
                Ok(Sent::NotTaken(back)) => request = *back,
                Err(error) => return Err(Failure::of(&error)),
            }
            if was_kept {
                gone += 1;
                continue;
            }
            self.avoid(address, &io::Error::new(io::ErrorKind::ConnectionAborted, "it took no request"));
            refused += 1;
            if refused >= self.upstream.addresses.len() {
                return Err(Failure::Unreachable);
            }
        }
    }

    fn begun(self: &Arc<Self>, response: Response<Incoming>, again: Again) -> Begun {
        match again {
            Again::Two(place) => Begun { response, place: Some(place) },
            Again::One(mut sender, origin) => {
                if response.status() != StatusCode::SWITCHING_PROTOCOLS {
                    let this = self.clone();
                    tokio::spawn(async move {
                        if sender.ready().await.is_ok() {
                            this.keep(Idle { sender, origin, since: Instant::now() });
                        }
                    });
                }
                Begun { response, place: None }
            }
        }
    }

    /// A connection that was kept, and on which there is room.
    fn take(&self, one_only: bool) -> Option<Connection> {
        let changes = self.changes();
        let mut kept = self.kept();
        if !one_only {
            kept.shared.retain(|shared| !shared.is_closed() && is_usable(shared.origin, changes));
            if let Some(place) = kept.shared.iter().find_map(StreamPlace::take) {
                return Some(Connection::Two(place));
            }
        }
        while let Some(Idle { sender, origin, since }) = kept.idle.pop() {
            if sender.is_ready() && is_usable(origin, changes) && since.elapsed() < IDLE {
                return Some(Connection::One(sender, origin));
            }
        }
        None
    }

    /// A connection that is new, or that another request has just had made.
    async fn connect(self: &Arc<Self>, one_only: bool) -> Result<Connection, Failure> {
        if one_only || !self.is_two.load(Ordering::Relaxed) {
            return self.dial(one_only).await;
        }
        let before = self.dialed().0;
        let _turn = self.turn.lock().await;
        if let Some(connection) = self.take(false) {
            return Ok(connection);
        }
        if let (count, Some(failure)) = *self.dialed()
            && count != before
        {
            return Err(failure);
        }
        let dialed = self.dial(false).await;
        let mut told = self.dialed();
        *told = (told.0 + 1, dialed.as_ref().err().copied());
        drop(told);
        dialed
    }

    /// Tries each address once, those that are avoided last.
    async fn dial(self: &Arc<Self>, one_only: bool) -> Result<Connection, Failure> {
        let mut failure = Failure::Unreachable;
        for index in self.order() {
            let Some(address) = self.upstream.addresses.get(index) else { continue };
            let begun = tokio::time::timeout(self.connect_within, self.begin(index, address, one_only)).await;
            match begun.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
                Ok(connection) => {
                    self.reached(index);
                    if let Connection::Two(place) = &connection {
                        self.kept().shared.push(place.0.clone());
                        self.sweep();
                    }
                    if !one_only {
                        self.is_two.store(matches!(connection, Connection::Two(_)), Ordering::Relaxed);
                    }
                    return Ok(connection);
                }
                Err(error) => {
                    failure = Failure::of_dialing(&error);
                    self.avoid(index, &error);
                }
            }
        }
        Err(failure)
    }

    async fn begin(&self, index: usize, address: &Address, one_only: bool) -> io::Result<Connection> {
        let dialed = self.dialer.dial(&self.upstream, address, one_only).await?;
        let until = (index > 0).then(|| Instant::now() + AVOIDED_FOR);
        let origin = Origin { address: index, changes: dialed.changes, until };
        Connection::begin(dialed, origin).await
    }

    /// The addresses as they are to be tried.
    fn order(&self) -> Vec<usize> {
        let (now, avoided) = (Instant::now(), self.avoided());
        let mut order: Vec<_> = (0..avoided.len()).collect();
        order.sort_by_key(|index| avoided.get(*index).copied().flatten().filter(|until| *until > now));
        order
    }

    fn avoid(&self, index: usize, error: &io::Error) {
        let now = Instant::now();
        let mut avoided = self.avoided();
        let Some(until) = avoided.get_mut(index) else { return };
        let is_news = until.is_none_or(|until| until <= now);
        *until = Some(now + AVOIDED_FOR);
        drop(avoided);
        if let Some(address) = self.upstream.addresses.get(index).filter(|_| is_news) {
            tracing::warn!(upstream = %self.name, %address, error = %causes(error), "an upstream takes no requests");
        }
    }

    fn reached(&self, index: usize) {
        let had_failed = self.avoided().get_mut(index).and_then(Option::take).is_some();
        if let Some(address) = self.upstream.addresses.get(index).filter(|_| had_failed) {
            tracing::info!(upstream = %self.name, %address, "an upstream takes requests again");
        }
    }

    fn keep(self: &Arc<Self>, idle: Idle) {
        if !is_usable(idle.origin, self.changes()) {
            return;
        }
        self.kept().idle.push(idle);
        self.sweep();
    }

    /// Closes what rests for too long, for as long as there is something.
    fn sweep(self: &Arc<Self>) {
        if std::mem::replace(&mut self.kept().is_swept, true) {
            return;
        }
        let this = Arc::downgrade(self);
        tokio::spawn(async move {
            loop {
                sleep(IDLE / 2).await;
                if this.upgrade().is_none_or(|pool| pool.close_resting()) {
                    return;
                }
            }
        });
    }

    /// Says whether nothing is left.
    fn close_resting(&self) -> bool {
        let changes = self.changes();
        let mut kept = self.kept();
        kept.idle.retain(|idle| idle.since.elapsed() < IDLE && !idle.sender.is_closed());
        kept.shared.retain(|shared| shared.rested() < IDLE && !shared.is_closed() && is_usable(shared.origin, changes));
        kept.is_swept = !(kept.idle.is_empty() && kept.shared.is_empty());
        !kept.is_swept
    }

    fn changes(&self) -> u64 {
        self.upstream.tls.as_ref().map_or(0, |tls| tls.files.changes())
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn avoided(&self) -> MutexGuard<'_, Vec<Option<Instant>>> {
        self.avoided.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn dialed(&self) -> MutexGuard<'_, (u64, Option<Failure>)> {
        self.dialed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_usable(origin: Origin, changes: u64) -> bool {
    origin.changes == changes && origin.until.is_none_or(|until| until > Instant::now())
}

/// An error, and what it came of.
fn causes(error: &io::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        let cause = error.to_string();
        if !text.ends_with(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
        source = error.source();
    }
    text
}
