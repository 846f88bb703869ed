//! No text makes reading a configuration panic.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use proptest::prelude::*;
use support::{folder, load, write};

/// A configuration with a bit of everything, to be damaged.
const WHOLE: &str = include_str!("support/whole.toml");

/// Pieces that mean something here.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        proptest::sample::select(vec![
            "version",
            "listen",
            "keys",
            "routes",
            "policies",
            "match",
            "chain",
            "include",
            "=",
            "[[",
            "]]",
            "[",
            "]",
            "{",
            "}",
            ".",
            ",",
            "\n",
            "\"",
            "'",
            "'''",
            "\"\"\"",
            "1",
            "1e999",
            "nan",
            "2026-01-01T00:00:00Z",
            "\"5m\"",
            "\"*\"",
            "\"\\u0000\"",
            "#",
        ])
        .prop_map(str::to_owned),
        "\\PC{0,3}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn pieces_put_together(pieces in proptest::collection::vec(piece(), 0..40)) {
        let _ = load(&folder(&[("barmkin.toml", &pieces.concat())]));
    }

    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let folder = folder(&[]);
        write(&folder, "barmkin.toml", &bytes, 0o600);
        let _ = load(&folder);
    }

    #[test]
    fn a_configuration_with_a_part_replaced(at in any::<prop::sample::Index>(), length in 0..40usize, piece in piece()) {
        let boundaries: Vec<usize> = WHOLE.char_indices().map(|(index, _)| index).collect();
        let start = *at.get(&boundaries);
        let end = boundaries.iter().copied().find(|boundary| *boundary >= start + length).unwrap_or(WHOLE.len());
        let mut text = WHOLE.to_owned();
        text.replace_range(start..end, &piece);
        let _ = load(&folder(&[("barmkin.toml", &text)]));
    }
}

#[test]
fn deep_nesting_is_an_error_and_no_stack_overflow() {
    let nested = format!("version = 1\npolicies = {}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(load(&folder(&[("barmkin.toml", &nested)])).is_err());
    let dotted = format!(
        "version = 1\n[policies.p]\ncomponent = \"stock:api-key\"\nsettings.{} = 1",
        vec!["a"; 20_000].join(".")
    );
    let _ = load(&folder(&[("barmkin.toml", &dotted)]));
}
