//! A real gate for the tests of the ways in: stock policies, a memory store,
//! and a clock that stands still.
#![allow(dead_code, reason = "each way in tests a part of it")]

use barmkin_host::*;
use hmac::{Hmac, KeyInit, Mac};
use http::HeaderName;
use sha2::Sha256;
use std::sync::Arc;
use std::time::Duration;

/// 2026-11-24T00:00:00Z.
const NOW_UNIX_MS: u64 = 1_795_478_400_000;

const SECRET: &[u8] = b"It's a Secret to Everybody";

/// The most that a signed body may be.
pub(crate) const BODY_BYTES_MAX: usize = 64;

/// Deliveries that the quota admits.
pub(crate) const QUOTA: u64 = 8;

/// Where the upstream finds the principal.
pub(crate) const PRINCIPAL: HeaderName = HeaderName::from_static("x-gate-principal");

/// Decides four routes: `/github` for signed deliveries, each once and within
/// a quota; `/retried` where a delivery stays used only if the upstream takes
/// it; `/public` for everyone; `/observed` for signed deliveries, on trial.
pub(crate) fn gate() -> Arc<Gate> {
    gate_with(GateLimits::default())
}

/// The same, which takes on what `limits` say.
pub(crate) fn gate_with(limits: GateLimits) -> Arc<Gate> {
    let nonces = |keep| NonceSpace { keep, ..NonceSpace::default() };
    let mut signature = stock("webhook-signature");
    signature.settings = serde_json::json!({ "provider": "github" });
    signature.grants.keys = [("signing".to_owned(), "github".to_owned())].into();
    signature.grants.vouch = true;
    let spec = Spec {
        nonces: [("deliveries".to_owned(), nonces(Some(Keep::OnAllow))), ("taken-deliveries".to_owned(), nonces(None))]
            .into(),
        quotas: [("deliveries".to_owned(), quota())].into(),
        policies: [
            ("signature".to_owned(), signature),
            ("replay".to_owned(), replay("deliveries")),
            ("retried-replay".to_owned(), replay("taken-deliveries")),
            ("quota".to_owned(), rate_quota()),
        ]
        .into(),
        routes: vec![
            route("github", &["signature", "replay", "quota"]),
            route("retried", &["signature", "retried-replay"]),
            Route { public: true, ..route("public", &[]) },
            Route { observe: true, ..route("observed", &["signature"]) },
        ],
        principal_field: Some(PRINCIPAL),
        ..Spec::default()
    };
    let key = Key::new(Algorithm::HmacSha256).with_secret("2026-11", SECRET, None).unwrap();
    let engine = Engine::new(&EngineSettings { concurrent_checks_max: 32, ..EngineSettings::default() }).unwrap();
    let mut services = Services::new(MemoryStore::default());
    services.clock = Arc::new(FixedClock::at_unix_ms(NOW_UNIX_MS));
    let keys = KeyRing::default().with("github", key);
    Arc::new(Gate::with_limits(Generation::build(&engine, &spec, &keys, services).unwrap(), limits))
}

/// The value of `x-hub-signature-256` that GitHub would send with `body`.
pub(crate) fn sign(body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET).unwrap();
    mac.update(body);
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

fn route(name: &str, chain: &[&str]) -> Route {
    let mut route = Route::new(name);
    route.matches.path = PathMatch::Prefix(format!("/{name}"));
    route.chain = chain.iter().map(|policy| Member::Policy((*policy).to_owned())).collect();
    route.body_bytes_max = Some(BODY_BYTES_MAX);
    route
}

fn replay(space: &str) -> PolicySpec {
    let mut replay = stock("replay-window");
    replay.grants.nonces = [("deliveries".to_owned(), space.to_owned())].into();
    replay.grants.sets = vec![HeaderName::from_static("barmkin-duplicate")];
    replay
}

fn rate_quota() -> PolicySpec {
    let mut policy = stock("rate-quota");
    policy.grants.quotas = [("quota".to_owned(), vec!["deliveries".to_owned()])].into();
    policy
}

fn quota() -> Quota {
    let rule = Gcra { interval: Duration::from_secs(3_600), limit: QUOTA }.into();
    Quota { rule, key: QuotaKey::Principal, keep: Keep::OnAllow, entries_max: None }
}

fn stock(name: &str) -> PolicySpec {
    PolicySpec::new(barmkin_stock::get(name).unwrap().component)
}
