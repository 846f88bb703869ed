//! A small HTTP/1.1 server for ways in that listen by themselves.

mod turn_away;

pub use turn_away::{TURNED_AWAY_MAX, TURNED_AWAY_WITHIN};

use crate::secured::Secured;
use barmkin_host::limits::{HEADERS_BYTES_MAX, HEADERS_MAX, TARGET_BYTES_MAX};
use barmkin_tls::{ServerTls, Socket, Stream};
use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tower::util::Oneshot;
use tower::{Service, ServiceExt};
use turn_away::turn_away;

/// After an accept that failed, mostly for want of file descriptors: long
/// enough for some to be closed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What bounds a server.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Connections at once, tunnels included. The one request of a further
    /// connection is to be refused: see [`TurnedAway`](crate::TurnedAway).
    pub connections_max: usize,
    /// From the first wait for a request to the end of its header.
    pub header_read: Duration,
    /// For requests that are under way when the server is told to stop.
    pub drain: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { connections_max: 4_096, header_read: Duration::from_secs(15), drain: Duration::from_secs(10) }
    }
}

/// A connection's place among the [`connections_max`](Bounds::connections_max):
/// among the extensions of each request, for what outlives the connection's
/// requests.
#[derive(Clone, Debug)]
pub struct Place {
    _permit: Arc<OwnedSemaphorePermit>,
    stopping: watch::Receiver<()>,
}

impl Place {
    /// Waits until the server has stopped.
    pub async fn stopped(&mut self) {
        // Nothing is ever sent: it ends when the server drops its end.
        while self.stopping.changed().await.is_ok() {}
    }
}

/// Serves `service` on `socket` until `shutdown`, then lets requests that are
/// under way end.
///
/// A request's extensions hold the peer's [`SocketAddr`], its [`Place`], or
/// [`TurnedAway`](crate::TurnedAway) where it has none, and [`Secured`] if it
/// came by TLS.
pub async fn serve<S, R>(socket: impl Into<Socket>, service: S, bounds: Bounds, shutdown: impl Future<Output = ()>)
where
    S: Service<Request<Incoming>, Response = Response<R>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    R: Body<Data = Bytes> + Send + 'static,
    R::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let Socket { listener, tls } = socket.into();
    let places = Arc::new(Semaphore::new(bounds.connections_max));
    let turns_away = Arc::new(Semaphore::new(TURNED_AWAY_MAX));
    let (drain, draining) = watch::channel(());
    let (_stop, stopping) = watch::channel(());
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    let mut keep_fresh = pin!(Socket::keep_fresh(tls.clone()));
    loop {
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            () = &mut keep_fresh => continue,
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
            accepted = accept(&listener) => accepted,
        };
        let Some((stream, peer)) = accepted else { continue };
        let (tls, service, mut draining) = (tls.clone(), service.clone(), draining.clone());
        if let Ok(permit) = places.clone().try_acquire_owned() {
            let place = Place { _permit: Arc::new(permit), stopping: stopping.clone() };
            connections.spawn(connection(stream, peer, tls, place, service, bounds, draining));
        } else if let Ok(permit) = turns_away.clone().try_acquire_owned() {
            connections.spawn(async move {
                tokio::select! {
                    () = turn_away(stream, peer, tls, service) => {}
                    _ = draining.changed() => {}
                }
                drop(permit);
            });
        }
    }
    drop((listener, drain));
    let all_end = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(bounds.drain, all_end).await.is_err() {
        tracing::warn!("requests did not end in time and were cut off");
    }
}

async fn accept(listener: &TcpListener) -> Option<(TcpStream, SocketAddr)> {
    match listener.accept().await {
        Ok(accepted) => Some(accepted),
        Err(error) => {
            tracing::warn!(%error, "a connection could not be accepted");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

async fn connection<S, R>(
    stream: TcpStream,
    peer: SocketAddr,
    tls: Option<Arc<ServerTls>>,
    place: Place,
    service: S,
    bounds: Bounds,
    mut draining: watch::Receiver<()>,
) where
    S: Service<Request<Incoming>, Response = Response<R>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    R: Body<Data = Bytes> + Send + 'static,
    R::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let begun = tokio::select! {
        begun = Socket::begin(tls.as_deref(), stream) => begun,
        _ = draining.changed() => return,
    };
    let stream = match begun {
        Ok(stream) => stream,
        Err(error) => return tracing::debug!(%peer, %error, "a client did not shake hands"),
    };
    let service = service_fn(telling(service, peer, &stream, place));
    let connection = http(bounds.header_read).serve_connection(TokioIo::new(stream), service).with_upgrades();
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        _ = draining.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "a connection ended early");
    }
}

fn http(header_read: Duration) -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(header_read)
        // One past the gate's limits, so that the gate names the reason.
        .max_headers(HEADERS_MAX + 1)
        .max_buf_size(2 * (HEADERS_BYTES_MAX + TARGET_BYTES_MAX));
    http
}

/// Has `service` answer each request, which it tells of `peer`, of how it came,
/// and of `place`.
fn telling<S, P>(
    service: S,
    peer: SocketAddr,
    stream: &Stream,
    place: P,
) -> impl Fn(Request<Incoming>) -> Oneshot<S, Request<Incoming>> + use<S, P>
where
    S: Service<Request<Incoming>> + Clone,
    P: Clone + Send + Sync + 'static,
{
    let secured = stream.is_tls().then(|| Secured { client: stream.client_name() });
    move |mut request| {
        let extensions = request.extensions_mut();
        extensions.insert(peer);
        extensions.insert(place.clone());
        if let Some(secured) = secured.clone() {
            extensions.insert(secured);
        }
        service.clone().oneshot(request)
    }
}
