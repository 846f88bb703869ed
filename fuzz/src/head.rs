//! A request's head as anybody can send it.

use barmkin_host::{Client, Head};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

/// Bytes of a target for a gate whose policy says the path: what is longer is
/// refused in some spellings, and the policy could not say it.
pub(crate) const TARGET_BYTES_MAX: usize = 1_024;

/// Reads a head: the first line is the method and the target, the second the
/// authority, the others are fields. `None` where no server would come so far.
pub(crate) fn read(input: &[u8]) -> Option<Head> {
    let mut lines = input.split(|byte| *byte == b'\n');
    let first = std::str::from_utf8(lines.next()?).ok()?;
    let (method, target) = first.split_once(' ')?;
    let authority = std::str::from_utf8(lines.next().unwrap_or_default()).ok()?;
    let mut headers = HeaderMap::new();
    for line in lines {
        let mut parts = line.splitn(2, |byte| *byte == b':');
        let name = HeaderName::from_bytes(parts.next()?).ok()?;
        let value = parts.next().unwrap_or_default().trim_ascii();
        headers.try_append(name, HeaderValue::from_bytes(value).ok()?).ok()?;
    }
    Some(Head {
        method: Method::from_bytes(method.as_bytes()).ok()?,
        version: http::Version::HTTP_10,
        scheme: "https",
        authority: Some(authority.to_owned()).filter(|authority| !authority.is_empty()),
        target: target.to_owned(),
        headers,
        client: Client::default(),
    })
}
