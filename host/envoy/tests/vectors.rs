//! Checks as the tests of another `ext_authz` server have them.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use barmkin_envoy::{Authorizer, Options};
use barmkin_host::*;
use envoy_types::ext_authz::v3::pb::{Authorization, CheckRequest};
use envoy_types::pb::envoy::service::auth::v3::AttributeContext;
use envoy_types::pb::envoy::service::auth::v3::attribute_context::{HttpRequest, Request};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;
use std::path::PathBuf;
use std::sync::Arc;

const PEPPER: &[u8] = b"pepper of the vectors";

/// Cases about rules of that server which have no meaning here: Envoy always
/// sends a path.
const WITHOUT_PATH: &str = "exampleAllowedRequestParsedBody";

#[tokio::test]
async fn checks_of_another_server_are_decided_alike() {
    let folder = std::env::var_os("BARMKIN_VECTORS")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors"), PathBuf::from);
    // Without them there is what a real Envoy asks.
    let Ok(text) = std::fs::read(folder.join("ext_authz/opa_envoy_check_requests.json")) else { return };
    let vectors: Value = serde_json::from_slice(&text).unwrap();
    let authorizer = Authorizer::new(gate(), Options::default());
    let cases = vectors["cases"].as_array().unwrap();
    assert!(!cases.is_empty());
    for case in cases {
        let name = case["name"].as_str().unwrap();
        let check = tonic::Request::new(check_request(&case["check_request"]));
        let answer = authorizer.check(check).await.unwrap().into_inner();
        let allowed = answer.status.unwrap().code == 0;
        assert_eq!(allowed, case["expect"] == "allow" && name != WITHOUT_PATH, "{name}");
    }
}

/// `/api` takes the user `bob` of the vectors, `/my` everyone.
fn gate() -> Arc<Gate> {
    let mut hash = Hmac::<Sha256>::new_from_slice(PEPPER).unwrap();
    hash.update(b"bob");
    let hash = hex::encode(hash.finalize().into_bytes());
    let mut users = PolicySpec::new(barmkin_stock::get("api-key").unwrap().component);
    users.settings = serde_json::json!({ "basic": "user", "keys": [{ "id": "bob", "hash": hash }] });
    users.grants.keys = [("pepper".to_owned(), "pepper".to_owned())].into();
    users.grants.vouch = true;
    let below = |name: &str| RouteMatch { path: PathMatch::Prefix(format!("/{name}")), ..RouteMatch::default() };
    let spec = Spec {
        policies: [("users".to_owned(), users)].into(),
        routes: vec![
            Route { matches: below("api"), chain: vec![Member::Policy("users".to_owned())], ..Route::new("api") },
            Route { matches: below("my"), public: true, ..Route::new("my") },
        ],
        ..Spec::default()
    };
    let pepper = Key::new(Algorithm::KeyedHashSha256).with_secret("1", PEPPER, None).unwrap();
    let engine = Engine::new(&EngineSettings { concurrent_checks_max: 8, ..EngineSettings::default() }).unwrap();
    let services = Services::new(MemoryStore::default());
    let keys = KeyRing::default().with("pepper", pepper);
    Arc::new(Gate::new(Generation::build(&engine, &spec, &keys, services).unwrap()))
}

fn check_request(json: &Value) -> CheckRequest {
    let http = &json["attributes"]["request"]["http"];
    let text = |name: &str| http[name].as_str().unwrap_or_default().to_owned();
    let headers = http["headers"].as_object().into_iter().flatten();
    let http = HttpRequest {
        id: text("id"),
        method: text("method"),
        path: text("path"),
        host: text("host"),
        protocol: text("protocol"),
        body: text("body"),
        headers: headers.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect(),
        ..HttpRequest::default()
    };
    let request = Request { http: Some(http), ..Request::default() };
    CheckRequest { attributes: Some(AttributeContext { request: Some(request), ..AttributeContext::default() }) }
}
