//! The part of a request that an adapter hands over before the body.

use crate::principal::{Facts, Principal};
use http::header::HOST;
use http::uri::Scheme;
use http::{HeaderMap, Method, Version};
use std::net::IpAddr;
use std::sync::Arc;

/// A request without its body, as the proxy received it.
#[derive(Clone, Debug)]
pub struct Head {
    /// The method.
    pub method: Method,
    /// The version of HTTP in which the client sent it; 1.1 where a proxy does
    /// not say.
    pub version: Version,
    /// `http` or `https`: whether TLS protects the client's connection, never
    /// what a request says of itself.
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
        let uri = &parts.uri;
        let is_http = uri.scheme().is_none_or(|scheme| *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS);
        let target = match uri.path_and_query() {
            Some(target) if is_http => target.as_str().to_owned(),
            Some(_) => uri.to_string(),
            None => String::new(),
        };
        // RFC 9112, section 3.2: a request of HTTP/1.1 names its host in a
        // field, whatever its target says.
        let lacks_host = parts.version == Version::HTTP_11 && !parts.headers.contains_key(HOST);
        let authority = uri.authority().filter(|_| !lacks_host).map(|authority| authority.as_str().to_owned());
        Self {
            method: parts.method.clone(),
            version: parts.version,
            scheme: if client.tls { "https" } else { "http" },
            authority,
            target,
            headers: std::mem::take(&mut parts.headers),
            client,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Client, Head};
    use http::{Request, Version};

    fn head(uri: &str, version: Version, fields: &[(&str, &str)], tls: bool) -> Head {
        let mut request = Request::builder().uri(uri).version(version);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        Head::take(&mut parts, Client { tls, ..Client::default() })
    }

    #[test]
    fn the_connection_says_the_scheme_and_not_the_target() {
        for (uri, tls, scheme) in [
            ("https://a/b", false, "http"),
            ("http://a/b", true, "https"),
            ("/b", false, "http"),
            ("/b", true, "https"),
        ] {
            assert_eq!(head(uri, Version::HTTP_11, &[], tls).scheme, scheme, "{uri} {tls}");
        }
    }

    #[test]
    fn the_authority_of_a_target_needs_a_host_field_beside_it_in_http_1_1() {
        let authority = |version, fields: &[_]| head("http://a/b", version, fields, false).authority;
        assert_eq!(authority(Version::HTTP_11, &[]), None);
        assert_eq!(authority(Version::HTTP_11, &[("host", "a")]).as_deref(), Some("a"));
        assert_eq!(authority(Version::HTTP_10, &[]).as_deref(), Some("a"));
        assert_eq!(authority(Version::HTTP_2, &[]).as_deref(), Some("a"));
    }

    #[test]
    fn a_target_of_another_scheme_is_no_path() {
        assert_eq!(head("ftp://a/b?c", Version::HTTP_11, &[], false).target, "ftp://a/b?c");
        assert_eq!(head("https://a/b?c", Version::HTTP_11, &[], false).target, "/b?c");
    }
}

/// Who sent a request, as far as the proxy knows.
#[derive(Clone, Debug, Default)]
pub struct Client {
    /// Its address, behind trusted proxies: see
    /// [`ClientAddress`](crate::ClientAddress).
    pub address: Option<IpAddr>,
    /// Whether it came over TLS.
    pub tls: bool,
    /// Whether the request came from a proxy that the operator trusts: only
    /// then is its `x-request-id` taken over.
    pub trusted: bool,
    /// Who it is, where the listener was told to believe its proxy or TLS.
    pub principal: Option<Principal>,
    /// The facts that the proxy verified, likewise.
    pub facts: Option<Facts>,
    /// The listener that it came in on, for routes that name theirs.
    pub listener: Option<Arc<str>>,
    /// How much its adapter sees of the end of the request, and tells its
    /// [`Settlement`](crate::Settlement).
    pub sees: Sees,
}

/// How much an adapter sees of the end of an allowed request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sees {
    /// Nothing: what is allowed has been let in.
    #[default]
    Nothing,
    /// Whether its verdict was sent to the proxy that acts on it.
    Sent,
    /// The upstream's response, to its end.
    Response,
}
