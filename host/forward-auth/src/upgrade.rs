//! Protocols that clients ask to change to.

use http::header::{HeaderMap, UPGRADE};

/// Whether everything that `headers` ask to change to is in `allowed`, and is
/// one protocol.
///
/// Behind a change, requests would pass that nobody asks the gate about. The
/// proxy, not this endpoint, would carry it out; whether it does with
/// `connection` or without cannot be told from here, so that does not matter.
pub(crate) fn is_allowed(headers: &HeaderMap, allowed: &[Box<str>]) -> bool {
    if headers.contains_key("http2-settings") {
        return false;
    }
    let mut values = headers.get_all(UPGRADE).iter();
    let Some(protocol) = values.next() else { return true };
    values.next().is_none() && allowed.iter().any(|name| protocol.as_bytes().eq_ignore_ascii_case(name.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::is_allowed;
    use http::HeaderMap;

    fn allowed(fields: &[(&'static str, &'static str)]) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, value.parse().unwrap());
        }
        is_allowed(&headers, &["websocket".into()])
    }

    #[test]
    fn only_one_listed_protocol_may_be_asked_for() {
        assert!(allowed(&[]));
        assert!(allowed(&[("connection", "upgrade"), ("upgrade", "WebSocket")]));
        for fields in [
            &[("upgrade", "h2c")][..],
            &[("upgrade", "websocket, h2c")],
            &[("upgrade", "websocket"), ("upgrade", "h2c")],
            &[("upgrade", "websocket/13")],
            &[("upgrade", "")],
            &[("http2-settings", "AAMAAABkAAQAAP__")],
            &[("upgrade", "TLS/1.0")],
        ] {
            assert!(!allowed(fields), "{fields:?}");
        }
    }
}
