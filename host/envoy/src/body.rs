//! Whether what Envoy sends is all of the body (law 8).

use barmkin_host::Body;
use bytes::Bytes;
use envoy_types::pb::envoy::service::auth::v3::attribute_context::HttpRequest;
use http::HeaderMap;
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};

/// Envoy adds it when it sends a body, and says whether that is a part only.
const PARTIAL: &str = "x-envoy-auth-partial-body";

/// Takes the body out of `http`. A body never counts as whole while anything
/// speaks against it.
pub(crate) fn read(http: &mut HttpRequest, headers: &mut HeaderMap, bytes_max: Option<usize>) -> Body {
    // A client that forges this field can but have its own request denied.
    let partial = headers.get_all(PARTIAL).iter().any(|value| value == "true");
    headers.remove(PARTIAL);
    if bytes_max.is_none() || !http.body.is_empty() {
        // In a body as text, Envoy has replaced the bytes that are none.
        return Body::NotCarried;
    }
    let body = Bytes::from(std::mem::take(&mut http.raw_body));
    if body.is_empty() && (announces_body(headers) || http.size > 0) {
        return Body::NotCarried;
    }
    let short = declared_length(headers).is_some_and(|declared| declared != body.len() as u64);
    if partial || short || http.size > body.len() as i64 {
        return Body::Truncated;
    }
    Body::Whole(body)
}

fn announces_body(headers: &HeaderMap) -> bool {
    headers.contains_key(TRANSFER_ENCODING) || headers.get_all(CONTENT_LENGTH).iter().any(|length| length != "0")
}

/// What the client declared; an unreadable declaration matches no length.
fn declared_length(headers: &HeaderMap) -> Option<u64> {
    let declared = headers.get(CONTENT_LENGTH)?;
    Some(declared.to_str().ok().and_then(|length| length.parse().ok()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::read;
    use barmkin_host::Body;
    use envoy_types::pb::envoy::service::auth::v3::attribute_context::HttpRequest;
    use http::{HeaderMap, HeaderName};

    fn body(bytes: &[u8], size: i64, fields: &[(&'static str, &str)]) -> Body {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(HeaderName::from_static(name), value.parse().unwrap());
        }
        let mut http = HttpRequest { raw_body: bytes.to_vec(), size, ..HttpRequest::default() };
        read(&mut http, &mut headers, Some(1_024))
    }

    #[test]
    fn a_body_is_whole_when_nothing_speaks_against_it() {
        let whole = |body: Body| matches!(body, Body::Whole(_));
        assert!(whole(body(b"", -1, &[])));
        assert!(whole(body(b"", 0, &[("content-length", "0")])));
        assert!(whole(body(b"\xff\x00", 2, &[("content-length", "2"), ("x-envoy-auth-partial-body", "false")])));
        assert!(whole(body(b"ab", -1, &[("transfer-encoding", "chunked")])));
    }

    #[test]
    fn a_part_of_a_body_is_not_all_of_it() {
        let truncated = |body: Body| matches!(body, Body::Truncated);
        assert!(truncated(body(b"ab", 2, &[("x-envoy-auth-partial-body", "true")])));
        assert!(truncated(body(
            b"ab",
            2,
            &[("x-envoy-auth-partial-body", "false"), ("x-envoy-auth-partial-body", "true")]
        )));
        assert!(truncated(body(b"ab", 2, &[("content-length", "3")])));
        assert!(truncated(body(b"ab", 2, &[("content-length", "two")])));
        assert!(truncated(body(b"ab", 3, &[])));
    }

    #[test]
    fn a_body_that_was_not_sent_is_not_an_empty_one() {
        let not_carried = |body: Body| matches!(body, Body::NotCarried);
        assert!(not_carried(body(b"", -1, &[("content-length", "2")])));
        assert!(not_carried(body(b"", -1, &[("transfer-encoding", "chunked")])));
        assert!(not_carried(body(b"", 2, &[])));
        let mut text = HttpRequest { body: "text".into(), ..HttpRequest::default() };
        assert!(not_carried(read(&mut text, &mut HeaderMap::new(), Some(1_024))));
        let mut bytes = HttpRequest { raw_body: b"ab".to_vec(), ..HttpRequest::default() };
        assert!(not_carried(read(&mut bytes, &mut HeaderMap::new(), None)));
    }
}
