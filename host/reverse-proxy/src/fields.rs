//! Fields that concern one connection only (RFC 9110 section 7.6.1).

use http::HeaderMap;
use http::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, HOST, HeaderName, HeaderValue, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};

const OF_ONE_CONNECTION: [HeaderName; 7] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Removes what concerns the connection that a message came by.
pub(crate) fn strip(headers: &mut HeaderMap) {
    // What frames and routes a message is not the connection's to remove.
    let named: Vec<_> = options(headers).filter(|name| *name != HOST && *name != CONTENT_LENGTH).collect();
    for name in named.iter().chain(&OF_ONE_CONNECTION) {
        headers.remove(name);
    }
}

/// Removes from a request what no policy shall see, since nobody behind will:
/// what concerns the connection, and what this server answers by itself. What
/// says how the message is framed, and which further fields concern the
/// connection, stays for the gate to judge; [`strip`] removes it behind it.
pub(crate) fn strip_for_gate(headers: &mut HeaderMap) {
    for name in OF_ONE_CONNECTION.iter().filter(|name| **name != CONNECTION && **name != TRANSFER_ENCODING) {
        headers.remove(name);
    }
    headers.remove(EXPECT);
    headers.remove("http2-settings");
}

/// Whether a client says that it takes trailers.
pub(crate) fn takes_trailers(headers: &HeaderMap) -> bool {
    let values = headers.get_all(TE).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|coding| coding.trim().eq_ignore_ascii_case("trailers"))
}

/// Asks for a protocol, or agrees to it.
pub(crate) fn set_protocol(headers: &mut HeaderMap, protocol: HeaderValue) {
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, protocol);
}

/// The options that `connection` lists.
pub(crate) fn options(headers: &HeaderMap) -> impl Iterator<Item = HeaderName> + '_ {
    let values = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).filter_map(|option| option.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn connection_names_what_goes_but_not_how_a_message_is_framed() {
        let mut headers = headers(&[
            ("connection", "close, X-Secret"),
            ("connection", "host, content-length"),
            ("x-secret", "1"),
            ("keep-alive", "timeout=5"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("host", "a"),
            ("content-length", "3"),
            ("x-kept", "1"),
        ]);
        strip_for_gate(&mut headers);
        for judged in ["connection", "transfer-encoding", "x-secret"] {
            assert!(headers.contains_key(judged), "{judged} is for the gate");
        }
        strip(&mut headers);
        let mut left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["content-length", "host", "x-kept"]);
    }
}
