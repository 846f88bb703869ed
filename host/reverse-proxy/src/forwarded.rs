//! Tells the upstream where a request came from.

use http::header::{HOST, HeaderName, HeaderValue};
use http::{HeaderMap, Uri};
use std::borrow::Cow;
use std::net::IpAddr;

const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const HOST_AS_ASKED: HeaderName = HeaderName::from_static("x-forwarded-host");

/// Other fields that servers take for the client's address, the connection's
/// scheme, or their own surroundings (CGI has `proxy` as `HTTP_PROXY`).
const OTHER_CLAIMS: [&str; 15] = [
    "cf-connecting-ip",
    "fastly-client-ip",
    "forwarded",
    "front-end-https",
    "proxy",
    "true-client-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-forwarded",
    "x-original-forwarded-for",
    "x-original-host",
    "x-original-method",
    "x-original-proto",
    "x-original-uri",
    "x-real-ip",
];

/// Whether field `name` claims where a request came from, and whether it is
/// written as proxies write it: servers that speak CGI or WSGI read `_`, and some
/// any punctuation, as `-`.
fn claim(name: &HeaderName) -> (bool, bool) {
    let is_plain = |char: char| char.is_ascii_alphanumeric() || char == '-';
    let as_written = name.as_str().chars().all(is_plain);
    let folded =
        if as_written { name.as_str().into() } else { Cow::from(name.as_str().replace(|char| !is_plain(char), "-")) };
    let claims = ["x-forwarded-", "x-envoy-original-"].iter().any(|start| folded.starts_with(start));
    (claims || OTHER_CLAIMS.contains(&&*folded), as_written)
}

/// Sets `x-forwarded-for`, `-proto` and `-host`. What the client said of them
/// is kept only if it is a trusted proxy, which would not have written it otherwise.
pub(crate) fn tell(headers: &mut HeaderMap, peer: Option<IpAddr>, trusted: bool, tls: bool, uri: &Uri) {
    let is_forged = |name: &&HeaderName| matches!(claim(name), (true, as_written) if !(trusted && as_written));
    let forged: Vec<_> = headers.keys().filter(is_forged).cloned().collect();
    for name in forged {
        headers.remove(name);
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

    const CLAIMS: [&str; 9] = [
        "proxy",
        "x-original-host",
        "x-envoy-original-path",
        "x-real-ip",
        "x-forwarded-port",
        "x-forwarded-prefix",
        "true-client-ip",
        "cf-connecting-ip",
        "x-original-forwarded-for",
    ];
    const SPELT: [&str; 4] = ["x_forwarded_ssl", "x-forwarded_prefix", "true_client_ip", "front.end.https"];

    fn told(trusted: bool, tls: bool) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, "app".parse().unwrap());
        headers.append(FOR, "192.0.2.1".parse().unwrap());
        headers.append(FOR, "192.0.2.2".parse().unwrap());
        headers.insert(PROTO, "https".parse().unwrap());
        headers.insert("forwarded", "for=192.0.2.1".parse().unwrap());
        for claim in CLAIMS.into_iter().chain(SPELT) {
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
        for claim in CLAIMS {
            assert!(headers.contains_key(claim), "{claim}");
        }
        for spelt in SPELT {
            assert!(!headers.contains_key(spelt), "{spelt}");
        }
    }

    #[test]
    fn anybody_else_is_not() {
        let headers = told(false, false);
        assert_eq!(headers.get_all(FOR).iter().collect::<Vec<_>>(), ["10.0.0.1"]);
        assert_eq!((&headers[PROTO], &headers[HOST_AS_ASKED]), (&"http".parse().unwrap(), &"app".parse().unwrap()));
        for claim in CLAIMS.into_iter().chain(SPELT).chain(["forwarded"]) {
            assert!(!headers.contains_key(claim), "{claim}");
        }
        assert_eq!(told(false, true)[PROTO], "https");
    }
}
