//! Ways in, as plain data: which crate serves each is the caller's business.

use barmkin_host::Sees;
use barmkin_tls::LeastVersion;
use ipnet::IpNet;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// A way in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Its name.
    pub name: String,
    /// Where it listens.
    pub address: Address,
    /// TLS, where it is spoken.
    pub tls: Option<Tls>,
    /// The kind of caller, with the settings of that kind.
    pub kind: ListenerKind,
    /// The most connections at once.
    pub connections_max: Option<usize>,
    /// The most tunnels and event streams at once.
    pub tunnels_max: Option<usize>,
    /// The most checks or requests at once on one connection.
    pub streams_max: Option<u32>,
    /// Whether HTTP/2 is spoken without TLS.
    pub h2c: bool,
    /// Balancers that say by the PROXY protocol where a connection comes from;
    /// nobody speaks it if empty.
    pub balancers: Vec<IpNet>,
    /// How long it waits for others.
    pub timeouts: Timeouts,
}

/// TLS on a listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// The certificate and its chain.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The CAs that vouch for clients, and whether each must have a
    /// certificate.
    pub clients: Option<(PathBuf, bool)>,
    /// Whether the client's certificate names the principal.
    pub names_principal: bool,
    /// The least version that is spoken.
    pub least_version: LeastVersion,
}

/// Where a listener listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// `host:port`. Port 0 lets the system choose.
    Tcp(String),
    /// A Unix socket.
    Unix {
        /// Its path.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
        /// The id of its group; defaults to the process's.
        group: Option<u32>,
    },
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => f.write_str(address),
            Self::Unix { path, .. } => write!(f, "unix:{}", path.display()),
        }
    }
}

/// The kind of caller of a listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenerKind {
    /// Envoy's external authorization, over gRPC.
    ExtAuthz {
        /// Whether the client certificate that Envoy verified names the
        /// principal.
        client_certificate: bool,
        /// Bytes of the largest body that Envoy sends; `None` if it sends none.
        body_bytes_max: Option<usize>,
    },
    /// Forward-auth over HTTP. It carries no bodies.
    ForwardAuth {
        /// The proxy that calls.
        dialect: Dialect,
        /// From where it may call; this machine if empty.
        trusted_proxies: Vec<IpNet>,
        /// From where the proxies of other gates call.
        gates: Vec<IpNet>,
        /// Protocols that clients may change to, where the operator says so.
        upgrades: Option<Vec<String>>,
    },
    /// A reverse proxy.
    ReverseProxy {
        /// Where requests go that no route sends elsewhere: the name of one of the
        /// configuration's upstreams.
        upstream: String,
        /// The proxies in front of it; none if empty.
        trusted_proxies: Vec<IpNet>,
        /// Protocols that clients may change to, where the operator says so.
        upgrades: Option<Vec<String>>,
    },
}

/// The proxy that calls a forward-auth listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// `auth_request`.
    Nginx,
    /// `forward_auth`.
    Caddy,
    /// The ForwardAuth middleware.
    Traefik,
    /// The `auth-request` script.
    Haproxy,
    /// The `http_service` of Envoy's `ext_authz`.
    EnvoyHttp,
}

/// How long a listener waits for others, where the operator says so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timeouts {
    /// For what a connection begins with.
    pub handshake: Option<Duration>,
    /// For the header of a request.
    pub header: Option<Duration>,
    /// For a connection between two requests.
    pub idle: Option<Duration>,
    /// For an answer of which nothing goes while some waits to be sent.
    pub stall: Option<Duration>,
    /// For a whole check.
    pub check: Option<Duration>,
    /// Between two looks whether there is still somebody.
    pub ping: Option<Duration>,
    /// From one part of a body to the next.
    pub body: Option<Duration>,
    /// For all of a body that is read before the verdict.
    pub whole_body: Option<Duration>,
    /// For a connection to the upstream.
    pub connect: Option<Duration>,
    /// For the upstream to begin its response.
    pub response: Option<Duration>,
    /// For a tunnel through which nothing goes, and for an upstream between two
    /// parts of its answer.
    pub tunnel: Option<Duration>,
}

impl Listener {
    /// How much it sees of the end of each request.
    pub fn sees(&self) -> Sees {
        match self.kind {
            ListenerKind::ReverseProxy { .. } => Sees::Response,
            ListenerKind::ExtAuthz { .. } => Sees::Sent,
            ListenerKind::ForwardAuth { .. } => Sees::Nothing,
        }
    }

    /// Whether the upstream's responses pass through it, and with them the end of
    /// each request.
    pub fn sees_responses(&self) -> bool {
        self.sees() == Sees::Response
    }

    /// Whether requests come with their bodies.
    pub fn carries_bodies(&self) -> bool {
        match self.kind {
            ListenerKind::ExtAuthz { body_bytes_max, .. } => body_bytes_max.is_some(),
            ListenerKind::ForwardAuth { .. } => false,
            ListenerKind::ReverseProxy { .. } => true,
        }
    }
}
