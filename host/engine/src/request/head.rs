//! What an adapter hands over before the body.

use crate::principal::{Facts, Principal};
use http::{HeaderMap, Method};
use std::net::IpAddr;
use std::sync::Arc;

/// A request without its body, as the proxy received it.
#[derive(Clone, Debug)]
pub struct Head {
    /// The method.
    pub method: Method,
    /// `http` or `https`, as the client used it.
    pub scheme: &'static str,
    /// `:authority`, or the authority of a target in absolute form, or what a
    /// trusted proxy says it was. `None` leaves it to the `host` field.
    pub authority: Option<String>,
    /// The path and query, byte for byte as they were received.
    pub target: String,
    /// The fields, with duplicates, without pseudo-headers.
    pub headers: HeaderMap,
    /// Who sent it, as far as the proxy knows.
    pub client: Client,
}

impl Head {
    /// A head of an HTTP request that a Rust server received. Takes the
    /// headers out of `parts`; a [`Permit`](crate::Permit) gives them back.
    pub fn take(parts: &mut http::request::Parts, client: Client) -> Self {
        let target = parts.uri.path_and_query().map_or_else(String::new, |target| target.as_str().to_owned());
        Self {
            method: parts.method.clone(),
            scheme: if parts.uri.scheme() == Some(&http::uri::Scheme::HTTPS) || client.tls { "https" } else { "http" },
            authority: parts.uri.authority().map(|authority| authority.as_str().to_owned()),
            target,
            headers: std::mem::take(&mut parts.headers),
            client,
        }
    }
}

/// Who sent a request, as far as the proxy knows.
#[derive(Clone, Debug, Default)]
pub struct Client {
    /// Its address, behind trusted proxies: see
    /// [`ClientAddress`](crate::ClientAddress).
    pub address: Option<IpAddr>,
    /// Whether it came by TLS.
    pub tls: bool,
    /// Whether the request came from a proxy that the operator trusts: only
    /// then is its `x-request-id` taken over.
    pub trusted: bool,
    /// Who it is, where the listener was told to believe its proxy or TLS.
    pub principal: Option<Principal>,
    /// What the proxy verified, likewise.
    pub facts: Option<Facts>,
    /// The listener that it came by, for routes that name theirs.
    pub listener: Option<Arc<str>>,
}
