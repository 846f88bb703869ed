//! An axum router behind a gate: webhooks that GitHub signs, and a handler
//! that takes the permit and the principal.
//!
//! `cargo run -p barmkin-tower --features axum --example axum`, then
//! `curl -i 127.0.0.1:8080/github -H "x-hub-signature-256: sha256=$(printf hello | \
//!   openssl dgst -sha256 -hmac "It's a Secret to Everybody" -r | cut -d' ' -f1)" -d hello`

use axum::Router;
use axum::body::Bytes;
use axum::routing::{get, post};
use barmkin_host::*;
use barmkin_tower::{BarmkinLayer, Options, Permitted, peer_from_connect_info};
use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let options = Options { peer: peer_from_connect_info, ..Options::default() };
    let app = Router::new()
        .route("/github", post(delivered))
        .route("/health", get(async || "well\n"))
        .layer(BarmkinLayer::new(gate()?, options))
        .into_make_service_with_connect_info::<SocketAddr>();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
    println!("http://{}/github takes what GitHub signs; Ctrl-C ends", listener.local_addr()?);
    let stop = async { drop(tokio::signal::ctrl_c().await) };
    Ok(axum::serve(listener, app).with_graceful_shutdown(stop).await?)
}

/// Runs only for deliveries whose signature was verified.
async fn delivered(permitted: Permitted, body: Bytes) -> String {
    let sender = permitted.principal().map_or("nobody", |principal| &principal.id);
    format!("{} bytes, signed by {sender}, permitted as {}\n", body.len(), permitted.request_id())
}

fn gate() -> Result<Arc<Gate>, Box<dyn Error>> {
    let key = Key::new(Algorithm::HmacSha256).with_secret("2026", b"It's a Secret to Everybody", None)?;
    let keys = KeyRing::default().with("github", key);
    let spec = Spec {
        policies: [("signature".to_owned(), signature()), ("replay".to_owned(), replay())].into(),
        nonces: [("deliveries".to_owned(), NonceSpace::default())].into(),
        routes: vec![Route { public: true, ..route("/health", &[]) }, route("/github", &["signature", "replay"])],
        ..Spec::default()
    };
    let engine = Engine::new(&EngineSettings::default())?;
    // A restart forgets which deliveries were seen: use a store that does not.
    let services = Services::new(MemoryStore::default());
    Ok(Arc::new(Gate::new(Generation::build(&engine, &spec, &keys, services)?)))
}

fn signature() -> PolicySpec {
    let mut policy = PolicySpec::new(barmkin_stock::WEBHOOK_SIGNATURE.component);
    policy.settings = serde_json::json!({ "provider": "github" });
    policy.grants.keys = [("signing".to_owned(), "github".to_owned())].into();
    policy.grants.vouch = true;
    policy
}

fn replay() -> PolicySpec {
    let mut policy = PolicySpec::new(barmkin_stock::REPLAY_WINDOW.component);
    policy.grants.nonces = [("deliveries".to_owned(), "deliveries".to_owned())].into();
    policy.grants.sets = vec![http::HeaderName::from_static("barmkin-duplicate")];
    policy
}

fn route(path: &str, chain: &[&str]) -> Route {
    let mut route = Route::new(path.trim_start_matches('/'));
    route.matches.path = PathMatch::Exact(path.to_owned());
    route.chain = chain.iter().map(|policy| Member::Policy((*policy).to_owned())).collect();
    route
}
