//! The settings that the proxy needs.

use crate::upstream::Upstream;
use barmkin_host::ClientAddress;
use barmkin_tower::server::Bounds;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The settings that the proxy needs.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where allowed requests go.
    pub upstream: Upstream,
    /// Where those go whose routes name an upstream.
    pub upstreams: BTreeMap<String, Upstream>,
    /// Which address counts as the client's, and which proxies are trusted.
    pub client_address: ClientAddress,
    /// Whether the client certificate that the socket verified names the
    /// principal.
    pub client_certificate: bool,
    /// Protocols that a client may change to. Nobody looks at what follows a
    /// change, so each is a way past the gate for whatever it can carry.
    pub upgrades: Vec<Box<str>>,
    /// Its name, for routes that name their listeners.
    pub listener: Option<Arc<str>>,
    /// The bounds of the server.
    pub bounds: Bounds,
    /// How long others may take.
    pub timeouts: Timeouts,
}

impl Options {
    /// Everything but the upstream by default.
    pub fn new(upstream: Upstream) -> Self {
        Self {
            upstream,
            upstreams: BTreeMap::new(),
            client_address: ClientAddress::default(),
            client_certificate: false,
            upgrades: vec!["websocket".into()],
            listener: None,
            bounds: Bounds::default(),
            timeouts: Timeouts::default(),
        }
    }

    /// The server's, with the peers that carry others' requests.
    pub(crate) fn bounds(&self) -> Bounds {
        let mut bounds = self.bounds.clone();
        if let ClientAddress::RightmostUntrusted(proxies) = &self.client_address {
            bounds.proxies.extend_from_slice(proxies);
        }
        bounds
    }

    pub(crate) fn surroundings(&self) -> barmkin_tower::Options {
        barmkin_tower::Options {
            client_address: self.client_address.clone(),
            client_certificate: self.client_certificate,
            listener: self.listener.clone(),
            finish_within: self.timeouts.response_header,
            ..barmkin_tower::Options::default()
        }
    }
}

/// How long others may take. The times of a connection are in [`Bounds`].
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// The client, from one part of its body to the next. Over HTTP/2, when the
    /// answer has begun, it is `tunnel_idle`: the two may speak in turns.
    pub body_read: Duration,
    /// The client, for all of a body that is read before the verdict: one of a
    /// mebibyte over a line of 150 kbit/s.
    pub body_whole: Duration,
    /// Each address of an upstream, to take a connection: with a look-up of its name,
    /// and a TLS handshake.
    pub connect: Duration,
    /// The upstream, to begin its response after the last part of the
    /// request's body that it took.
    pub response_header: Duration,
    /// Both, between two parts of what goes through a tunnel; the upstream, of
    /// an answer. Protocols that are used that way send a sign of life more
    /// often.
    pub tunnel_idle: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            body_read: Duration::from_secs(15),
            body_whole: Duration::from_secs(60),
            connect: Duration::from_secs(5),
            response_header: Duration::from_secs(30),
            tunnel_idle: Duration::from_secs(60 * 60),
        }
    }
}
