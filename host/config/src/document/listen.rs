use crate::document::upstream::LeastVersion;
use crate::units::{DurationUnit, ModeUnit, SizeUnit, Text};
use schemars::JsonSchema;
use serde::Deserialize;

/// A way in.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Listen {
    /// The kind of caller.
    pub(crate) kind: ListenKind,
    /// `host:port`, or `unix:` and a path. A peer on a Unix socket counts as
    /// 127.0.0.1: to `trusted-proxies`, to `proxy-protocol` and as a client.
    pub(crate) address: String,
    /// TLS, on a TCP port.
    pub(crate) tls: Option<Tls>,
    /// Permissions of the Unix socket; defaults to `660`.
    pub(crate) mode: Option<Text<ModeUnit>>,
    /// The Unix socket's group, by its name or its id.
    pub(crate) group: Option<Group>,
    /// `ext-authz`: whether the client certificate that Envoy verified names
    /// the principal.
    pub(crate) client_certificate: Option<bool>,
    /// `ext-authz`: `max_request_bytes` of Envoy's `with_request_body`. Without
    /// it no bodies are expected.
    pub(crate) body_limit: Option<Text<SizeUnit>>,
    /// `forward-auth`: the proxy that calls.
    pub(crate) dialect: Option<Dialect>,
    /// `reverse-proxy`: where allowed requests go, as `http://host:port`,
    /// `https://host:port`, `unix:` and a path, or the name of one of `[upstreams]`.
    pub(crate) upstream: Option<String>,
    /// `forward-auth`: networks from which the proxy calls; defaults to
    /// this machine. `reverse-proxy`: networks of the proxies in front of it.
    #[serde(default)]
    pub(crate) trusted_proxies: Vec<String>,
    /// `forward-auth`: networks from which the proxies of other gates call,
    /// whose calls may carry fields that this gate sets. A call from elsewhere
    /// that carries one is refused, since its proxy does not remove the
    /// client's.
    #[serde(default)]
    pub(crate) gates: Vec<String>,
    /// `forward-auth`, `reverse-proxy`: protocols that a client may ask to
    /// change to; `["websocket"]` by default. Nobody asks the gate about what
    /// follows a change. HTTP/2 cannot be among them.
    pub(crate) upgrades: Option<Vec<String>>,
    /// The most connections at once, 4,096 by default, 1,024 for `ext-authz`.
    /// When there are as many, those that rest are closed for others, then the
    /// slowest of the client that has most; where neither helps, a further one is
    /// told `overloaded`.
    #[schemars(range(min = 1))]
    pub(crate) connections: Option<usize>,
    /// `reverse-proxy`: the most tunnels and event streams at once, 1,024 by
    /// default. They are not among the `connections`.
    #[schemars(range(min = 1))]
    pub(crate) tunnels: Option<usize>,
    /// `ext-authz`: the most checks at once on one connection, 256 by default.
    /// Envoy opens another connection when it needs more. `reverse-proxy`: the most
    /// requests at once on one connection of HTTP/2, 100 by default. Each has a place
    /// among the `connections`.
    #[schemars(range(min = 1))]
    pub(crate) streams: Option<u32>,
    /// `reverse-proxy`: whether clients may speak HTTP/2 without TLS, from the first
    /// byte on. With TLS they may speak it anyway.
    pub(crate) h2c: Option<bool>,
    /// Networks of balancers that say by the PROXY protocol, version 1 or 2,
    /// where a connection comes from. Nobody else may then connect.
    #[serde(default)]
    pub(crate) proxy_protocol: Vec<String>,
    /// How long it waits for others.
    pub(crate) timeouts: Option<Timeouts>,
}

/// A group of users.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum Group {
    /// By its id.
    Id(u32),
    /// By its name.
    Name(String),
}

/// TLS. Its files are read again when they change.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Tls {
    /// The certificate and its chain, as a PEM file.
    pub(crate) certificate: String,
    /// Its private key, as a PEM file that not everyone may read.
    pub(crate) key: String,
    /// The CAs that vouch for clients, as a PEM file. Without it no client is
    /// asked for a certificate.
    pub(crate) client_ca: Option<String>,
    /// Whether a client must have a certificate; defaults to `required`.
    pub(crate) client_certificate: Option<ClientCertificate>,
    /// `reverse-proxy`: whether the client's certificate names the principal,
    /// by its first URI, else its first DNS name.
    pub(crate) names_principal: Option<bool>,
    /// The least version of TLS. Defaults to `1.2`.
    #[serde(default)]
    pub(crate) least_version: LeastVersion,
}

/// Whether a client must have a certificate. One that cannot be verified is
/// refused in either case.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ClientCertificate {
    /// It must.
    Required,
    /// It may.
    Optional,
}

/// The kind of caller.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ListenKind {
    /// Envoy's external authorization, over gRPC.
    ExtAuthz,
    /// The forward-auth of nginx, Caddy, Traefik, HAProxy, and Envoy over HTTP.
    ForwardAuth,
    /// Clients, or any proxy: the gate stands in the way itself.
    ReverseProxy,
}

/// The proxy that calls a forward-auth listener.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Dialect {
    /// `auth_request`.
    Nginx,
    /// `forward_auth`.
    Caddy,
    /// The ForwardAuth middleware.
    Traefik,
    /// The `auth-request` script.
    Haproxy,
    /// The `http_service` of `ext_authz`.
    EnvoyHttp,
}

/// How long a listener waits for others.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Timeouts {
    /// For what a connection begins with: a header of the PROXY protocol, and
    /// a TLS handshake. 10 s by default: two round trips to the far side of the
    /// world, and one lost packet.
    pub(crate) handshake: Option<Text<DurationUnit>>,
    /// `forward-auth`, `reverse-proxy`: for the whole header of a request, 15 s
    /// by default. It fits into a few packets.
    pub(crate) header: Option<Text<DurationUnit>>,
    /// `forward-auth`, `reverse-proxy`: for a connection between two requests,
    /// 75 s by default. Balancers keep theirs for a minute; the side that sends
    /// must be the one to close, since a request that meets the closing is lost.
    pub(crate) idle: Option<Text<DurationUnit>>,
    /// For an answer of which nothing goes while some waits to be sent, 30 s by
    /// default.
    pub(crate) stall: Option<Text<DurationUnit>>,
    /// `ext-authz`: for a whole check, from its header to its answer; 30 s by
    /// default. Envoy itself waits for seconds at most.
    pub(crate) check: Option<Text<DurationUnit>>,
    /// `ext-authz`: how often a connection is asked whether there is still
    /// somebody, every 30 s by default. Half as long after that it is closed.
    pub(crate) ping: Option<Text<DurationUnit>>,
    /// `reverse-proxy`: from one part of a body to the next, 15 s by default. Over
    /// HTTP/2, once the answer has begun, it is `tunnel`.
    pub(crate) body: Option<Text<DurationUnit>>,
    /// `reverse-proxy`: for all of a body that is read before the verdict, 60 s
    /// by default: a mebibyte over a line of 150 kbit/s. A body that streams may
    /// take as long as it moves.
    pub(crate) whole_body: Option<Text<DurationUnit>>,
    /// `reverse-proxy`: for a connection to each address of the upstream, with its
    /// TLS handshake, 5 s by default.
    pub(crate) connect: Option<Text<DurationUnit>>,
    /// `reverse-proxy`: for the upstream to begin its response, from the last
    /// part of the request's body that it took; 30 s by default.
    pub(crate) response: Option<Text<DurationUnit>>,
    /// `reverse-proxy`: for a tunnel through which nothing goes, and for an
    /// upstream between two parts of its answer; 1 h by default. Protocols that
    /// are used that way send a sign of life more often.
    pub(crate) tunnel: Option<Text<DurationUnit>>,
}
