//! The one normal form of a path: for requests, for routes, and for the paths
//! that policies are configured with.
//!
//! Backends decode a path, merge its slashes, resolve its dot segments and
//! strip its parameters, each in its own way. A path on which they could
//! differ is refused. A path that all of them read alike has one normal form (RFC 3986,
//! section 6.2.2), so that text can be compared: characters that may stand bare in
//! a segment stand bare, and everything else is percent-encoded in capitals.
//!
//! The rules are checked on what a path decodes to, never on how it is
//! written: `/%25%36%31` and `/%2561` decode to the same text, and are refused
//! alike.
//!
//! Architecture invariant: this crate knows neither the host nor the contract,
//! and has no dependencies, since it is compiled into policies too.

mod locate;

pub use locate::{locate, locate_decoded};

use std::borrow::Cow;

/// Why a path has no normal form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is not a path.
    Malformed,
    /// Backends could read it in two ways.
    Ambiguous,
}

/// The normal form of `path`: borrowed where `path` is in it already.
///
/// It is a fixed point: the normal form of a normal form is itself.
///
/// # Errors
/// When `path` is not a path, or has more than one reading.
pub fn normalize(path: &str) -> Result<Cow<'_, str>, Fault> {
    if path.bytes().all(is_bare) {
        check_start(path)?;
        check_segments(path)?;
        return Ok(Cow::Borrowed(path));
    }
    let normal = encode(&decode(path)?);
    Ok(if normal == path { Cow::Borrowed(path) } else { Cow::Owned(normal) })
}

/// The text that `path` stands for, which has one reading.
///
/// # Errors
/// As for [`normalize`].
pub fn decode(path: &str) -> Result<String, Fault> {
    check_start(path)?;
    let mut text = Vec::with_capacity(path.len());
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        text.push(match byte {
            b'%' => decode_byte(bytes.next(), bytes.next())?,
            b';' | b'\\' => return Err(Fault::Ambiguous),
            b'?' | b'#' | b'"' | b'<' | b'>' | b'^' | b'`' | b'{' | b'}' => return Err(Fault::Malformed),
            byte if byte.is_ascii_graphic() => byte,
            _ => return Err(Fault::Malformed),
        });
    }
    // Overlong forms and surrogates are not UTF-8; some decoders take them.
    let text = String::from_utf8(text).map_err(|_| Fault::Ambiguous)?;
    if decodes_twice(text.as_bytes()) {
        return Err(Fault::Ambiguous);
    }
    check_segments(&text)?;
    Ok(text)
}

/// The path that stands for `text`, as [`decode`] gives it.
#[must_use]
pub fn encode(text: &str) -> String {
    let mut path = String::with_capacity(text.len());
    for byte in text.bytes() {
        if is_bare(byte) {
            path.push(char::from(byte));
        } else {
            let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0').to_ascii_uppercase();
            path.extend(['%', digit(byte >> 4), digit(byte & 0xf)]);
        }
    }
    path
}

/// A path in the reading of a backend that decodes encoded slashes and merges empty
/// segments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flat<'p> {
    /// The path in that reading; nothing else of it is decoded.
    pub path: String,
    /// Whether there was an encoded slash.
    pub encoded_slashes: bool,
    /// Whether there was an empty segment, once those were decoded.
    pub empty_segments: bool,
    /// The whole segments before the first of either.
    pub plain: &'p str,
}

/// The flat reading of `path`; `None` where there is nothing in it to decode or merge.
#[must_use]
pub fn flatten(path: &str) -> Option<Flat<'_>> {
    let mut flat = String::with_capacity(path.len());
    let (mut encoded_slashes, mut empty_segments) = (false, false);
    let (mut plain, mut segment) = (None, 0);
    let mut rest = path;
    while let Some(char) = rest.chars().next() {
        let at = path.len() - rest.len();
        let after = rest.strip_prefix("%2F").or_else(|| rest.strip_prefix("%2f"));
        let is_slash = char == '/' || after.is_some();
        if after.is_some() {
            encoded_slashes = true;
            plain = plain.or(Some(segment));
        }
        if is_slash && flat.ends_with('/') {
            empty_segments = true;
            plain = plain.or(Some(segment));
        } else {
            flat.push(if is_slash { '/' } else { char });
        }
        if char == '/' {
            segment = at;
        }
        rest = after.unwrap_or_else(|| rest.get(char.len_utf8()..).unwrap_or_default());
    }
    let plain = path.get(..plain?).unwrap_or_default();
    Some(Flat { path: flat, encoded_slashes, empty_segments, plain })
}

/// `pchar` of RFC 3986, section 3.3, and the slash. A semicolon may stand in a
/// segment, too, but begins a parameter there, and is refused.
const fn is_bare(byte: u8) -> bool {
    const BARE: [bool; 256] = {
        let mut bare = [false; 256];
        let mut byte = 0;
        while byte < 256 {
            #[expect(clippy::cast_possible_truncation, reason = "it is below 256")]
            let char = byte as u8;
            #[expect(clippy::indexing_slicing, reason = "it is below 256, and evaluated when compiled")]
            {
                bare[byte] = char.is_ascii_alphanumeric()
                    || matches!(char, b'-' | b'.' | b'_' | b'~' | b'!' | b'$' | b'&' | b'\'' | b'(' | b')')
                    || matches!(char, b'*' | b'+' | b',' | b'=' | b':' | b'@' | b'/');
            }
            byte += 1;
        }
        bare
    };
    #[expect(clippy::indexing_slicing, reason = "a byte is below 256")]
    BARE[byte as usize]
}

fn decode_byte(high: Option<u8>, low: Option<u8>) -> Result<u8, Fault> {
    let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
    let (Some(high), Some(low)) = (digit(high), digit(low)) else { return Err(Fault::Malformed) };
    let byte = u8::try_from(high * 16 + low).map_err(|_| Fault::Malformed)?;
    // A backend may decode before it splits, or cut at a control character.
    let hides_structure = matches!(byte, b'/' | b'\\' | b';' | b'?' | b'#');
    if byte.is_ascii_control() || hides_structure { Err(Fault::Ambiguous) } else { Ok(byte) }
}

/// Whether `text`, which was decoded once, would be something else if it were
/// decoded once more: as RFC 3986 has it, or as `%u0061` (IIS, and JavaScript's
/// `unescape`).
fn decodes_twice(text: &[u8]) -> bool {
    let digits = |text: &[u8]| text.iter().all(u8::is_ascii_hexdigit);
    text.iter().enumerate().filter(|(_, byte)| **byte == b'%').any(|(at, _)| {
        let rest = text.get(at + 1..).unwrap_or_default();
        rest.get(..2).is_some_and(digits)
            || (matches!(rest.first(), Some(b'u' | b'U')) && rest.get(1..5).is_some_and(digits))
    })
}

fn check_start(path: &str) -> Result<(), Fault> {
    if path.starts_with('/') { Ok(()) } else { Err(Fault::Malformed) }
}

/// No segment is empty but the last, and none is resolved against others.
fn check_segments(path: &str) -> Result<(), Fault> {
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let empty_inside = segment.is_empty() && segments.peek().is_some();
        if empty_inside || segment == "." || segment == ".." {
            return Err(Fault::Ambiguous);
        }
    }
    Ok(())
}
