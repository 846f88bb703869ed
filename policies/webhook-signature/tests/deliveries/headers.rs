//! Headers under their other names, and message ids.

use crate::support::{BODY, NOW_S, Webhooks, ask, decide, mac, policy};
use barmkin_guest::test::Policy;
use barmkin_guest::types::Decision;
use barmkin_webhook_signature::Settings;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;

fn standard() -> Webhooks {
    policy(&json!({ "provider": "standard-webhooks" }))
}

/// The signature of a message, as its header has it.
fn signature(id: &str) -> String {
    format!("v1,{}", BASE64_STANDARD.encode(mac(&format!("{id}.{NOW_S}.{BODY}"))))
}

#[test]
fn standard_webhooks_under_the_names_of_svix() {
    let (now, signature) = (NOW_S.to_string(), signature("msg_1"));
    let svix = [("svix-id", "msg_1"), ("svix-timestamp", &*now), ("svix-signature", &*signature)];
    let usual = [("webhook-id", "msg_1"), ("webhook-timestamp", &*now), ("webhook-signature", &*signature)];
    let both = [svix, usual].concat();
    for headers in [&svix[..], &usual, &both] {
        let Decision::Allow(allowance) = decide(&standard(), headers) else { panic!("{headers:?}") };
        assert_eq!(allowance.facts.unwrap().message_id.as_deref(), Some("msg_1"));
    }
}

#[test]
fn names_are_not_mixed() {
    let (now, signature) = (NOW_S.to_string(), signature("msg_1"));
    let mixed = [("webhook-id", "msg_1"), ("svix-timestamp", &*now), ("svix-signature", &*signature)];
    assert_eq!(ask(&standard(), &mixed), "missing-message-id");
    let mixed = [("svix-id", "msg_1"), ("webhook-timestamp", &*now), ("svix-signature", &*signature)];
    assert_eq!(ask(&standard(), &mixed), "missing-timestamp");
    let unsigned = [("svix-id", "msg_1"), ("svix-timestamp", &*now)];
    assert_eq!(ask(&standard(), &unsigned), "missing-signature");
}

/// One could be verified, and the other read by the upstream.
#[test]
fn two_names_with_different_values_are_refused() {
    let (now, right) = (NOW_S.to_string(), signature("msg_1"));
    let svix = [("svix-id", "msg_1"), ("svix-timestamp", &*now), ("svix-signature", &*right)];
    for other in [("webhook-id", "msg_2"), ("webhook-id", ""), ("webhook-timestamp", "1"), ("webhook-signature", "v1,")]
    {
        let headers = [&svix[..], &[other]].concat();
        let Decision::Deny(denial) = decide(&standard(), &headers) else { panic!("{other:?}") };
        assert_eq!((denial.status, &*denial.code), (400, "conflicting-headers"), "{other:?}");
    }
    // One more that says the same changes nothing.
    assert_eq!(ask(&standard(), &[&svix[..], &[("webhook-id", "msg_1")]].concat()), "ok");
}

#[test]
fn shopify_without_its_x() {
    let shopify = policy(&json!({ "provider": "shopify" }));
    let (right, wrong) = (BASE64_STANDARD.encode(mac(BODY)), BASE64_STANDARD.encode(mac("other")));
    assert_eq!(ask(&shopify, &[("shopify-hmac-sha256", &right)]), "ok");
    assert_eq!(ask(&shopify, &[("shopify-hmac-sha256", &wrong)]), "signature-mismatch");
    assert_eq!(ask(&shopify, &[("shopify-hmac-sha256", &right), ("x-shopify-hmac-sha256", &right)]), "ok");
    let conflict = [("shopify-hmac-sha256", &*right), ("x-shopify-hmac-sha256", &*wrong)];
    assert_eq!(ask(&shopify, &conflict), "conflicting-headers");
}

#[test]
fn a_message_id_past_the_bound_is_the_clients_mistake() {
    let ask = |id: &str| {
        let (now, signature) = (NOW_S.to_string(), signature(id));
        decide(&standard(), &[("webhook-id", id), ("webhook-timestamp", &now), ("webhook-signature", &signature)])
    };
    assert!(matches!(ask(&"m".repeat(1_024)), Decision::Allow(_)));
    for bytes in [1_025, 60_000] {
        let Decision::Deny(denial) = ask(&"m".repeat(bytes)) else { panic!("{bytes} bytes were allowed") };
        assert_eq!((denial.status, &*denial.code), (400, "message-id-too-long"));
    }
}

#[test]
fn other_headers_must_fit_the_scheme() {
    let problems = |other: serde_json::Value| {
        let scheme = json!({
            "header": "a-signature",
            "signatures": [{ "algorithm": "hmac-sha256", "encoding": "hex" }],
            "id-header": "a-id",
            "signed": "{id}.{body}",
            "other-headers": [other],
        });
        let settings = json!({ "scheme": scheme, "principal": "acme" });
        let problems = Policy::<Settings>::configure(&settings.to_string()).err().unwrap_or_default();
        problems.into_iter().map(|problem| problem.setting).collect::<Vec<_>>()
    };
    assert!(problems(json!({ "header": "b-signature", "id-header": "b-id" })).is_empty());
    assert_eq!(problems(json!({ "header": "b-signature" })), ["scheme.other-headers.0"]);
    let more = json!({ "header": "b-signature", "id-header": "b-id", "timestamp-header": "b-time" });
    assert_eq!(problems(more), ["scheme.other-headers.0"]);
    assert_eq!(problems(json!({ "header": "a-signature", "id-header": "b-id" })), ["scheme"]);
    assert_eq!(problems(json!({ "header": "B-Signature", "id-header": "b-id" })), ["scheme"]);
}
