//! Reads the request that Envoy asks about.

use crate::body;
use crate::options::Options;
use barmkin_host::{Body, Client, Head, Principal, PrincipalKind, Sees};
use bytes::Bytes;
use envoy_types::ext_authz::v3::pb::{Address, CheckRequest};
use envoy_types::pb::envoy::service::auth::v3::attribute_context::{HttpRequest, Peer};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Version};
use std::net::IpAddr;

/// A check that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unreadable {
    Incomplete,
    Method,
    Field,
    /// Two places in it contradict each other.
    Contradiction(&'static str),
}

impl std::fmt::Display for Unreadable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Incomplete => f.write_str("the check is not about an HTTP request"),
            Self::Method => f.write_str("the method cannot be read"),
            Self::Field => f.write_str("a field cannot be read"),
            Self::Contradiction(name) => write!(f, "the check says two things of the {name}"),
        }
    }
}

/// The request that `check` is about.
pub(crate) fn read(check: CheckRequest, options: &Options) -> Result<(Head, Body), Unreadable> {
    let attributes = check.attributes.ok_or(Unreadable::Incomplete)?;
    let mut http = attributes.request.and_then(|request| request.http).ok_or(Unreadable::Incomplete)?;
    let source = attributes.source.unwrap_or_default();
    let mut headers = take_headers(&mut http)?;
    let body = body::read(&mut http, &mut headers, options.body_bytes_max);
    let https = is_https(&http.scheme, &headers) || attributes.tls_session.is_some();
    let head = Head {
        method: Method::from_bytes(http.method.as_bytes()).map_err(|_| Unreadable::Method)?,
        version: version(&http.protocol),
        scheme: if https { "https" } else { "http" },
        authority: Some(http.host).filter(|host| !host.is_empty()),
        target: http.path,
        headers,
        client: Client {
            address: address(&source),
            tls: https,
            trusted: true,
            principal: options.client_certificate.then(|| certified(source)).flatten(),
            facts: None,
            listener: options.listener.clone(),
            sees: Sees::Nothing,
        },
    };
    Ok((head, body))
}

/// The fields, with duplicates where Envoy sends them.
fn take_headers(http: &mut HttpRequest) -> Result<HeaderMap, Unreadable> {
    let texts = std::mem::take(&mut http.headers);
    let fields = http.header_map.take().map(|map| map.headers).unwrap_or_default();
    let room = texts.len() + fields.len();
    let mut headers = HeaderMap::try_with_capacity(room).map_err(|_| Unreadable::Field)?;
    let (method, path, host) = (&http.method, &http.path, &http.host);
    let mut append = |name: &str, value: Vec<u8>| {
        if let Some(pseudo) = name.strip_prefix(':') {
            // What it says stands in an attribute, which is what counts.
            let (what, attribute) = match pseudo {
                "method" => ("method", method),
                "path" => ("path", path),
                "authority" => ("host", host),
                _ => return Ok(()),
            };
            if value != attribute.as_bytes() {
                return Err(Unreadable::Contradiction(what));
            }
        } else {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| Unreadable::Field)?;
            let value = HeaderValue::from_maybe_shared(Bytes::from(value)).map_err(|_| Unreadable::Field)?;
            headers.try_append(name, value).map_err(|_| Unreadable::Field)?;
        }
        Ok(())
    };
    for (name, value) in texts {
        append(&name, value.into_bytes())?;
    }
    for field in fields {
        append(&field.key, if field.raw_value.is_empty() { field.value.into_bytes() } else { field.raw_value })?;
    }
    Ok(headers)
}

/// Over HTTP/2 the scheme is what the client says. What Envoy found out about
/// the connection is in `x-forwarded-proto`.
fn is_https(scheme: &str, headers: &HeaderMap) -> bool {
    scheme.eq_ignore_ascii_case("https") && headers.get_all("x-forwarded-proto").iter().all(|proto| proto == "https")
}

/// As Envoy writes it: `HTTP/2`, or `HTTP/1.1`. Where it does not say, the
/// version that demands the least: Envoy itself refuses what lacks a host.
fn version(protocol: &str) -> Version {
    match protocol {
        "HTTP/1.1" => Version::HTTP_11,
        "HTTP/2" => Version::HTTP_2,
        "HTTP/3" => Version::HTTP_3,
        _ => Version::HTTP_10,
    }
}

fn address(source: &Peer) -> Option<IpAddr> {
    match source.address.as_ref()?.address.as_ref()? {
        Address::SocketAddress(socket) => socket.address.parse::<IpAddr>().ok().map(|address| address.to_canonical()),
        _ => None,
    }
}

/// Who the client certificate is for. Envoy leaves it out when it verified
/// none.
fn certified(source: Peer) -> Option<Principal> {
    let id = Some(source.principal).filter(|id| !id.is_empty())?;
    Some(Principal::new(PrincipalKind::Service, id, "client-certificate"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use envoy_types::ext_authz::v3::pb::HeaderValue as Field;
    use envoy_types::pb::envoy::config::core::v3::{Address as AddressOf, HeaderMap as Fields, SocketAddress};
    use envoy_types::pb::envoy::service::auth::v3::AttributeContext;
    use envoy_types::pb::envoy::service::auth::v3::attribute_context::Request;

    fn check(http: HttpRequest) -> CheckRequest {
        let socket = SocketAddress { address: "::ffff:192.0.2.7".into(), ..SocketAddress::default() };
        let source = Peer {
            address: Some(AddressOf { address: Some(Address::SocketAddress(socket)) }),
            principal: "spiffe://example/app".into(),
            ..Peer::default()
        };
        let request = Request { http: Some(http), ..Request::default() };
        let attributes =
            AttributeContext { source: Some(source), request: Some(request), ..AttributeContext::default() };
        CheckRequest { attributes: Some(attributes) }
    }

    fn raw(fields: &[(&str, &[u8])]) -> HttpRequest {
        let field = |(name, value): &(&str, &[u8])| Field {
            key: (*name).to_owned(),
            raw_value: value.to_vec(),
            ..Field::default()
        };
        HttpRequest {
            method: "GET".into(),
            path: "/a%2fb?x".into(),
            host: "app:1".into(),
            scheme: "https".into(),
            header_map: Some(Fields { headers: fields.iter().map(field).collect() }),
            ..HttpRequest::default()
        }
    }

    #[test]
    fn raw_fields_keep_duplicates_and_bytes() {
        let fields: &[(&str, &[u8])] = &[(":path", b"/a%2fb?x"), ("x-a", b"1"), ("x-a", b"\xff"), ("x-b", b"")];
        let (head, _) = read(check(raw(fields)), &Options::default()).unwrap();
        let values: Vec<_> = head.headers.get_all("x-a").iter().map(HeaderValue::as_bytes).collect();
        assert_eq!(values, [&b"1"[..], b"\xff"]);
        assert_eq!(head.headers.len(), 3);
        assert_eq!((head.target.as_str(), head.authority.as_deref()), ("/a%2fb?x", Some("app:1")));
        assert_eq!((head.scheme, head.client.tls), ("https", true));
        assert_eq!(head.client.address, Some("192.0.2.7".parse().unwrap()));
    }

    #[test]
    fn what_a_client_says_of_its_connection_does_not_count() {
        let scheme = |fields: &[(&str, &[u8])]| read(check(raw(fields)), &Options::default()).unwrap().0.scheme;
        assert_eq!(scheme(&[("x-forwarded-proto", b"https")]), "https");
        assert_eq!(scheme(&[("x-forwarded-proto", b"http")]), "http");
        assert_eq!(scheme(&[("x-forwarded-proto", b"https"), ("x-forwarded-proto", b"http")]), "http");
    }

    #[test]
    fn the_version_is_what_envoy_says() {
        for (protocol, expected) in [
            ("HTTP/1.0", Version::HTTP_10),
            ("HTTP/1.1", Version::HTTP_11),
            ("HTTP/2", Version::HTTP_2),
            ("HTTP/3", Version::HTTP_3),
            ("", Version::HTTP_10),
        ] {
            let http = HttpRequest { protocol: protocol.into(), ..raw(&[]) };
            assert_eq!(read(check(http), &Options::default()).unwrap().0.version, expected, "{protocol}");
        }
    }

    #[test]
    fn a_certificate_counts_only_where_it_was_asked_for() {
        let principal = |client_certificate| {
            let options = Options { client_certificate, ..Options::default() };
            read(check(raw(&[])), &options).unwrap().0.client.principal.map(|principal| principal.id)
        };
        assert_eq!(principal(true).as_deref(), Some("spiffe://example/app"));
        assert_eq!(principal(false), None);
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        let read = |check| read(check, &Options::default()).map(|_| ());
        assert_eq!(read(CheckRequest::default()), Err(Unreadable::Incomplete));
        assert_eq!(read(check(HttpRequest::default())), Err(Unreadable::Method));
        assert_eq!(read(check(raw(&[("x-a", b"a\nb")]))), Err(Unreadable::Field));
        assert_eq!(read(check(raw(&[("a b", b"")]))), Err(Unreadable::Field));
        for (name, other, what) in
            [(":path", "/admin", "path"), (":authority", "admin:1", "host"), (":method", "POST", "method")]
        {
            let fields = [(name, other.as_bytes())];
            assert_eq!(read(check(raw(&fields))), Err(Unreadable::Contradiction(what)));
            let texts = [(name.to_owned(), other.to_owned())].into();
            let http = HttpRequest { headers: texts, header_map: None, ..raw(&[]) };
            assert_eq!(read(check(http)), Err(Unreadable::Contradiction(what)));
        }
    }
}
