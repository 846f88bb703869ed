//! The facts that the service needs about its Envoy.

use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// The facts that the service needs about its Envoy.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// `max_request_bytes` of Envoy's `with_request_body`; `None` where Envoy
    /// has none, and so sends no bodies.
    ///
    /// Envoy does not say whether it has one when a request comes without a
    /// body: a wrong `Some` makes chunked bodies look empty.
    pub body_bytes_max: Option<usize>,
    /// Whether the client certificate that Envoy verified names the principal:
    /// by its SPIFFE or other URI, else its DNS name, else its subject. Only
    /// for an Envoy that asks for certificates and verifies them.
    pub client_certificate: bool,
    /// Its name, for routes that name their listeners.
    pub listener: Option<Arc<str>>,
    /// Whether checks may be sent here, for those that ask `grpc.health.v1`;
    /// defaults to always.
    pub ready: Option<watch::Receiver<bool>>,
    /// The bounds of the server.
    pub bounds: Bounds,
}

/// The bounds of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Connections at once. An Envoy has one for each of its threads.
    pub connections_max: usize,
    /// Checks at once on one connection. Envoy opens another when it needs more,
    /// and the gate has a bound of its own on all of them.
    pub streams_max: u32,
    /// How often a connection is asked whether there is still somebody. Half as
    /// long after that it is closed.
    pub ping: Duration,
    /// For a whole check, from its header to its answer. Envoy itself waits for
    /// seconds at most, and for longer nobody is there to be answered.
    pub check: Duration,
    /// For an answer of which nothing goes while some waits to be sent.
    pub stall: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { connections_max: 1_024, streams_max: 256, ping: seconds(30), check: seconds(30), stall: seconds(30) }
    }
}
