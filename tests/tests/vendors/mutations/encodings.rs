//! The right signature, written otherwise, or not quite written.

use super::{Mutation, named};
use crate::delivery::{Delivery, Fresh};
use crate::vendor::Encoding;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

pub(super) const ALL: &[Mutation] = &[
    named("hex: in capitals", |fresh| in_hex(fresh, str::to_uppercase)),
    named("hex: the first half in capitals", |fresh| {
        in_hex(fresh, |text| {
            let (first, second) = text.split_at(text.len() / 2);
            format!("{}{second}", first.to_uppercase())
        })
    }),
    named("hex: a digit short", |fresh| in_hex(fresh, |text| text[..text.len() - 1].to_owned())),
    named("hex: a byte short", |fresh| in_hex(fresh, |text| text[..text.len() - 2].to_owned())),
    named("hex: a digit more", |fresh| in_hex(fresh, |text| format!("{text}0"))),
    named("hex: a byte more", |fresh| in_hex(fresh, |text| format!("{text}00"))),
    named("hex: `0x` before it", |fresh| in_hex(fresh, |text| format!("0x{text}"))),
    named("hex: another first digit", |fresh| in_hex(fresh, |text| other_first(text, "0123456789abcdef"))),
    named("hex: its last digit no digit", |fresh| in_hex(fresh, |text| format!("{}g", &text[..text.len() - 1]))),
    named("hex: in base64 instead", |fresh| in_hex(fresh, |text| BASE64_STANDARD.encode(hex::decode(text).unwrap()))),
    named("base64: without padding", |fresh| in_base64(fresh, |text| text.trim_end_matches('=').to_owned())),
    named("base64: URL-safe", |fresh| in_base64(fresh, |text| text.replace('+', "-").replace('/', "_"))),
    named("base64: URL-safe without padding", |fresh| {
        in_base64(fresh, |text| text.replace('+', "-").replace('/', "_").replace('=', ""))
    }),
    named("base64: more padding", |fresh| in_base64(fresh, |text| format!("{text}="))),
    named("base64: a digit short", |fresh| in_base64(fresh, |text| text[..text.len() - 2].to_owned())),
    named("base64: a digit more", |fresh| in_base64(fresh, |text| format!("{text}A"))),
    named("base64: bits past the last byte", |fresh| in_base64(fresh, with_spare_bit)),
    named("base64: a character of no alphabet in it", |fresh| {
        in_base64(fresh, |text| format!("{}*{}", &text[..8], &text[8..]))
    }),
    named("base64: another first digit", |fresh| in_base64(fresh, |text| other_first(text, "ABCDEFGH"))),
    named("base64: in other case", |fresh| {
        in_base64(fresh, |text| {
            let swap = |letter: char| {
                if letter.is_ascii_lowercase() { letter.to_ascii_uppercase() } else { letter.to_ascii_lowercase() }
            };
            text.chars().map(swap).collect()
        })
    }),
    named("base64: in hex instead", |fresh| {
        in_base64(fresh, |text| hex::encode(BASE64_STANDARD.decode(text).unwrap()))
    }),
];

fn in_hex(fresh: &Fresh<'_>, write: impl FnOnce(&str) -> String) -> Option<Delivery> {
    rewritten_in(fresh, Encoding::Hex, write)
}

fn in_base64(fresh: &Fresh<'_>, write: impl FnOnce(&str) -> String) -> Option<Delivery> {
    rewritten_in(fresh, Encoding::Base64, write)
}

fn rewritten_in(fresh: &Fresh<'_>, encoding: Encoding, write: impl FnOnce(&str) -> String) -> Option<Delivery> {
    if fresh.vendor.encoding() != encoding {
        return None;
    }
    fresh.rewritten(|before, text| format!("{before}{}", write(text)))
}

/// The text with another first digit, of these.
fn other_first(text: &str, digits: &str) -> String {
    let other = digits.chars().find(|digit| !text.starts_with(*digit)).unwrap();
    format!("{other}{}", &text[1..])
}

/// 32 bytes leave two bits of the last digit before the padding unused.
fn with_spare_bit(text: &str) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = text.strip_suffix('=').unwrap();
    let (others, last) = digits.split_at(digits.len() - 1);
    let value = DIGITS.iter().position(|digit| [*digit] == *last.as_bytes()).unwrap();
    assert_eq!(value % 4, 0);
    format!("{others}{}=", char::from(DIGITS[value + 1]))
}
