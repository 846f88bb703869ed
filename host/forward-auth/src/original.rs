//! Reads the request that a call is about.

use crate::dialect::{Carriage, Dialect};
use crate::refusal::Refusal;
use barmkin_host::{Client, ClientAddress, Head};
use http::header::HOST;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use std::net::IpAddr;

const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const AUTHORITY: HeaderName = HeaderName::from_static("x-forwarded-host");
const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The request that a call from `peer` is about.
///
/// # Errors
/// Where the proxy does not say, once and readably, what it was about.
pub(crate) fn read(
    dialect: &Dialect,
    mut parts: Parts,
    peer: IpAddr,
    address: &ClientAddress,
) -> Result<Head, Refusal> {
    let headers = &mut parts.headers;
    let https = match take(headers, PROTO)?.as_bytes() {
        b"https" | b"wss" => true,
        b"http" | b"ws" => false,
        _ => return Err(Refusal::Malformed(PROTO)),
    };
    let client = Client {
        // The peer is a proxy, never the client.
        address: headers.contains_key(FOR).then(|| address.resolve(Some(peer), headers)).flatten(),
        tls: https,
        // Of these proxies, Envoy alone does not pass on a client's request id.
        trusted: matches!(dialect, Dialect::EnvoyHttp { .. }),
        ..Client::default()
    };
    let (method, target, authority) = match dialect.carriage() {
        Carriage::Fields { method: method_field, target: target_field } => {
            let method = take(headers, method_field.clone())?;
            let method = Method::from_bytes(method.as_bytes()).map_err(|_| Refusal::Malformed(method_field))?;
            let target = text(take(headers, target_field.clone())?, target_field)?;
            // It names this endpoint, or repeats what the proxy says.
            headers.remove(HOST);
            (method, target, text(take(headers, AUTHORITY)?, AUTHORITY)?)
        }
        Carriage::RequestLine { path_prefix } => {
            let target = parts.uri.path_and_query().map_or("", |target| target.as_str());
            let target = target.strip_prefix(path_prefix).ok_or(Refusal::WithoutPrefix)?.to_owned();
            (parts.method, target, text(take(headers, HOST)?, HOST)?)
        }
    };
    Ok(Head {
        method,
        scheme: if https { "https" } else { "http" },
        authority: Some(authority),
        target,
        headers: parts.headers,
        client,
    })
}

/// Takes the one value of field `name`.
fn take(headers: &mut HeaderMap, name: HeaderName) -> Result<HeaderValue, Refusal> {
    if headers.get_all(&name).iter().nth(1).is_some() {
        return Err(Refusal::Ambiguous(name));
    }
    headers.remove(&name).filter(|value| !value.is_empty()).ok_or(Refusal::Missing(name))
}

fn text(value: HeaderValue, name: HeaderName) -> Result<String, Refusal> {
    String::from_utf8(value.as_bytes().to_vec()).map_err(|_| Refusal::Malformed(name))
}
