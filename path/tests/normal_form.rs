//! Paths that have a normal form, and paths that have none.
#![allow(clippy::unwrap_used, reason = "tests")]

use barmkin_path::{Fault, decode, locate, normalize};
use proptest::prelude::*;

#[test]
fn what_may_stand_bare_stands_bare() {
    for (path, normal) in [
        ("/", "/"),
        ("/a/b/", "/a/b/"),
        ("/%61dmin", "/admin"),
        ("/keys%3Arotate", "/keys:rotate"),
        ("/v1/%40me", "/v1/@me"),
        ("/%21%24%26%27%28%29%2a%2B%2c%3D%3a%40", "/!$&'()*+,=:@"),
        ("/%2d%2E%5f%7E", "/-._~"),
        ("/public/a%20b", "/public/a%20b"),
        ("/caf%c3%a9", "/caf%C3%A9"),
        // Browsers send these bare, and other clients encode them.
        ("/a|b[c]", "/a%7Cb%5Bc%5D"),
        ("/a%7cb%5bc%5d", "/a%7Cb%5Bc%5D"),
        ("/%22%3c%3E%5e%60%7b%7D", "/%22%3C%3E%5E%60%7B%7D"),
        ("/100%25", "/100%25"),
        ("/10%25off/%25of", "/10%25off/%25of"),
    ] {
        assert_eq!(normalize(path).unwrap(), normal, "{path}");
    }
}

#[test]
fn what_has_two_readings_has_no_normal_form() {
    for path in [
        "/a/../b",
        "/a/%2e%2E/b",
        "/a/.%2e/b",
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
        "/a%1b",
        "/a%7f",
        "/a%3Fb",
        "/a%23",
        "/%c0%ae",
        "/%C3a%A9",
        "/%ed%a0%80",
        "/%ff",
        // Decoded once, these could be decoded again.
        "/%2561",
        "/%25%36%31dmin",
        "/x/%25%32%65%25%32%65/admin",
        "/%25%32f",
        "/%252%66",
        "/%25u0061",
        "/%25%750061",
        "/%25U002f",
    ] {
        assert_eq!(normalize(path).err(), Some(Fault::Ambiguous), "{path}");
    }
    for path in ["", "*", "a", "http://a/b", "/a b", "/a#b", "/a?b", "/%", "/%zz", "/a%1", "/é", "/a\u{0}", "/{a}"] {
        assert_eq!(normalize(path).err(), Some(Fault::Malformed), "{path}");
    }
}

/// Paths made of what the rules are about: percent signs, encoded and bare, the
/// digits that could follow them, and everything that separates something.
fn paths() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "%(25|2[0-9a-fA-F]|3[0-9a-fA-F]|4[01]|5[b-eB-E]|6[135]|7[b-eB-E]|C3%A9|E2%84%AA|c0%ae)",
        2 => "[0-9a-fA-F]{1,2}",
        2 => "[!-~]",
        1 => "/",
        1 => Just("é".to_owned()),
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| format!("/{}", pieces.concat()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_048))]

    #[test]
    fn the_normal_form_is_a_fixed_point(path in paths()) {
        if let Ok(normal) = normalize(&path) {
            prop_assert_eq!(normalize(&normal), Ok(normal.clone()));
        }
    }

    /// Whatever is refused has a byte to blame, and nothing else has.
    #[test]
    fn what_has_no_normal_form_is_located(path in paths()) {
        match (normalize(&path), locate(&path)) {
            (Ok(_), located) => prop_assert_eq!(located, None),
            (Err(_), Some((at, why))) => prop_assert!(path.get(at..).is_some() && !why.is_empty(), "{} {}", at, why),
            (Err(fault), None) => prop_assert!(false, "{fault:?} is nowhere"),
        }
    }

    /// Two spellings of one text are the same path, or neither is one.
    #[test]
    fn every_spelling_has_the_same_normal_form(path in paths(), which in any::<u64>(), lower in any::<bool>()) {
        let Ok(text) = decode(&path) else { return Ok(()) };
        let spelled: String = text
            .bytes()
            .enumerate()
            .map(|(at, byte)| match byte {
                b'/' => "/".to_owned(),
                byte if which >> (at % 64) & 1 == 0 => escaped(byte, lower),
                byte if byte.is_ascii_graphic() && !b"\"<>^`{}%".contains(&byte) => char::from(byte).to_string(),
                byte => escaped(byte, lower),
            })
            .collect();
        let normal = normalize(&path);
        prop_assert_eq!(normalize(&spelled), normal);
    }

    /// However often a backend decodes the normal form, it is the text that it
    /// stands for.
    #[test]
    fn decoding_again_changes_nothing(path in paths()) {
        if let Ok(text) = decode(&path) {
            prop_assert_eq!(leniently_decoded(&text), text);
        }
    }
}

#[test]
fn the_byte_to_blame_is_the_first_of_its_kind() {
    for (path, at, why) in [
        ("x", 0, "begins with"),
        ("/a%2Fb", 2, "encoded slash"),
        ("/%61/..", 5, "dot segment"),
        ("/a//b", 3, "empty segment"),
        ("/a/%2e%2E/b", 3, "dot segment"),
        ("/a;b", 2, "parameters"),
        ("/a%zz", 2, "hexadecimal"),
        ("/%C3%A9%ff", 7, "UTF-8"),
        ("/a%2541", 2, "encoding of an encoding"),
        ("/a%00", 2, "control character"),
        ("/a{b}", 2, "percent-encoded"),
    ] {
        let located = locate(path);
        assert!(located.is_some_and(|(found, reason)| found == at && reason.contains(why)), "{path}: {located:?}");
    }
}

fn escaped(byte: u8, lower: bool) -> String {
    if lower { format!("%{byte:02x}") } else { format!("%{byte:02X}") }
}

/// As servers decode that leave alone what is not encoded.
fn leniently_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let digits = bytes.get(at + 1..at + 3).and_then(|digits| std::str::from_utf8(digits).ok());
        let decoded = digits.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        match decoded.and_then(|digits| u8::from_str_radix(digits, 16).ok()).filter(|_| *byte == b'%') {
            Some(decoded) => {
                out.push(decoded);
                at += 3;
            }
            None => {
                out.push(*byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
