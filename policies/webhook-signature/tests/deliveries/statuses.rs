//! With which statuses deliveries are refused.

use crate::support::{BODY, NOW_S, Webhooks, decide, discord, ed25519, mac, policy};
use barmkin_guest::test::Policy;
use barmkin_guest::types::Decision;
use barmkin_webhook_signature::Settings;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

fn denied(policy: &Webhooks, headers: &[(&str, &str)]) -> (u16, String) {
    let Decision::Deny(denial) = decide(policy, headers) else { panic!("{headers:?} was allowed") };
    let challenged = denial.headers.iter().any(|header| header.name == "www-authenticate");
    assert_eq!(challenged, denial.status == 401, "{denial:?}");
    (denial.status, denial.code)
}

fn is(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

#[test]
fn discord_is_told_401() {
    let now = NOW_S.to_string();
    let sign = |time: &str| hex::encode(ed25519(&format!("{time}{BODY}")));
    let ask = |signature: &str, time: &str| {
        denied(&discord(), &[("x-signature-ed25519", signature), ("x-signature-timestamp", time)])
    };
    assert_eq!(denied(&discord(), &[]), is(401, "missing-signature"));
    assert_eq!(denied(&discord(), &[("x-signature-ed25519", &sign(&now))]), is(401, "missing-timestamp"));
    assert_eq!(ask(&sign("1"), &now), is(401, "signature-mismatch"));
    assert_eq!(ask("no signature", &now), is(401, "signature-mismatch"));
    assert_eq!(ask(&sign("now"), "now"), is(401, "malformed-timestamp"));
    assert_eq!(ask(&sign("1"), "1"), is(401, "timestamp-too-old"));
    let keyless = Policy::<Settings>::configure(r#"{ "provider": "discord" }"#).unwrap();
    let headers = [("x-signature-ed25519", &*sign(&now)), ("x-signature-timestamp", &now)];
    assert_eq!(denied(&keyless, &headers), is(503, "no-usable-key"));
}

#[test]
fn xero_is_told_401() {
    let xero = policy(&json!({ "provider": "xero" }));
    let ask = |signature: &[u8]| decide(&xero, &[("x-xero-signature", &BASE64_STANDARD.encode(signature))]);
    assert!(matches!(ask(&mac(BODY)), Decision::Allow(_)));
    assert!(matches!(ask(&mac("other")), Decision::Deny(denial) if denial.status == 401));
    assert_eq!(denied(&xero, &[]), is(401, "missing-signature"));
}

#[test]
fn others_are_told_403_unless_it_is_set() {
    let stripe = |settings: Value| {
        let policy = policy(&settings);
        let (wrong, stale) = (format!("t={NOW_S},v1=00"), "t=1,v1=00");
        let ask = |signature: &str| denied(&policy, &[("stripe-signature", signature)]).0;
        [denied(&policy, &[]).0, ask(&wrong), ask(stale)]
    };
    assert_eq!(stripe(json!({ "provider": "stripe" })), [403, 403, 403]);
    let statuses = json!({ "missing": 400, "wrong": 401, "stale": 422 });
    assert_eq!(stripe(json!({ "provider": "stripe", "statuses": statuses })), [400, 401, 422]);
    assert_eq!(stripe(json!({ "provider": "stripe", "statuses": { "stale": 404 } })), [403, 403, 404]);
}

fn scheme(statuses: &Value) -> Value {
    json!({
        "header": "x-signed",
        "signatures": [{ "algorithm": "hmac-sha256", "encoding": "hex" }],
        "signed": "{body}",
        "statuses": statuses,
    })
}

#[test]
fn a_scheme_has_statuses_and_the_setting_goes_before_them() {
    let scheme = scheme(&json!({ "missing": 401, "wrong": 401 }));
    let ask = |settings: Value| {
        let policy = policy(&settings);
        [denied(&policy, &[]).0, denied(&policy, &[("x-signed", "00")]).0]
    };
    assert_eq!(ask(json!({ "scheme": scheme, "principal": "acme" })), [401, 401]);
    assert_eq!(ask(json!({ "scheme": scheme, "principal": "acme", "statuses": { "wrong": 400 } })), [401, 400]);
}

#[test]
fn a_status_that_says_something_else_is_a_problem() {
    for status in [0, 200, 204, 302, 402, 405, 407, 408, 409, 410, 425, 429, 451, 500, 503, 65_535] {
        for (settings, place) in [
            (json!({ "provider": "xero", "statuses": { "wrong": status } }), "statuses.wrong"),
            (json!({ "scheme": scheme(&json!({ "stale": status })), "principal": "acme" }), "scheme.statuses.stale"),
        ] {
            let problems = Policy::<Settings>::configure(&settings.to_string()).err().unwrap();
            let [problem] = &problems[..] else { panic!("{problems:?}") };
            assert_eq!(problem.setting, place);
            assert!(problem.problem.contains(&format!("`{status}`")), "{problem:?}");
            assert_eq!(problem.help, "use one of 400, 401, 403, 404 and 422");
        }
    }
    for statuses in [json!({ "wrong": -1 }), json!({ "wrong": "401" }), json!({ "right": 401 }), json!(401)] {
        let settings = json!({ "provider": "xero", "statuses": statuses }).to_string();
        assert!(Policy::<Settings>::configure(&settings).is_err(), "{settings}");
    }
}

#[test]
fn a_principal_that_the_host_would_not_take_is_a_problem() {
    let problems = |principal: &str| {
        let settings = json!({ "provider": "xero", "principal": principal }).to_string();
        Policy::<Settings>::configure(&settings).err().unwrap_or_default().len()
    };
    assert_eq!(["acme", &"a".repeat(256)].map(problems), [0, 0]);
    assert_eq!([&*"a".repeat(257), "a\nb"].map(problems), [1, 1]);
}
