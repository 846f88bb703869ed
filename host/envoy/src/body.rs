//! Whether what Envoy sends is all of the body.

use barmkin_host::Body;
use bytes::Bytes;
use envoy_types::pb::envoy::service::auth::v3::attribute_context::HttpRequest;
use http::HeaderMap;
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};

/// Envoy adds it when it sends a body, and says whether that is a part only.
const PARTIAL: &str = "x-envoy-auth-partial-body";

/// The characters that may stand in a text for invalid bytes: U+FFFD, and the
/// one that Envoy's `sanitizeUtf8String` writes.
const REPLACEMENTS: [char; 2] = ['!', '\u{fffd}'];

const NOT_AS_BYTES: &str = "Envoy sends the body as text, which is not always its bytes: write `pack_as_bytes: true` in its `with_request_body`";
const NOT_SENT: &str = "Envoy did not send the body: give its filter `with_request_body`";
const CUT_SHORT: &str =
    "Envoy cut the body short: its `max_request_bytes` is less than the `body-limit` of this listener";

/// Takes the body out of `http`. A body never counts as whole while anything
/// speaks against it.
pub(crate) fn read(http: &mut HttpRequest, headers: &mut HeaderMap, bytes_max: Option<usize>) -> Body {
    // A client that forges this field can only get its own request denied.
    let partial = headers.get_all(PARTIAL).iter().any(|value| value == "true");
    headers.remove(PARTIAL);
    let Some(bytes_max) = bytes_max else { return Body::NotCarried };
    let declared = declared_length(headers);
    let body = if http.body.is_empty() {
        Bytes::from(std::mem::take(&mut http.raw_body))
    } else {
        // Where a byte is not text, Envoy writes another in its place.
        let text = std::mem::take(&mut http.body);
        if declared != Some(text.len() as u64) || text.contains(REPLACEMENTS) {
            return Body::Withheld(NOT_AS_BYTES);
        }
        text.into()
    };
    if body.is_empty() && (announces_body(headers) || http.size > 0) {
        return Body::Withheld(NOT_SENT);
    }
    if partial && declared != Some(body.len() as u64) {
        return if body.len() < bytes_max { Body::Withheld(CUT_SHORT) } else { Body::TooLarge };
    }
    let short = declared.is_some_and(|declared| declared != body.len() as u64);
    if partial || short || http.size > body.len() as i64 {
        return Body::Truncated;
    }
    Body::Whole(body)
}

fn announces_body(headers: &HeaderMap) -> bool {
    headers.contains_key(TRANSFER_ENCODING) || headers.get_all(CONTENT_LENGTH).iter().any(|length| length != "0")
}

/// The length that the client declared; an unreadable declaration matches no
/// length.
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
        assert!(truncated(body(b"ab", 2, &[("content-length", "3")])));
        assert!(truncated(body(b"ab", 2, &[("content-length", "two")])));
        assert!(truncated(body(b"ab", 3, &[])));
        let partial = ("x-envoy-auth-partial-body", "true");
        let twice = [("x-envoy-auth-partial-body", "false"), partial];
        assert!(matches!(body(&[b'a'; 1_024], -1, &twice), Body::TooLarge));
        // A client forged it.
        assert!(truncated(body(b"ab", 2, &[partial, ("content-length", "2")])));
    }

    /// The operator of the proxy must act, and not the client.
    #[test]
    fn a_body_that_was_not_sent_as_it_is_names_the_line_to_change() {
        let withheld = |body: Body, line: &str| matches!(body, Body::Withheld(cause) if cause.contains(line));
        assert!(withheld(body(b"", -1, &[("content-length", "2")]), "with_request_body"));
        assert!(withheld(body(b"", -1, &[("transfer-encoding", "chunked")]), "with_request_body"));
        assert!(withheld(body(b"", 2, &[]), "with_request_body"));
        assert!(withheld(body(b"ab", -1, &[("x-envoy-auth-partial-body", "true")]), "max_request_bytes"));
        for text in ["wow!", "a\u{fffd}", "tex"] {
            assert!(withheld(as_text(text, "4"), "pack_as_bytes"), "{text}");
        }
        let mut bytes = HttpRequest { raw_body: b"ab".to_vec(), ..HttpRequest::default() };
        assert!(matches!(read(&mut bytes, &mut HeaderMap::new(), None), Body::NotCarried));
    }

    #[test]
    fn a_text_of_the_declared_length_in_which_nothing_was_replaced_is_the_body() {
        assert!(matches!(as_text("t\u{e9}x", "4"), Body::Whole(bytes) if bytes == "t\u{e9}x"));
    }

    fn as_text(text: &str, length: &'static str) -> Body {
        let mut http = HttpRequest { body: text.into(), ..HttpRequest::default() };
        let mut headers = HeaderMap::from_iter([(http::header::CONTENT_LENGTH, length.parse().unwrap())]);
        read(&mut http, &mut headers, Some(1_024))
    }
}
