//! A small reverse proxy with a Barmkin gate in it, for HTTP/1.1 and HTTP/2 on both
//! sides.
//!
//! It carries what most forward-auth callers cannot: bodies, every status, and
//! the upstream's outcome, which settles the effects that wait for it. Bodies
//! stream unless the chain needs them, trailers with them, so that gRPC passes.
//! Balancing is left to the proxy in front of it or behind it: of the addresses of an
//! upstream the first that takes a connection gets the request, and it is tried at
//! the next only when nothing of it was sent.
//!
//! ```no_run
//! # async fn run(gate: std::sync::Arc<barmkin_host::Gate>) -> Result<(), Box<dyn std::error::Error>> {
//! use barmkin_reverse_proxy::{Options, serve};
//!
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
//! let options = Options::new("http://127.0.0.1:3000".parse()?);
//! let shutdown = async { /* what ends it */ };
//! serve(listener, gate, options, shutdown).await;
//! # Ok(()) }
//! ```
//!
//! The upstream gets:
//! - the request target byte for byte, and `host` as the client sent it;
//! - no field that concerns one connection only (RFC 9110 section 7.6.1). The
//!   gate refuses a `connection` that names a field which anybody read or which
//!   it sets, so that what is forwarded is what was decided about;
//! - `x-forwarded-for`, `-proto` and `-host`; a client's own claims in these,
//!   and in others like them (`x-real-ip`), survive only when it is a trusted
//!   proxy;
//! - framing written from scratch: a request with both `transfer-encoding` and
//!   `content-length` goes on with the former only (RFC 9112 section 6.1);
//! - a request to change the protocol only to one of
//!   [`upgrades`](Options::upgrades); one for anything else is refused
//!   (`upgrade-refused`), since whatever follows a change passes without the
//!   gate being asked. An offer of HTTP/2 (`upgrade: h2c`) is answered in
//!   HTTP/1.1.
//!
//! Architecture invariant: this crate decides nothing, and reads no
//! configuration.

mod connection;
mod dial;
mod failure;
mod fields;
mod forwarded;
mod options;
mod patience;
mod pool;
mod proxy;
mod tunnel;
mod upgrade;
mod upstream;

pub use barmkin_tls::{Socket, UpstreamTls};
pub use barmkin_tower::server::Bounds;
pub use options::{Options, Timeouts};
pub use upstream::{ADDRESSES_MAX, Address, Http, Tls, Upstream, UpstreamError};

use barmkin_host::Gate;
use barmkin_tower::{BarmkinLayer, GuardedBody};
use bytes::Bytes;
use failure::Failure;
use http::Response;
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use patience::StallTimeout;
use proxy::Proxy;
use std::sync::Arc;
use tower::{Layer, Service, service_fn};
use upgrade::UpgradeRefused;

/// A client's body as it comes in.
type ClientBody = StallTimeout<Incoming>;

/// A body as it goes to an upstream.
type Outgoing = GuardedBody<ClientBody>;

/// Serves on `socket` until `shutdown`, then lets requests that are under
/// way end, and cuts tunnels.
pub async fn serve(socket: impl Into<Socket>, gate: Arc<Gate>, options: Options, shutdown: impl Future<Output = ()>) {
    let bounds = options.bounds();
    let layer = BarmkinLayer::new(gate.clone(), options.surroundings());
    let proxy = Arc::new(Proxy::new(options));
    let (receive, fresh) = (proxy.clone(), proxy.clone());
    let forward = service_fn(move |request| proxy.clone().forward(request));
    let guarded = layer.layer(forward);
    let service = service_fn(move |request| {
        let received = receive.receive(request);
        let (mut guarded, gate) = (guarded.clone(), gate.clone());
        async move {
            match received {
                Ok(request) => guarded.call(request).await,
                Err(UpgradeRefused) => Ok(refuse_upgrade(&gate)),
            }
        }
    });
    let drain = bounds.drain;
    let layer = CutOff(layer);
    tokio::select! {
        () = barmkin_tower::server::serve(socket, service, bounds, shutdown) => {}
        () = fresh.keep_fresh() => {}
    }
    if tokio::time::timeout(drain, layer.0.ended()).await.is_err() {
        tracing::warn!("deliveries that their senders had left did not end in time");
    }
}

/// Ends what goes on without its client, when its server is dropped.
struct CutOff(BarmkinLayer);

impl Drop for CutOff {
    fn drop(&mut self) {
        self.0.cut_off();
    }
}

/// Refused before the gate is asked, which it therefore costs nothing.
fn refuse_upgrade<R>(gate: &Gate) -> Response<Either<Full<Bytes>, R>> {
    if gate.admits_log_line() {
        tracing::info!(failure = ?Failure::UpgradeRefused, "a request was refused");
    }
    Failure::UpgradeRefused.response(None).map(|body| Either::Left(Full::new(body)))
}
