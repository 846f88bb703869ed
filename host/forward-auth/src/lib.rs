//! A forward-auth endpoint: answers whether another proxy may forward a
//! request.
//!
//! The proxy sends the request's header without its body, and what it was
//! about in fields of its own: see [`Dialect`]. A chain that needs the body
//! denies here (`body-not-carried`).
//!
//! An allow is `200`, and its fields are what the upstream must get. The proxy
//! has to copy each of them over what the client sent, those that are empty
//! too: that is how a client's own copy is removed.
//!
//! Every deny carries its reason in `barmkin-reason` and its status in
//! `barmkin-status`, since some proxies cannot pass every status on.
//!
//! ```no_run
//! # async fn run(gate: std::sync::Arc<barmkin_host::Gate>) -> std::io::Result<()> {
//! use barmkin_forward_auth::{Dialect, Options, serve};
//!
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:9003").await?;
//! let shutdown = async { /* what ends it */ };
//! serve(listener, gate, Options::new(Dialect::Caddy), shutdown).await;
//! # Ok(()) }
//! ```
//!
//! A call that shows that the proxy is not set up as it must be is refused
//! with the line to write: one that carries a field that this gate sets (the
//! proxy does not remove it from clients), one in which two dialects say
//! different things, and one for a change of protocol that
//! [`upgrades`](Options::upgrades) does not list.
//!
//! A client that reaches the endpoint can claim anything about a request, and can
//! use up quotas and nonces. Callers outside
//! [`trusted_proxies`](Options::trusted_proxies) are refused.
//!
//! Architecture invariant: this crate decides nothing, and reads no
//! configuration.

mod answer;
mod dialect;
mod original;
mod refusal;
mod upgrade;

pub use barmkin_tls::Socket;
pub use barmkin_tower::server::Bounds;
pub use dialect::Dialect;

use answer::Endpoint;
use barmkin_host::Gate;
use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use tower::service_fn;

/// The options of the endpoint.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which proxy calls.
    pub dialect: Dialect,
    /// From where it may call, and which addresses in `x-forwarded-for` are
    /// proxies'.
    pub trusted_proxies: Vec<IpNet>,
    /// From where other gates' proxies call: their calls may carry fields that
    /// this gate sets, too. Anyone else's must not, since the proxy would have
    /// removed them if it were set up to.
    pub gates: Vec<IpNet>,
    /// Protocols that a client may ask the proxy to change to. Behind a change
    /// the proxy no longer asks: `h2c` here would let every further request
    /// through.
    pub upgrades: Vec<Box<str>>,
    /// Its name, for routes that name their listeners.
    pub listener: Option<Arc<str>>,
    /// The bounds of the server.
    pub bounds: Bounds,
}

impl Options {
    /// For a proxy on the same machine.
    pub fn new(dialect: Dialect) -> Self {
        let loopback = [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()];
        Self {
            dialect,
            trusted_proxies: loopback.map(IpNet::from).into(),
            gates: Vec::new(),
            upgrades: vec!["websocket".into()],
            listener: None,
            bounds: Bounds::default(),
        }
    }
}

/// Serves on `socket` until `shutdown`.
pub async fn serve(socket: impl Into<Socket>, gate: Arc<Gate>, options: Options, shutdown: impl Future<Output = ()>) {
    let mut bounds = options.bounds.clone();
    bounds.proxies.extend_from_slice(&options.trusted_proxies);
    let endpoint = Arc::new(Endpoint::new(gate, options));
    let service = service_fn(move |request| endpoint.clone().answer(request));
    barmkin_tower::server::serve(socket, service, bounds, shutdown).await;
}
