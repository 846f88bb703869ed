//! The stock policies as they were released.

use crate::gate::{HASHING, NOW_UNIX_MS, SIGNING, ask, gate, policy, reason};
use barmkin_host::*;
use barmkin_tests::harness::{github_signature, keyed_hash};
use serde_json::json;

pub(crate) fn api_key() -> PolicySpec {
    let known = json!({ "keys": [{ "id": "reader", "hash": keyed_hash(HASHING, "key"), "roles": ["reader"] }] });
    policy("api-key", known, &[("pepper", "hashing"), ("vouch", "vouch")], &[])
}

fn webhook(provider: &str) -> PolicySpec {
    let grants = [("signing", "signing"), ("vouch", "vouch")];
    policy("webhook-signature", json!({ "provider": provider }), &grants, &[])
}

#[test]
fn api_key_and_rbac_scopes() {
    let rules = json!({
        "roles": { "reader": { "scopes": ["items:read"] } },
        "rules": [
            { "methods": ["GET"], "path": "/v1/**", "scopes": ["items:read"] },
            { "methods": ["POST"], "path": "/v1/**", "scopes": ["items:write"] },
        ],
    });
    let gate = gate(vec![("key", api_key()), ("roles", policy("rbac-scopes", rules, &[], &[]))]).unwrap();
    let ask = |request, key: &str| ask(&gate, request, &[("x-api-key", key)], b"");
    let Verdict::Allow(permit) = ask("GET /v1/items", "key") else { panic!("denied") };
    assert_eq!(permit.principal().map(|principal| principal.id.as_str()), Some("reader"));
    assert_eq!(reason(&ask("POST /v1/items", "key")), "insufficient-scope");
    assert_eq!(reason(&ask("GET /v1/items", "guess")), "unknown-api-key");
}

#[test]
fn webhook_signature_and_replay_window() {
    let window = policy("replay-window", json!({}), &[("deliveries", "nonces")], &["barmkin-duplicate"]);
    let gate = gate(vec![("signature", webhook("stripe")), ("window", window)]).unwrap();
    let signed = |seconds: u64| {
        let signature = keyed_hash(SIGNING, &format!("{seconds}.body"));
        format!("t={seconds},v1={signature}")
    };
    let now = NOW_UNIX_MS / 1_000;
    let ask = |signature: &str| ask(&gate, "POST /", &[("stripe-signature", signature)], b"body");
    let Verdict::Allow(permit) = ask(&signed(now)) else { panic!("denied") };
    assert_eq!(permit.principal().map(|principal| principal.id.as_str()), Some("stripe"));
    drop(permit);
    assert_eq!(reason(&ask(&signed(now))), "replayed");
    assert_eq!(reason(&ask(&signed(now - 3_600))), "timestamp-too-old");
    assert_eq!(reason(&ask(&signed(now).replace("v1=", "v1=00"))), "signature-mismatch");
}

#[test]
fn webhook_signature_of_github() {
    let gate = gate(vec![("signature", webhook("github"))]).unwrap();
    let ask =
        |signature: &str| reason(&ask(&gate, "POST /", &[("x-hub-signature-256", signature)], b"body")).to_owned();
    assert_eq!(ask(&github_signature(SIGNING, b"body")), "allow");
    assert_eq!(ask(&github_signature(SIGNING, b"other")), "signature-mismatch");
}

#[test]
fn rate_quota() {
    let quota = policy("rate-quota", json!({}), &[("quota", "quota")], &[]);
    let gate = gate(vec![("quota", quota)]).unwrap();
    let reasons: Vec<_> = (0..4).map(|_| reason(&ask(&gate, "GET /", &[], b"")).to_owned()).collect();
    assert_eq!(reasons, ["allow", "allow", "allow", "over-quota"]);
}
