//! A small HTTP/1.1 server for ways in that listen by themselves.

use crate::secured::Secured;
use barmkin_host::limits::{HEADERS_BYTES_MAX, HEADERS_MAX, TARGET_BYTES_MAX};
use barmkin_tls::{ServerTls, Socket};
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
use tower::{Service, ServiceExt};

/// After an accept that failed, mostly for want of file descriptors: long
/// enough for some to be closed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What bounds a server.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Connections at once, tunnels included. More wait in the listener's
    /// queue.
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
/// A request's extensions hold the peer's [`SocketAddr`], its [`Place`], and
/// [`Secured`] if it came by TLS.
pub async fn serve<S, R>(socket: impl Into<Socket>, service: S, bounds: Bounds, shutdown: impl Future<Output = ()>)
where
    S: Service<Request<Incoming>, Response = Response<R>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    R: Body<Data = Bytes> + Send + 'static,
    R::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let Socket { listener, tls } = socket.into();
    let places = Arc::new(Semaphore::new(bounds.connections_max));
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
            accepted = accept(&listener, &places) => accepted,
        };
        let Some((stream, peer, permit)) = accepted else { continue };
        let place = Place { _permit: Arc::new(permit), stopping: stopping.clone() };
        connections.spawn(connection(stream, peer, tls.clone(), place, service.clone(), bounds, draining.clone()));
    }
    drop((listener, drain));
    let all_end = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(bounds.drain, all_end).await.is_err() {
        tracing::warn!("requests did not end in time and were cut off");
    }
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    // The semaphore is never closed.
    let permit = places.clone().acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => Some((stream, peer, permit)),
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
    let secured = stream.is_tls().then(|| Secured { client: stream.client_name() });
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        request.extensions_mut().insert(place.clone());
        if let Some(secured) = secured.clone() {
            request.extensions_mut().insert(secured);
        }
        service.clone().oneshot(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(bounds.header_read)
        // One past the gate's limits, so that the gate names the reason.
        .max_headers(HEADERS_MAX + 1)
        .max_buf_size(2 * (HEADERS_BYTES_MAX + TARGET_BYTES_MAX))
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
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
