//! The rule, on the native double of the host.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use barmkin_api_key::Settings;
use barmkin_guest::test::{Policy, Request, Secret, TestKey};
use barmkin_guest::types::{Algorithm, Decision};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

const PEPPER: &[u8] = b"pepper of the tests";

#[test]
fn a_known_key_names_its_principal() {
    let policy = policy(&json!({ "keys": [{
        "id": "acme", "hash": hash(PEPPER, "key-1"), "tenant": "t1",
        "roles": ["reader"], "scopes": ["orders:read"], "attributes": { "plan": "gold" },
    }]}));
    let decision = policy.check(&Request::get("/").at(7).header("X-Api-Key", "key-1"));
    let Decision::Allow(allowance) = decision else { panic!("{decision:?}") };
    let principal = allowance.principal.unwrap();
    assert_eq!(principal.id, "acme");
    assert_eq!(principal.tenant.as_deref(), Some("t1"));
    assert_eq!((principal.roles, principal.scopes), (vec!["reader".into()], vec!["orders:read".into()]));
    let attributes = [("plan", "gold"), ("key-id", "acme")];
    assert_eq!(principal.attributes, attributes.map(|(name, value)| (name.to_owned(), value.to_owned())));
    assert_eq!((principal.method.as_str(), principal.authenticated_at_unix_ms), ("api-key", Some(7)));
}

#[test]
fn several_keys_may_stand_for_one_principal() {
    let policy = policy(&json!({ "keys": [
        { "id": "acme-2025", "principal": "acme", "hash": hash(PEPPER, "key-1"), "expires": "1970-01-01T00:00:20Z" },
        { "id": "acme-2026", "principal": "acme", "hash": hash(PEPPER, "key-2"), "not-before": "1970-01-01T00:00:10Z" },
    ]}));
    let who = |key: &str, now| match policy.check(&Request::get("/").at(now).header("x-api-key", key)) {
        Decision::Allow(allowance) => {
            let principal = allowance.principal.unwrap();
            let (name, key_id) = principal.attributes.first().cloned().unwrap();
            assert_eq!((principal.id.as_str(), name.as_str()), ("acme", "key-id"));
            key_id
        }
        decision => decision.code().unwrap().to_owned(),
    };
    assert_eq!(who("key-2", 9_999), "api-key-not-yet-valid");
    assert_eq!(who("key-1", 10_000), "acme-2025");
    assert_eq!(who("key-2", 10_000), "acme-2026");
    assert_eq!(who("key-1", 20_000), "expired-api-key");
}

#[test]
fn denials_have_a_reason_and_a_challenge() {
    let policy = policy(&json!({ "keys": [{ "id": "acme", "hash": hash(PEPPER, "key-1") }] }));
    for (key, code) in [
        (None, "missing-api-key"),
        (Some(""), "missing-api-key"),
        (Some("two words"), "malformed-api-key"),
        (Some("key-2"), "unknown-api-key"),
    ] {
        let request = Request::get("/");
        let request = match key {
            Some(key) => request.header("x-api-key", key),
            None => request,
        };
        let Decision::Deny(denial) = policy.check(&request) else { panic!("{key:?} was let in") };
        assert_eq!((denial.status, denial.code.as_str()), (401, code));
        let [challenge] = denial.headers.as_slice() else { panic!("{:?}", denial.headers) };
        assert_eq!(challenge.name, "www-authenticate");
    }
}

#[test]
fn a_key_counts_until_it_expires_and_not_from_then_on() {
    let policy = policy(&json!({ "keys": [
        { "id": "acme", "hash": hash(PEPPER, "key-1"), "expires": "1970-01-01T00:00:10+00:00" },
    ]}));
    let request = |now| Request::get("/").at(now).header("x-api-key", "key-1");
    assert_eq!(policy.check(&request(9_999)).code(), None);
    assert_eq!(policy.check(&request(10_000)).code(), Some("expired-api-key"));
}

#[test]
fn an_old_pepper_still_finds_its_keys() {
    let settings = json!({ "keys": [{ "id": "acme", "hash": hash(b"old", "key-1") }] });
    let policy = configure(&settings).unwrap().with_key(
        "pepper",
        TestKey::new(Algorithm::KeyedHashSha256, [Secret::new("2026", "new"), Secret::new("2025", "old")]),
    );
    assert_eq!(policy.check(&Request::get("/").header("x-api-key", "key-1")).code(), None);
}

#[test]
fn a_key_may_be_in_one_of_several_places_and_the_challenges_name_them() {
    let policy = policy(&json!({
        "places": [{ "header": "x-api-key" }, { "scheme": "Bearer" }, { "basic": "password" }, { "cookie": "key" }],
        "keys": [{ "id": "acme", "hash": hash(PEPPER, "key-1") }],
    }));
    let code = |fields: &[(&str, &str)]| {
        let request = fields.iter().fold(Request::get("/"), |request, (name, value)| request.header(name, value));
        policy.check(&request).code().map(str::to_owned)
    };
    for fields in [
        &[("x-api-key", "key-1")][..],
        &[("authorization", "bearer key-1")],
        &[("authorization", "Basic YW55OmtleS0x")],
        &[("cookie", "a=b; key=key-1")],
        &[("cookie", "a=b"), ("cookie", "key=key-1")],
        &[("x-api-key", "key-1"), ("cookie", "key=key-1")],
        &[("authorization", "Digest x"), ("x-api-key", "key-1")],
    ] {
        assert_eq!(code(fields), None, "{fields:?}");
    }
    assert_eq!(code(&[("x-api-key", "key-1"), ("cookie", "key=key-2")]).as_deref(), Some("several-api-keys"));
    assert_eq!(code(&[("cookie", "key=other")]).as_deref(), Some("unknown-api-key"));
    let Decision::Deny(denial) = policy.check(&Request::get("/")) else { panic!("it was let in") };
    let challenges: Vec<_> = denial.headers.iter().map(|header| header.value.as_str()).collect();
    assert_eq!(
        challenges,
        [
            "ApiKey header=\"x-api-key\"",
            "Bearer realm=\"api\"",
            "Basic realm=\"api\", charset=\"UTF-8\"",
            "ApiKey cookie=\"key\"",
        ]
    );
}

#[test]
fn a_key_may_be_in_the_query() {
    let policy = policy(&json!({
        "places": [{ "query": "key" }, { "header": "x-api-key" }, { "query": "token" }],
        "keys": [{ "id": "acme", "hash": hash(PEPPER, "key-1") }],
    }));
    let code = |target: &str| policy.check(&Request::get(target)).code().map(str::to_owned);
    for target in ["/?key=key-1", "/?a=b&token=key-1", "/?k%65y=key%2d1", "/?key=key-1&token=key-1"] {
        assert_eq!(code(target), None, "{target}");
    }
    assert_eq!(code("/?key=key-2").as_deref(), Some("unknown-api-key"));
    assert_eq!(code("/?key=key-1&token=key-2").as_deref(), Some("several-api-keys"));
    assert_eq!(code("/?KEY=key-1").as_deref(), Some("missing-api-key"));
    assert_eq!(code("/?key=key-1&key=key-1").as_deref(), Some("duplicate-query-parameter"));
    let Decision::Deny(denial) = policy.check(&Request::get("/")) else { panic!("it was let in") };
    assert!(denial.headers.iter().any(|header| header.value == "ApiKey query=\"key\""), "{:?}", denial.headers);
}

/// The operator must act, and not the caller.
#[test]
fn without_a_pepper_in_force_nobody_is_told_that_a_key_is_wrong() {
    let settings = json!({ "keys": [{ "id": "acme", "hash": hash(b"old", "key-1") }] });
    let policy = configure(&settings).unwrap().with_key("pepper", TestKey::new(Algorithm::KeyedHashSha256, []));
    let Decision::Deny(denial) = policy.check(&Request::get("/").header("x-api-key", "key-1")) else {
        panic!("it was let in")
    };
    assert_eq!((denial.status, denial.code.as_str()), (503, "no-usable-key"));
}

#[test]
fn the_key_can_be_a_password() {
    let policy = policy(&json!({
        "basic": "password", "keys": [{ "id": "acme", "hash": hash(PEPPER, "key-1") }],
    }));
    // `any:key-1`
    let request = Request::get("/").header("authorization", "Basic YW55OmtleS0x");
    assert_eq!(policy.check(&request).code(), None);
}

#[test]
fn two_keys_in_one_request_are_refused() {
    let policy = policy(&json!({ "keys": [{ "id": "acme", "hash": hash(PEPPER, "key-1") }] }));
    let request = Request::get("/").header("x-api-key", "key-1").header("x-api-key", "key-2");
    assert_eq!(policy.check(&request).code(), Some("duplicate-header"));
}

#[test]
fn what_is_wrong_with_settings_is_said_where_it_is() {
    let one = hash(PEPPER, "key-1");
    let key = |id: &str, hash: &str| json!({ "id": id, "hash": hash });
    for (settings, expected) in [
        (json!({ "keys": [key("a", &one), key("b", &one)] }), "keys.1.hash"),
        (json!({ "keys": [key("a", &one), key("a", &hash(PEPPER, "key-2"))] }), "keys.1.id"),
        (json!({ "keys": [{ "id": "a", "hash": one, "principal": "" }] }), "keys.0.principal"),
        (json!({ "keys": [{ "id": "a", "hash": one, "attributes": { "key-id": "b" } }] }), "keys.0.attributes.key-id"),
        (
            json!({ "keys": [{
                "id": "a", "hash": one, "not-before": "2026-01-01T00:00:00Z", "expires": "2026-01-01T00:00:00Z",
            }] }),
            "keys.0.expires",
        ),
        (json!({ "keys": [key("a", "key-1")] }), "keys.0.hash"),
        (json!({ "keys": [key("", &one)] }), "keys.0.id"),
        (json!({ "keys": [], "header": "x", "basic": "user" }), "basic"),
        (json!({ "keys": [], "header": "X-Api-Key" }), "header"),
        (json!({ "keys": [{ "id": "a", "hash": one, "expires": "tomorrow" }] }), "keys.0.expires"),
        (json!({ "keys": [], "colour": "red" }), "colour"),
    ] {
        let problems = configure(&settings).unwrap_err();
        let settings_at: Vec<_> = problems.iter().map(|it| it.setting.as_str()).collect();
        assert_eq!(settings_at, [expected], "{settings}");
    }
}

fn policy(settings: &Value) -> Policy<Settings> {
    let pepper = TestKey::new(Algorithm::KeyedHashSha256, [Secret::new("2026", PEPPER)]);
    configure(settings).unwrap().with_key("pepper", pepper)
}

fn configure(settings: &Value) -> Result<Policy<Settings>, Vec<barmkin_guest::types::SettingProblem>> {
    Policy::configure(&settings.to_string())
}

fn hash(pepper: &[u8], key: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(pepper).unwrap();
    mac.update(key.as_bytes());
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}
