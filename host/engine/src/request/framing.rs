//! Fields that concern one connection only (RFC 9110, section 7.6.1; RFC 9112,
//! section 6.1).

use crate::reason::HostReason;
use http::header::{CONNECTION, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName};

/// Refuses a body with a coding besides `chunked`: a server that decodes the
/// chunks would pass it on without saying what it is.
pub(super) fn check_codings(headers: &HeaderMap) -> Result<(), HostReason> {
    let mut fields = headers.get_all(TRANSFER_ENCODING).iter();
    let Some(coding) = fields.next() else { return Ok(()) };
    if fields.next().is_none() && coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked") {
        return Ok(());
    }
    Err(HostReason::TransferCodingUnsupported)
}

/// The fields that `connection` names.
pub(crate) fn connection_options(headers: &HeaderMap) -> impl Iterator<Item = HeaderName> + '_ {
    let values = headers.get_all(CONNECTION).iter().map(|value| value.as_bytes());
    let options = values.flat_map(|value| value.split(|byte| *byte == b','));
    options.filter_map(|option| HeaderName::from_bytes(option.trim_ascii()).ok())
}

#[cfg(test)]
mod tests {
    use super::{check_codings, connection_options};
    use http::header::{CONNECTION, TRANSFER_ENCODING};
    use http::{HeaderMap, HeaderName, HeaderValue};

    fn headers(name: HeaderName, values: &[&[u8]]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(name.clone(), HeaderValue::from_bytes(value).unwrap());
        }
        headers
    }

    #[test]
    fn chunked_is_the_only_coding() {
        let codings = |values: &[&[u8]]| check_codings(&headers(TRANSFER_ENCODING, values)).is_ok();
        assert!(codings(&[]) && codings(&[b"chunked"]) && codings(&[b" Chunked "]));
        for values in [
            &[&b"gzip, chunked"[..]][..],
            &[b"gzip", b"chunked"],
            &[b"chunked", b"chunked"],
            &[b"chunked, chunked"],
            &[b"identity"],
            &[b""],
            &[b"chunked;a=b"],
            &[b"xchunked"],
        ] {
            assert!(!codings(values), "{values:?}");
        }
    }

    #[test]
    fn every_option_is_found_however_it_is_written() {
        let headers = headers(CONNECTION, &[b"close, X-Secret,,", b"\xff, barmkin-principal ,upgrade"]);
        let options: Vec<_> = connection_options(&headers).map(|name| name.to_string()).collect();
        assert_eq!(options, ["close", "x-secret", "barmkin-principal", "upgrade"]);
    }
}
