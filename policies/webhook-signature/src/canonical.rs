//! The one text of a signature that can be written in several ways.
//!
//! The host takes only canonical text. Which text of the same bytes a sender
//! wrote says nothing about who it is, and a delivery is told from others by
//! what was signed, so that a rewritten signature makes no second delivery.

use std::borrow::Cow;

use crate::scheme::Encoding;

/// `text` in canonical form. What cannot be a signature stays as it is, and the
/// host refuses it.
pub(crate) fn canonical(encoding: Encoding, text: &str) -> Cow<'_, str> {
    let written = match encoding {
        Encoding::Hex => hex(text),
        Encoding::Base64 => base64(text, ['+', '/'], true),
        Encoding::Base64url => base64(text, ['-', '_'], false),
    };
    written.map_or(Cow::Borrowed(text), Cow::Owned)
}

/// RFC 4648, section 8: digits may be in capitals. `None` where none is.
fn hex(text: &str) -> Option<String> {
    text.bytes().any(|byte| byte.is_ascii_uppercase()).then(|| text.to_ascii_lowercase())
}

/// RFC 4648, sections 4 and 5: the alphabets differ in the digits 62 and 63, and
/// section 3.2: padding may be left out. A text in both alphabets, or with some
/// of its padding, is in no encoding. Bits past the last byte are not touched:
/// the host wants them to be zero (section 3.5).
fn base64(text: &str, [plus, slash]: [char; 2], padded: bool) -> Option<String> {
    let digits = text.trim_end_matches('=');
    let padding = match digits.len() % 4 {
        0 => "",
        2 => "==",
        3 => "=",
        _ => return None,
    };
    let given = text.len() - digits.len();
    if given != 0 && given != padding.len() {
        return None;
    }
    if digits.contains(['+', '/']) && digits.contains(['-', '_']) {
        return None;
    }
    let digits = digits.chars().map(|digit| match digit {
        '+' | '-' => plus,
        '/' | '_' => slash,
        digit => digit,
    });
    let mut written: String = digits.collect();
    if padded {
        written.push_str(padding);
    }
    Some(written)
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE, BASE64_URL_SAFE_NO_PAD};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_in_no_encoding_stays_as_it_is() {
        for text in ["=", "a", "ab=", "abc==", "abcd=", "abcde", "ab+_", "ab/-cd=="] {
            assert_eq!(canonical(Encoding::Base64, text), text);
            assert_eq!(canonical(Encoding::Base64url, text), text);
        }
    }

    proptest! {
        #[test]
        fn every_way_of_writing_bytes_has_one_canonical_text(bytes: Vec<u8>) {
            let ways = [BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE, BASE64_URL_SAFE_NO_PAD];
            for text in ways.map(|way| way.encode(&bytes)) {
                prop_assert_eq!(&*canonical(Encoding::Base64, &text), BASE64_STANDARD.encode(&bytes));
                prop_assert_eq!(&*canonical(Encoding::Base64url, &text), BASE64_URL_SAFE_NO_PAD.encode(&bytes));
            }
        }

        #[test]
        fn hex_has_one_canonical_text(lower in "[0-9a-f]{0,128}", upper: Vec<bool>) {
            let mixed: String = lower
                .chars()
                .zip(upper.into_iter().chain(std::iter::repeat(true)))
                .map(|(digit, upper)| if upper { digit.to_ascii_uppercase() } else { digit })
                .collect();
            prop_assert_eq!(&*canonical(Encoding::Hex, &mixed), lower);
        }

        #[test]
        fn canonical_text_is_canonical(text: String) {
            for encoding in [Encoding::Hex, Encoding::Base64, Encoding::Base64url] {
                let once = canonical(encoding, &text).into_owned();
                prop_assert_eq!(&*canonical(encoding, &once), &once);
            }
        }
    }
}
