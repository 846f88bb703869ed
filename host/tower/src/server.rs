//! A small server of HTTP/1.1 and HTTP/2 for ways in that listen by themselves.
//!
//! Every connection has a place, and places are shared ([`barmkin_shares`]):
//! while some are free anybody may have them, and when none is, those that rest
//! go first, then those of the client that holds most and moves slowest. A
//! client is an address, and all that connect over a Unix socket are this machine; a
//! peer in [`Bounds::proxies`] has no share, and its requests count by the client
//! that they name. Only where nobody gives way is a
//! connection turned away.
//!
//! A request over HTTP/2 has a place of its own beside its connection's, so that
//! many requests on one connection hold no more, and keep nobody out any longer,
//! than as many connections would. It is what its request counts by, what gives
//! way, and what is too slow.

mod answered;
mod connection;
mod place;
mod spoken;
mod streams;
mod turn_away;

pub use place::{Place, WeakPlace};
pub use turn_away::{TURNED_AWAY_MAX, TURNED_AWAY_WITHIN};

use barmkin_shares::{Client, Shares};
use barmkin_tls::{Shortage, Socket};
use bytes::Bytes;
use connection::{Arrived, connection};
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use ipnet::IpNet;
use place::{PLACE_WITHIN, Shared};
use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tower::Service;
use turn_away::turn_away;

/// The bounds of a server.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// Connections at once. The one request of a further connection, for which
    /// nobody gives way, is to be refused: see [`TurnedAway`](crate::TurnedAway).
    pub connections_max: usize,
    /// Tunnels and event streams at once ([`Place::outlive`]). They live for
    /// hours, and must not use up the places of requests that live for
    /// milliseconds.
    pub tunnels_max: usize,
    /// For the header of a request, from its first byte; of the first request
    /// from when the connection has begun. A header fits into a few packets.
    pub header_read: Duration,
    /// For a connection between two requests. Balancers keep theirs for a
    /// minute: the side that sends must be the one to close, since a request
    /// that meets the closing is lost.
    pub idle: Duration,
    /// For an answer of which nothing goes while some waits to be sent. A peer
    /// that is reachable takes some of it within seconds.
    pub stall: Duration,
    /// For requests that are under way when the server is told to stop.
    pub drain: Duration,
    /// Requests at once on one connection of HTTP/2.
    pub streams_max: u32,
    /// Whether a client may speak HTTP/2 without TLS, from the first byte on ("prior
    /// knowledge").
    pub cleartext_http2: bool,
    /// Peers that carry other clients' requests: their connections have no
    /// share.
    pub proxies: Vec<IpNet>,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            connections_max: 4_096,
            tunnels_max: 1_024,
            header_read: Duration::from_secs(15),
            idle: Duration::from_secs(75),
            stall: Duration::from_secs(30),
            drain: Duration::from_secs(10),
            streams_max: 100,
            cleartext_http2: false,
            proxies: Vec::new(),
        }
    }
}

impl Bounds {
    fn is_proxy(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.proxies.iter().any(|net| net.contains(&peer))
    }
}

/// Serves `service` on `socket` until `shutdown`, then lets requests that are
/// under way end.
///
/// A request's extensions hold the client's [`SocketAddr`](std::net::SocketAddr), its [`Place`], or
/// [`TurnedAway`](crate::TurnedAway) where it has none, and
/// [`Secured`](crate::Secured) if it came over TLS.
pub async fn serve<S, R>(socket: impl Into<Socket>, service: S, bounds: Bounds, shutdown: impl Future<Output = ()>)
where
    S: Service<Request<Incoming>, Response = Response<R>, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send,
    R: Body<Data = Bytes> + Send + Unpin + 'static,
    R::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let Socket { listener, opening } = socket.into();
    let places = Shares::new(bounds.connections_max);
    let tunnels = Shares::new(bounds.tunnels_max);
    let turns_away = Arc::new(Semaphore::new(TURNED_AWAY_MAX));
    let (drain, draining) = watch::channel(());
    let (_stop, stopping) = watch::channel(());
    let bounds = Arc::new(bounds);
    let mut connections = JoinSet::new();
    let mut shortage = Shortage::default();
    let mut shutdown = pin!(shutdown);
    let mut keep_fresh = pin!(opening.keep_fresh());
    loop {
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            () = &mut keep_fresh => continue,
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                shortage.met(&error, |count| places.relieve(count)).await;
                continue;
            }
        };
        let arrived = Arrived { stream, peer, opening: opening.clone(), bounds: bounds.clone() };
        let has_share = !bounds.is_proxy(peer.ip()) && !opening.is_balancer(peer.ip());
        let client = has_share.then(|| Client::from(peer.ip()));
        let (service, mut draining) = (service.clone(), draining.clone());
        let place = tokio::time::timeout(PLACE_WITHIN, places.take_in_turn(client.map(|client| [client]), 1));
        if let Ok(Some(holding)) = place.await {
            let shared = Shared { places: places.clone(), tunnels: tunnels.clone() };
            let place = Place::new(holding, client, shared, stopping.clone());
            connections.spawn(connection(arrived, place, service, draining));
        } else if let Ok(permit) = turns_away.clone().try_acquire_owned() {
            connections.spawn(async move {
                tokio::select! {
                    () = turn_away(arrived, service) => {}
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
