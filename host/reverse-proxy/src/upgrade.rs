//! Which change of protocol a client asks for, and whether it may have it.

use crate::fields::options;
use http::header::{CONTENT_LENGTH, HeaderValue, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, Method, Version};

/// The one protocol that a client asks to change to, and may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RequestedUpgrade(pub(crate) HeaderValue);

/// A client asks for a protocol that it may not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UpgradeRefused;

/// Reads which protocol a request asks for.
///
/// An offer of HTTP/2 alone is what some clients send with their first request
/// of all: it is declined by answering in HTTP/1.1, as RFC 9110, section 7.8,
/// lets a server do. Tunnels begin with a request that has no body, since
/// bytes after it would be read as part of the tunnel by one side only.
///
/// # Errors
/// When it asks for something else than one protocol of `allowed`.
pub(crate) fn requested(
    method: &Method,
    version: Version,
    headers: &HeaderMap,
    allowed: &[Box<str>],
) -> Result<Option<RequestedUpgrade>, UpgradeRefused> {
    if version != Version::HTTP_11 || !options(headers).any(|option| option == UPGRADE) {
        return Ok(None);
    }
    let mut protocols = headers.get_all(UPGRADE).iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    let Some(first) = protocols.next().map(<[u8]>::trim_ascii) else { return Ok(None) };
    let is = |name: &str| first.eq_ignore_ascii_case(name.as_bytes());
    if protocols.next().is_some() {
        return Err(UpgradeRefused);
    }
    if is("h2c") {
        return Ok(None);
    }
    if !allowed.iter().any(|name| is(name)) {
        return Err(UpgradeRefused);
    }
    let bodiless = !headers.contains_key(CONTENT_LENGTH) && !headers.contains_key(TRANSFER_ENCODING);
    if *method != Method::GET || !bodiless {
        return Ok(None);
    }
    Ok(HeaderValue::from_bytes(first).ok().map(RequestedUpgrade))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderName;

    fn asked(method: Method, fields: &[(&str, &str)]) -> Result<Option<RequestedUpgrade>, UpgradeRefused> {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
        }
        requested(&method, Version::HTTP_11, &headers, &["websocket".into()])
    }

    #[test]
    fn one_listed_protocol_is_passed_on() {
        let upgrade = |protocol| asked(Method::GET, &[("connection", "keep-alive, Upgrade"), ("upgrade", protocol)]);
        let websocket = |text| Ok(Some(RequestedUpgrade(HeaderValue::from_static(text))));
        assert_eq!(upgrade("websocket"), websocket("websocket"));
        assert_eq!(upgrade("WebSocket"), websocket("WebSocket"));
        assert_eq!(upgrade("h2c"), Ok(None));
        for other in ["other", "websocket/13", "websocket, h2c", "h2c, websocket", "h2", "TLS/1.0", ""] {
            assert_eq!(upgrade(other), Err(UpgradeRefused), "{other}");
        }
        let twice = [("connection", "upgrade"), ("upgrade", "websocket"), ("upgrade", "other")];
        assert_eq!(asked(Method::GET, &twice), Err(UpgradeRefused));
    }

    #[test]
    fn a_request_with_a_body_begins_no_tunnel() {
        let fields = [("connection", "upgrade"), ("upgrade", "websocket"), ("content-length", "1")];
        assert_eq!(asked(Method::GET, &fields), Ok(None));
        assert_eq!(asked(Method::POST, &fields[..2]), Ok(None));
        assert_eq!(asked(Method::GET, &fields[1..2]), Ok(None), "without `connection` it asks for nothing");
    }
}
