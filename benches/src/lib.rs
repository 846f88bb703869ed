//! What a check costs: the chain that is measured.

use barmkin_host::{
    Algorithm, Body, BuildErrors, Client, Engine, EngineError, EngineSettings, Gate, Gcra, Generation, Head, Keep, Key,
    KeyError, KeyRing, Member, MemoryStore, NonceSpace, PolicySpec, Quota, QuotaKey, Route, Services, Spec,
};
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::json;
use sha2::Sha256;
use std::time::Duration;

const SECRET: &[u8] = b"It's a Secret to Everybody";

/// A gate that could not be built.
#[derive(Debug)]
pub struct SetUpError(pub String);

impl From<EngineError> for SetUpError {
    fn from(error: EngineError) -> Self {
        Self(error.to_string())
    }
}

impl From<BuildErrors> for SetUpError {
    fn from(error: BuildErrors) -> Self {
        Self(error.to_string())
    }
}

impl From<KeyError> for SetUpError {
    fn from(error: KeyError) -> Self {
        Self(error.to_string())
    }
}

/// A gate with four policies: the signature of a webhook, its replay, roles,
/// and a quota that never ends.
///
/// # Errors
/// When the machine cannot run it.
pub fn chain_of_four() -> Result<Gate, SetUpError> {
    let policies = [
        policy(
            barmkin_stock::WEBHOOK_SIGNATURE.component,
            json!({ "provider": "github" }),
            &[("signing", "github")],
            true,
        ),
        policy(barmkin_stock::REPLAY_WINDOW.component, json!({}), &[], false),
        policy(barmkin_stock::RATE_QUOTA.component, json!({}), &[], false),
    ];
    let names = ["signature", "replay", "quota"];
    let mut spec = Spec {
        nonces: [("deliveries".to_owned(), NonceSpace { retain: Duration::from_secs(60), ..NonceSpace::default() })]
            .into(),
        quotas: [("quota".to_owned(), endless())].into(),
        policies: names.into_iter().map(str::to_owned).zip(policies).collect(),
        ..Spec::default()
    };
    if let Some(replay) = spec.policies.get_mut("replay") {
        replay.grants.nonces = [("deliveries".to_owned(), "deliveries".to_owned())].into();
        replay.grants.sets = vec![HeaderName::from_static("barmkin-duplicate")];
    }
    if let Some(quota) = spec.policies.get_mut("quota") {
        quota.grants.quotas = [("quota".to_owned(), vec!["quota".to_owned()])].into();
    }
    spec.policies.insert("roles".to_owned(), policy(barmkin_stock::RBAC_SCOPES.component, fifty_roles(), &[], false));
    let mut route = Route::new("hooks");
    route.chain = ["signature", "replay", "roles", "quota"].map(|name| Member::Policy(name.to_owned())).into();
    spec.routes = vec![route];
    let keys = KeyRing::default().with("github", Key::new(Algorithm::HmacSha256).with_secret("bench", SECRET, None)?);
    let engine = Engine::new(&EngineSettings::default())?;
    Ok(Gate::new(Generation::build(&engine, &spec, &keys, Services::new(MemoryStore::default()))?))
}

fn policy(component: &'static [u8], settings: serde_json::Value, keys: &[(&str, &str)], vouch: bool) -> PolicySpec {
    let mut policy = PolicySpec::new(component);
    policy.settings = settings;
    policy.grants.keys = keys.iter().map(|(need, key)| ((*need).to_owned(), (*key).to_owned())).collect();
    policy.grants.vouch = vouch;
    policy
}

fn endless() -> Quota {
    Quota {
        rule: Gcra { interval: Duration::from_nanos(1), limit: u64::from(u32::MAX) }.into(),
        key: QuotaKey::Principal,
        keep: Keep::default(),
    }
}

/// Fifty roles and a rule for each; the one that matches asks for nothing
/// that a webhook's sender does not have.
fn fifty_roles() -> serde_json::Value {
    let roles: serde_json::Map<_, _> =
        (0..50).map(|n| (format!("role-{n}"), json!({ "scopes": [format!("scope-{n}")] }))).collect();
    let rules =
        (0..50).map(|n| json!({ "methods": ["GET"], "path": format!("/v1/{n}/**"), "scopes": [format!("scope-{n}")] }));
    let open = json!({ "methods": ["POST"], "path": "/hooks/**", "scopes": [] });
    json!({ "roles": roles, "rules": rules.chain([open]).collect::<Vec<_>>() })
}

/// The `n`th of many signed deliveries, with a body of 1 KiB.
pub fn delivery(n: u64) -> (Head, Body) {
    let mut body = n.to_string().into_bytes();
    body.resize(1024, b' ');
    let mut headers = HeaderMap::new();
    if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(SECRET) {
        mac.update(&body);
        let signature = format!("sha256={}", hex::encode(mac.finalize().into_bytes()));
        if let Ok(signature) = HeaderValue::from_str(&signature) {
            headers.insert("x-hub-signature-256", signature);
        }
    }
    let head = Head {
        method: Method::POST,
        scheme: "https",
        authority: Some("hooks.example.com".to_owned()),
        target: "/hooks/github".to_owned(),
        headers,
        client: Client::default(),
    };
    (head, Body::Whole(Bytes::from(body)))
}
