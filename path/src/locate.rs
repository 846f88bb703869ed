//! The byte of a path because of which it has no normal form.
//!
//! This is for people who read logs: [`normalize`](crate::normalize) alone decides
//! what is refused.

/// The offset of the byte for which `path` has no normal form, and why; `None`
/// if it has one.
#[must_use]
pub fn locate(path: &str) -> Option<(usize, &'static str)> {
    if !path.starts_with('/') {
        return Some((0, "a path begins with `/`"));
    }
    let (mut text, mut rest, mut at) = (Vec::new(), path.as_bytes(), 0);
    while let Some((byte, after)) = rest.split_first() {
        let (decoded, length) = match byte {
            b'%' => match escaped(after) {
                Some(decoded) => (decoded, 3),
                None => return Some((at, "two hexadecimal digits must follow a `%`")),
            },
            byte => (*byte, 1),
        };
        if let Some(why) = fault(decoded, length == 3) {
            return Some((at, why));
        }
        text.push(decoded);
        rest = rest.get(length..).unwrap_or_default();
        at += length;
    }
    let (offset, why) = match std::str::from_utf8(&text) {
        Err(error) => (error.valid_up_to(), "bytes that are not UTF-8"),
        Ok(text) => decoded_fault(text)?,
    };
    Some((locate_decoded(path, offset), why))
}

/// The offset in `path` of a byte of what it decodes to.
#[must_use]
pub fn locate_decoded(path: &str, offset: usize) -> usize {
    let mut at = 0;
    for _ in 0..offset {
        at += if path.as_bytes().get(at) == Some(&b'%') { 3 } else { 1 };
    }
    at
}

fn escaped(after: &[u8]) -> Option<u8> {
    let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    u8::try_from(digit(after.first())? * 16 + digit(after.get(1))?).ok()
}

fn fault(byte: u8, escaped: bool) -> Option<&'static str> {
    Some(match (byte, escaped) {
        (b'/', true) => "an encoded slash, at which some backends divide the path",
        (b'\\', _) => "a backslash, which some backends read as a slash",
        (b';', _) => "a `;`, behind which some backends read parameters",
        (b'?' | b'#', true) => "an encoded `?` or `#`, at which some backends end the path",
        (byte, true) if byte.is_ascii_control() => "an encoded control character, at which some backends end the path",
        (b'?' | b'#' | b'"' | b'<' | b'>' | b'^' | b'`' | b'{' | b'}', false) => "it must be percent-encoded",
        (byte, false) if !byte.is_ascii_graphic() => "it must be percent-encoded",
        _ => return None,
    })
}

fn decoded_fault(text: &str) -> Option<(usize, &'static str)> {
    let twice = text.bytes().enumerate().filter(|(_, byte)| *byte == b'%').map(|(at, _)| at).find(|at| {
        let rest = text.as_bytes().get(at + 1..).unwrap_or_default();
        escaped(rest).is_some() || matches!(rest, [b'u' | b'U', digits @ ..] if digits.len() >= 4 && digits.iter().take(4).all(u8::is_ascii_hexdigit))
    });
    if let Some(at) = twice {
        return Some((at, "an encoding of an encoding, which some backends decode once more"));
    }
    let mut start = 1;
    for segment in text.split('/').skip(1) {
        let is_last = start + segment.len() == text.len();
        match segment {
            "." | ".." => return Some((start, "a dot segment, which some backends resolve")),
            "" if !is_last => return Some((start, "an empty segment, which some backends leave out")),
            _ => start += segment.len() + 1,
        }
    }
    None
}
