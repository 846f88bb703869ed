//! The published and derived cases of these providers, through the rule with the
//! native double of the host.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]
#![allow(clippy::disallowed_methods, reason = "tests learn where the vectors are")]

use std::fs;
use std::path::PathBuf;

use barmkin_guest::test::{Policy, Request, Secret, TestKey};
use barmkin_guest::types::{Algorithm, Decision};
use barmkin_webhook_signature::Settings;
use base64::Engine;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use serde_json::{Value, json};

/// The file of each provider, and the setting.
const FILES: [(&str, &str); 10] = [
    ("github", "github"),
    ("stripe", "stripe"),
    ("slack", "slack"),
    ("shopify", "shopify"),
    ("standard_webhooks", "standard-webhooks"),
    ("generic_hmac_list", "generic"),
    ("svix", "standard-webhooks"),
    ("discord", "discord"),
    ("twitch", "twitch"),
    ("xero", "xero"),
];

/// Cases that this policy accepts although their vectors reject them.
const ACCEPTED: [(&str, &[&str]); 8] = [
    // The right bytes, written otherwise. Providers' libraries differ here:
    // those that decode accept them, those that compare text do not.
    ("github", &["sig_uppercase_hex"]),
    ("generic_hmac_list", &["sig_uppercase_hex"]),
    ("slack", &["sig_uppercase_hex"]),
    ("stripe", &["sig_uppercase_hex", "space_after_separator"]),
    ("discord", &["signature_uppercase"]),
    // The last character is padding.
    ("shopify", &["sig_padding_removed", "sig_last_char_dropped"]),
    ("xero", &["sig_padding_removed", "sig_last_char_dropped"]),
    // Any offset of RFC 3339, and ids that came before: those are for
    // `replay-window`.
    ("twitch", &["sig_uppercase_hex", "timestamp_offset_plus0000", "message_id_replayed"]),
];

/// The same, of the files of Standard Webhooks.
const ACCEPTED_OF_STANDARD_WEBHOOKS: [&str; 3] =
    ["sig_padding_removed", "sig_last_char_dropped", "sig_urlsafe_alphabet"];

/// Where the verdict is the vector's and the reason is another one.
const OTHER_REASONS: [(&str, &str, &str); 6] = [
    // The time is looked at before the signature, and this one is not fresh.
    ("stripe", "joiner_moved_into_body", "timestamp_too_old"),
    // A signature without text is no signature, here as with GitHub.
    ("slack", "prefix_only", "malformed_signature"),
    // Whether text is a signature is for the host to say, which does not.
    ("discord", "signature_text_garbage", "signature_mismatch"),
    ("discord", "signature_truncated", "signature_mismatch"),
    ("discord", "signature_base64", "signature_mismatch"),
    ("discord", "signature_with_space", "signature_mismatch"),
];

/// Secrets are copied with and without their padding, and cut off.
const AS_COPIED: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

#[test]
fn every_case_is_decided_as_its_vector_says() {
    // Without them there are `deliveries`, and what vendors' libraries sign.
    let Some(folder) = folder() else { return };
    let mut mismatches = Vec::new();
    for (file, provider) in FILES {
        let text = fs::read_to_string(folder.join("webhooks").join(file).with_extension("json"));
        let vectors: Value = serde_json::from_str(&text.unwrap()).unwrap();
        let cases = vectors["cases"].as_array().unwrap();
        assert!(!cases.is_empty());
        for case in cases {
            let name = text_of(&case["case"]);
            let (expected, reason) = match (text_of(&case["expect"]), text_of(&case["reason"])) {
                ("reject", _) if is_accepted(file, name) => ("accept", "ok"),
                as_stated => as_stated,
            };
            let decision = decide(provider, case);
            let (decided, code) = match &decision {
                Decision::Allow(_) => ("accept", "ok".to_owned()),
                Decision::Deny(denial) => ("reject", denial.code.replace('-', "_")),
                Decision::Abstain(_) => ("abstain", "abstain".to_owned()),
            };
            let reason = if reason == "missing_id" { "missing_message_id" } else { reason };
            let differs = OTHER_REASONS.contains(&(file, name, code.as_str()));
            if decided != expected || (code != reason && !differs) {
                mismatches.push(format!("{file}/{name}: {reason} expected, got {code}"));
            }
        }
    }
    assert!(mismatches.is_empty(), "{}", mismatches.join("\n"));
}

fn is_accepted(file: &str, case: &str) -> bool {
    let standard = matches!(file, "standard_webhooks" | "svix") && ACCEPTED_OF_STANDARD_WEBHOOKS.contains(&case);
    standard || ACCEPTED.iter().any(|(of, cases)| *of == file && cases.contains(&case))
}

fn decide(provider: &str, case: &Value) -> Decision {
    let mut settings = json!({ "provider": provider });
    let signs_time = matches!(provider, "stripe" | "slack" | "standard-webhooks" | "discord" | "twitch");
    if signs_time {
        // No tolerance in a vector means that age does not matter.
        settings["tolerance"] = match case["tolerance_s"].as_u64() {
            Some(seconds) => json!(format!("{seconds}s")),
            None => json!("36500d"),
        };
    }
    let policy = Policy::<Settings>::configure(&settings.to_string()).unwrap();
    policy.with_key("signing", key(case)).check(&request(case))
}

fn key(case: &Value) -> TestKey {
    let keys = case["keys"].as_array().unwrap();
    let algorithm = match text_of(&keys[0]["kind"]) {
        "hmac" => Algorithm::HmacSha256,
        "ed25519" => Algorithm::Ed25519,
        kind => panic!("no such kind of key: {kind}"),
    };
    TestKey::new(algorithm, keys.iter().map(|key| Secret::new("vector", secret(key))))
}

fn secret(key: &Value) -> Vec<u8> {
    let value = text_of(&key["value"]);
    if key["kind"] == "ed25519" && !value.starts_with("whpk_") {
        return hex::decode(value).unwrap();
    }
    let encoded = value.strip_prefix("whsec_").or_else(|| value.strip_prefix("whpk_"));
    match key["encoding"].as_str() {
        Some("utf8") => value.as_bytes().to_vec(),
        Some("whsec") | None => AS_COPIED.decode(encoded.unwrap_or(value)).unwrap(),
        Some(encoding) => panic!("no such encoding: {encoding}"),
    }
}

fn request(case: &Value) -> Request {
    let body = match case["body_utf8"].as_str() {
        Some(text) => text.as_bytes().to_vec(),
        None => STANDARD.decode(text_of(&case["body_base64"])).unwrap(),
    };
    let now_unix_ms = case["now_unix"].as_u64().unwrap() * 1_000;
    let request = Request::new(text_of(&case["method"]), text_of(&case["path"]));
    let headers = case["headers"].as_array().unwrap();
    headers.iter().fold(request.at(now_unix_ms).body(body), |request, header| {
        request.header(text_of(&header[0]), text_of(&header[1]))
    })
}

fn text_of(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn folder() -> Option<PathBuf> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors");
    let folder = std::env::var_os("BARMKIN_VECTORS").map_or_else(beside, PathBuf::from);
    folder.is_dir().then_some(folder)
}
