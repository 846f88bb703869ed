//! One reading of a path, or none (law 5).
//!
//! Backends decode, merge slashes, resolve dot segments, strip matrix
//! parameters and fold look-alike characters, each in its own way. A path on
//! which they could differ is refused. What all of them read alike is brought
//! into the normal form of RFC 3986 section 6.2.2, so that policies compare
//! text: percent-encoded unreserved characters are decoded, and the digits of
//! the others are in upper case.

use crate::limits::TARGET_BYTES_MAX;
use crate::reason::HostReason;
use percent_encoding::percent_decode_str;
use unicode_normalization::UnicodeNormalization;

/// A path in normal form.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum CanonicalPath {
    /// It was in normal form: this many bytes of the target.
    AsReceived(usize),
    Rewritten(String),
}

impl CanonicalPath {
    pub(super) fn as_str<'a>(&'a self, target: &'a str) -> &'a str {
        match self {
            Self::AsReceived(len) => target.get(..*len).unwrap_or_default(),
            Self::Rewritten(path) => path,
        }
    }
}

/// The canonical path of a request target (path and query).
pub(super) fn canonical(target: &str) -> Result<CanonicalPath, HostReason> {
    if target.len() > TARGET_BYTES_MAX {
        return Err(HostReason::TargetTooLong);
    }
    if !target.starts_with('/') || !target.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#') {
        return Err(HostReason::MalformedTarget);
    }
    let path = target.split_once('?').map_or(target, |(path, _)| path);
    let plain = path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte));
    let path = if plain { CanonicalPath::AsReceived(path.len()) } else { rewrite(path)? };
    check_segments(path.as_str(target))?;
    Ok(path)
}

/// Whether `path` is what [`canonical`] makes of itself.
pub(crate) fn is_canonical(path: &str) -> bool {
    !path.contains('?') && matches!(canonical(path), Ok(CanonicalPath::AsReceived(_)))
}

fn rewrite(path: &str) -> Result<CanonicalPath, HostReason> {
    let mut out = String::with_capacity(path.len());
    let mut only_ascii = true;
    let mut bytes = path.as_bytes().iter().copied();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => {
                let decoded = decode(bytes.next(), bytes.next())?;
                if is_unreserved(decoded) {
                    out.push(char::from(decoded));
                } else {
                    let mut rest = bytes.clone();
                    check_encoded(decoded, (rest.next(), rest.next()))?;
                    only_ascii &= decoded.is_ascii();
                    push_encoded(&mut out, decoded);
                }
            }
            b';' | b'\\' => return Err(HostReason::AmbiguousPath),
            b'"' | b'<' | b'>' | b'^' | b'`' | b'{' | b'}' => return Err(HostReason::MalformedTarget),
            _ => out.push(char::from(byte)),
        }
    }
    if !only_ascii {
        check_characters(path)?;
    }
    Ok(if out == path { CanonicalPath::AsReceived(path.len()) } else { CanonicalPath::Rewritten(out) })
}

fn decode(high: Option<u8>, low: Option<u8>) -> Result<u8, HostReason> {
    let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
    match (digit(high), digit(low)) {
        (Some(high), Some(low)) => u8::try_from(high * 16 + low).map_err(|_| HostReason::MalformedTarget),
        _ => Err(HostReason::MalformedTarget),
    }
}

/// Whether `decoded`, which was percent-encoded before `rest`, would mean
/// something else to a backend that decodes before it splits, or twice.
fn check_encoded(decoded: u8, rest: (Option<u8>, Option<u8>)) -> Result<(), HostReason> {
    let hides_structure = matches!(decoded, b'/' | b'\\' | b';' | b'?' | b'#');
    let decodes_twice = decoded == b'%' && decode(rest.0, rest.1).is_ok();
    if decoded.is_ascii_control() || hides_structure || decodes_twice {
        return Err(HostReason::AmbiguousPath);
    }
    Ok(())
}

/// Refuses what is not UTF-8 (such as overlong forms) and characters that
/// some backend could take for an ASCII one: compatibility forms (`／`) and
/// those that change into ASCII with their case (`ı`, `K`).
fn check_characters(path: &str) -> Result<(), HostReason> {
    let text = percent_decode_str(path).decode_utf8().map_err(|_| HostReason::AmbiguousPath)?;
    let becomes_ascii = |char: char| {
        let mut upper = char.to_uppercase();
        !char.is_ascii()
            && (std::iter::once(char).nfkc().any(|c| c.is_ascii())
                || char.to_lowercase().any(|c| c.is_ascii())
                || (upper.len() == 1 && upper.any(|c| c.is_ascii())))
    };
    if text.chars().any(becomes_ascii) { Err(HostReason::AmbiguousPath) } else { Ok(()) }
}

fn check_segments(path: &str) -> Result<(), HostReason> {
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let empty_inside = segment.is_empty() && segments.peek().is_some();
        if empty_inside || segment == "." || segment == ".." {
            return Err(HostReason::AmbiguousPath);
        }
    }
    Ok(())
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

fn push_encoded(out: &mut String, byte: u8) {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0').to_ascii_uppercase();
    out.extend(['%', digit(byte >> 4), digit(byte & 0xf)]);
}

#[cfg(test)]
mod tests {
    use super::canonical;
    use crate::reason::HostReason;
    use proptest::prelude::*;

    #[test]
    fn equal_paths_have_one_form() {
        for (target, path) in [
            ("/", "/"),
            ("/a/b/", "/a/b/"),
            ("/%61dmin?x=%2f", "/admin"),
            ("/public/a%20b", "/public/a%20b"),
            ("/public/caf%c3%a9", "/public/caf%C3%A9"),
            ("/a%25?", "/a%25"),
            ("/v1/@me/*/x:y,z", "/v1/@me/*/x:y,z"),
        ] {
            assert_eq!(canonical(target).unwrap().as_str(target), path, "{target}");
        }
    }

    #[test]
    fn paths_with_two_readings_are_refused() {
        for target in [
            "/a/../b",
            "/a/%2e%2E/b",
            "/a/./b",
            "/.",
            "/a/..",
            "//a",
            "/a//b",
            "/a//",
            "/a%2fb",
            "/a%5Cb",
            "/a\\b",
            "/a;x=1/b",
            "/a%3bx",
            "/a%00",
            "/a%0a",
            "/%2561",
            "/%c0%ae",
            "/%ef%bc%8fadmin",
            "/adm%C4%B1n",
            "/%E2%84%AAey",
            "/a%3Fb",
            "/a%23",
            "/%C3a%A9",
        ] {
            assert_eq!(canonical(target).err(), Some(HostReason::AmbiguousPath), "{target}");
        }
        for target in ["", "*", "a", "http://a/b", "/a b", "/a#b", "/%", "/%zz", "/a%1", "/é", "/a\u{0}", "/{a}"] {
            assert_eq!(canonical(target).err(), Some(HostReason::MalformedTarget), "{target}");
        }
    }

    proptest! {
        #[test]
        fn the_normal_form_is_its_own_normal_form(target in "/[ -~é]{0,40}") {
            if let Ok(path) = canonical(&target) {
                let path = path.as_str(&target).to_owned();
                let again = canonical(&path).unwrap();
                prop_assert_eq!(again.as_str(&path), &path);
            }
        }
    }
}
