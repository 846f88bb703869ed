//! Tells the upstream where a request came from.

use http::header::{FORWARDED, HOST, HeaderName, HeaderValue};
use http::{HeaderMap, Uri};
use std::net::IpAddr;

const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const HOST_AS_ASKED: HeaderName = HeaderName::from_static("x-forwarded-host");

/// What else servers take for the client's address or the connection's scheme.
const OTHER_CLAIMS: [HeaderName; 5] = [
    FORWARDED,
    HeaderName::from_static("x-real-ip"),
    HeaderName::from_static("x-client-ip"),
    HeaderName::from_static("true-client-ip"),
    HeaderName::from_static("front-end-https"),
];

/// Sets `x-forwarded-for`, `-proto` and `-host`. What the client said of them
/// is kept only if it is a trusted proxy.
pub(crate) fn tell(headers: &mut HeaderMap, peer: Option<IpAddr>, trusted: bool, tls: bool, uri: &Uri) {
    if !trusted {
        let claims = |name: &HeaderName| name.as_str().starts_with("x-forwarded-") || OTHER_CLAIMS.contains(name);
        let claims: Vec<_> = headers.keys().filter(|name| claims(name)).cloned().collect();
        for name in claims {
            headers.remove(name);
        }
    }
    if let Some(peer) = peer {
        let mut path = Vec::new();
        for value in headers.get_all(&FOR) {
            path.extend_from_slice(value.as_bytes());
            path.extend_from_slice(b", ");
        }
        path.extend_from_slice(peer.to_canonical().to_string().as_bytes());
        if let Ok(path) = HeaderValue::from_bytes(&path) {
            headers.insert(FOR, path);
        }
    }
    headers.entry(PROTO).or_insert(HeaderValue::from_static(if tls { "https" } else { "http" }));
    let asked = headers.get(HOST).cloned().or_else(|| HeaderValue::from_str(uri.authority()?.as_str()).ok());
    if let Some(asked) = asked {
        headers.entry(HOST_AS_ASKED).or_insert(asked);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(trusted: bool, tls: bool) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, "app".parse().unwrap());
        headers.append(FOR, "192.0.2.1".parse().unwrap());
        headers.append(FOR, "192.0.2.2".parse().unwrap());
        headers.insert(PROTO, "https".parse().unwrap());
        headers.insert(FORWARDED, "for=192.0.2.1".parse().unwrap());
        for claim in ["x-real-ip", "x-forwarded-port", "x-forwarded-prefix", "true-client-ip"] {
            headers.insert(claim, "1".parse().unwrap());
        }
        tell(&mut headers, Some("10.0.0.1".parse().unwrap()), trusted, tls, &Uri::from_static("/"));
        headers
    }

    #[test]
    fn a_trusted_proxy_is_believed() {
        let headers = told(true, false);
        assert_eq!(headers[FOR], "192.0.2.1, 192.0.2.2, 10.0.0.1");
        assert_eq!(headers[PROTO], "https");
        assert!(headers.contains_key(FORWARDED));
    }

    #[test]
    fn anybody_else_is_not() {
        let headers = told(false, false);
        assert_eq!(headers.get_all(FOR).iter().collect::<Vec<_>>(), ["10.0.0.1"]);
        assert_eq!((&headers[PROTO], &headers[HOST_AS_ASKED]), (&"http".parse().unwrap(), &"app".parse().unwrap()));
        for claim in ["forwarded", "x-real-ip", "x-forwarded-port", "x-forwarded-prefix", "true-client-ip"] {
            assert!(!headers.contains_key(claim), "{claim}");
        }
        assert_eq!(told(false, true)[PROTO], "https");
    }
}
