use crate::units::{DurationUnit, ModeUnit, SizeUnit, Text};
use schemars::JsonSchema;
use serde::Deserialize;

/// A way in.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Listen {
    /// What calls.
    pub(crate) kind: ListenKind,
    /// `host:port`; for `ext-authz` also `unix:` and a path.
    pub(crate) address: String,
    /// TLS, on a TCP port.
    pub(crate) tls: Option<Tls>,
    /// Permissions of the Unix socket; `660` unless given.
    pub(crate) mode: Option<Text<ModeUnit>>,
    /// The id of the Unix socket's group.
    pub(crate) group: Option<u32>,
    /// `ext-authz`: whether the client certificate that Envoy verified names
    /// the principal.
    pub(crate) client_certificate: Option<bool>,
    /// `ext-authz`: `max_request_bytes` of Envoy's `with_request_body`. Without
    /// it no bodies are expected.
    pub(crate) body_limit: Option<Text<SizeUnit>>,
    /// `forward-auth`: the proxy that calls.
    pub(crate) dialect: Option<Dialect>,
    /// `reverse-proxy`: where allowed requests go, as `http://host:port`.
    pub(crate) upstream: Option<String>,
    /// `forward-auth`: networks from which the proxy calls, this machine
    /// unless given. `reverse-proxy`: networks of the proxies in front of it.
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
    /// `reverse-proxy`: the most connections at once; further ones are told
    /// `overloaded`.
    #[schemars(range(min = 1))]
    pub(crate) connections: Option<usize>,
    /// `reverse-proxy`: how long it waits for what.
    pub(crate) timeouts: Option<Timeouts>,
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
    /// Whether a client must have a certificate; `required` unless given.
    pub(crate) client_certificate: Option<ClientCertificate>,
    /// `reverse-proxy`: whether the client's certificate names the principal,
    /// by its first URI, else its first DNS name.
    pub(crate) names_principal: Option<bool>,
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

/// What calls.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ListenKind {
    /// Envoy's external authorization, by gRPC.
    ExtAuthz,
    /// The forward-auth of nginx, Caddy, Traefik, HAProxy, and Envoy by HTTP.
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

/// How long a reverse proxy waits for what.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Timeouts {
    /// For the fields of a request.
    pub(crate) header: Option<Text<DurationUnit>>,
    /// From one part of a body to the next.
    pub(crate) body: Option<Text<DurationUnit>>,
    /// For a connection to the upstream.
    pub(crate) connect: Option<Text<DurationUnit>>,
    /// For the upstream to begin its response.
    pub(crate) response: Option<Text<DurationUnit>>,
}
