//! Right signatures that are written otherwise, and wrong ones.

use crate::support::{BODY, NOW_S, Webhooks, ask, discord, ed25519, mac, policy};
use base64::Engine;
use base64::engine::general_purpose::GeneralPurpose;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE, BASE64_URL_SAFE_NO_PAD};
use proptest::prelude::*;
use serde_json::json;

const WAYS: [GeneralPurpose; 4] = [BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE, BASE64_URL_SAFE_NO_PAD];

fn shopify(signature: &str) -> String {
    thread_local!(static POLICY: Webhooks = policy(&json!({ "provider": "shopify" })));
    POLICY.with(|policy| ask(policy, &[("x-shopify-hmac-sha256", signature)]))
}

fn github(signature: &str) -> String {
    thread_local!(static POLICY: Webhooks = policy(&json!({ "provider": "github" })));
    POLICY.with(|policy| ask(policy, &[("x-hub-signature-256", &format!("sha256={signature}"))]))
}

#[test]
fn hex_in_capitals() {
    assert_eq!(github(&hex::encode(mac(BODY))), "ok");
    assert_eq!(github(&hex::encode_upper(mac(BODY))), "ok");
    assert_eq!(github(&hex::encode_upper(mac("other"))), "signature-mismatch");
}

#[test]
fn hex_of_ed25519_in_capitals() {
    let ask = |signature: String| {
        let headers = [("x-signature-ed25519", &*signature), ("x-signature-timestamp", &NOW_S.to_string())];
        ask(&discord(), &headers)
    };
    let signature = ed25519(&format!("{NOW_S}{BODY}"));
    assert_eq!(ask(hex::encode(&signature)), "ok");
    assert_eq!(ask(hex::encode_upper(&signature)), "ok");
    assert_eq!(ask(hex::encode_upper(ed25519(BODY))), "signature-mismatch");
}

#[test]
fn base64_in_either_alphabet_with_or_without_padding() {
    for way in WAYS {
        assert_eq!(shopify(&way.encode(mac(BODY))), "ok");
        assert_eq!(shopify(&way.encode(mac("other"))), "signature-mismatch");
    }
    let url = json!({
        "header": "x-signed",
        "signatures": [{ "algorithm": "hmac-sha256", "encoding": "base64url" }],
        "signed": "{body}",
    });
    let policy = policy(&json!({ "scheme": url, "principal": "acme" }));
    for way in WAYS {
        assert_eq!(ask(&policy, &[("x-signed", &way.encode(mac(BODY)))]), "ok");
    }
}

#[test]
fn spaces_around_the_separators_of_a_list() {
    let stripe = policy(&json!({ "provider": "stripe" }));
    let generic = policy(&json!({ "provider": "generic" }));
    let signature = hex::encode(mac(&format!("{NOW_S}.{BODY}")));
    for space in ["", " ", "\t", " \t "] {
        let header = format!("t={NOW_S}{space},{space}v1={signature}{space},v0=1");
        assert_eq!(ask(&stripe, &[("stripe-signature", &header)]), "ok", "{header}");
        let header = format!("sha256=00{space},{space}sha256={}", hex::encode(mac(BODY)));
        assert_eq!(ask(&generic, &[("x-signature", &header)]), "ok", "{header}");
    }
    let inside = format!("t={NOW_S},v1= {signature}");
    assert_eq!(ask(&stripe, &[("stripe-signature", &inside)]), "signature-mismatch");
    let twice = format!("t={NOW_S}, t={NOW_S},v1={signature}");
    assert_eq!(ask(&stripe, &[("stripe-signature", &twice)]), "ambiguous-timestamp");
}

/// Schemes were written so, before spaces were passed over.
#[test]
fn a_prefix_that_begins_with_the_space_after_the_comma() {
    let workos = json!({
        "header": "workos-signature",
        "separator": ",",
        "signatures": [{ "prefix": " v1=", "algorithm": "hmac-sha256", "encoding": "hex" }],
        "timestamp": { "item": "t=", "unit": "ms", "tolerance": "3m" },
        "signed": "{timestamp}.{body}",
    });
    let policy = policy(&json!({ "scheme": workos, "principal": "workos" }));
    let signature = hex::encode(mac(&format!("{NOW_S}000.{BODY}")));
    for space in ["", " "] {
        let header = format!("t={NOW_S}000,{space}v1={signature}");
        assert_eq!(ask(&policy, &[("workos-signature", &header)]), "ok", "{header}");
    }
}

/// Replaces, inserts or removes one character.
fn mutated(text: &str, at: usize, what: u8, by: char) -> String {
    let mut characters: Vec<_> = text.chars().collect();
    let at = at % characters.len();
    match what {
        0 => drop(characters.splice(at..=at, [by])),
        1 => characters.insert(at, by),
        _ => drop(characters.remove(at)),
    }
    characters.into_iter().collect()
}

/// No request has another in a field (RFC 9110, section 5.5).
fn in_a_field() -> impl Strategy<Value = char> {
    any::<char>().prop_filter("a control character", |char| *char == '\t' || !char.is_ascii_control())
}

fn character() -> impl Strategy<Value = char> {
    prop_oneof![Just('='), Just('-'), Just('_'), Just('+'), Just('/'), proptest::char::range('0', 'z'), in_a_field()]
}

proptest! {
    /// Accepted are exactly the texts that a strict decoder of one of the
    /// encodings takes for the right bytes.
    #[test]
    fn base64_that_is_changed_verifies_only_if_it_still_says_the_same(
        way in 0usize..4, at: usize, what in 0u8..3, by in character(),
    ) {
        let right = mac(BODY);
        let text = mutated(&WAYS[way].encode(&right), at, what, by);
        let trimmed = text.trim_matches([' ', '\t']);
        let says_the_same = WAYS.iter().any(|way| way.decode(trimmed).is_ok_and(|bytes| bytes == right));
        prop_assert_eq!(shopify(&text) == "ok", says_the_same, "{}", text);
    }

    #[test]
    fn hex_that_is_changed_verifies_only_if_it_still_says_the_same(
        upper: bool, at: usize, what in 0u8..3, by in character(),
    ) {
        let right = mac(BODY);
        let text = if upper { hex::encode_upper(&right) } else { hex::encode(&right) };
        let text = mutated(&text, at, what, by);
        let trimmed = text.trim_end_matches([' ', '\t']);
        let says_the_same = hex::decode(trimmed).is_ok_and(|bytes| bytes == right);
        prop_assert_eq!(github(&text) == "ok", says_the_same, "{}", text);
    }

    #[test]
    fn other_bytes_never_verify(bytes: Vec<u8>, way in 0usize..4) {
        prop_assume!(bytes != mac(BODY));
        prop_assert_ne!(shopify(&WAYS[way].encode(&bytes)), "ok");
        prop_assert_ne!(github(&hex::encode_upper(&bytes)), "ok");
    }

    #[test]
    fn no_text_panics_or_verifies(text: String) {
        prop_assert_ne!(shopify(&text), "ok");
        prop_assert_ne!(github(&text), "ok");
    }
}
