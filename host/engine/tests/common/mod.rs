//! Gates over scripted policies: each does what the request's own fields say.

#![allow(clippy::unwrap_used, dead_code, reason = "tests; no test file uses all of it")]

use barmkin_host::*;
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// One engine for all tests of a process.
pub(crate) static ENGINE: LazyLock<Engine> = LazyLock::new(|| Engine::new(&EngineSettings::default()).unwrap());

/// The component of `tests/fixtures/scripted`.
pub(crate) static SCRIPTED: LazyLock<Arc<[u8]>> = LazyLock::new(|| fixture("scripted"));

/// The component of `tests/fixtures/bounds`.
pub(crate) static BOUNDS: LazyLock<Arc<[u8]>> = LazyLock::new(|| fixture("bounds"));

/// Builds a component of `tests/fixtures`.
pub(crate) fn fixture(name: &str) -> Arc<[u8]> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures").join(name);
    barmkin_build::build_component(&folder, &barmkin_build::BuildOptions::default()).unwrap().into()
}

/// The secret of key `signing`.
pub(crate) const SECRET: &[u8] = b"a secret of the tests";

/// When it is, in milliseconds since 1970, unless a test says otherwise.
pub(crate) const NOW_UNIX_MS: u64 = 1_700_000_000_000;

/// A policy that does what `x-script-<position>` says.
pub(crate) fn scripted(position: usize, vouch: bool, on_error: OnError) -> PolicySpec {
    let mut policy = PolicySpec::new(SCRIPTED.clone());
    let sets = [format!("x-set-{position}")];
    policy.settings = serde_json::json!({ "position": position, "vouch": vouch, "sets": sets });
    policy.on_error = on_error;
    policy.grants = grants(&sets, vouch);
    policy
}

/// Everything that a fixture asks for.
pub(crate) fn grants(sets: &[String], vouch: bool) -> Grants {
    Grants {
        keys: [("signing".to_owned(), "signing".to_owned())].into(),
        nonces: [("nonces".to_owned(), "nonces".to_owned())].into(),
        quotas: [("quota".to_owned(), vec!["quota".to_owned()])].into(),
        sets: sets.iter().map(|name| name.parse().unwrap()).collect(),
        removes_query: Vec::new(),
        vouch,
    }
}

/// The spec of `policies`, with a quota of `limit` a day for each route.
pub(crate) fn spec(policies: Vec<(&str, PolicySpec)>, routes: Vec<Route>, limit: u64) -> Spec {
    let interval = Duration::from_secs(86_400) / u32::try_from(limit).unwrap();
    let quota =
        Quota { rule: Gcra { interval, limit }.into(), key: QuotaKey::Route, keep: Keep::OnAllow, entries_max: None };
    Spec {
        nonces: [("nonces".to_owned(), NonceSpace::default())].into(),
        quotas: [("quota".to_owned(), quota)].into(),
        policies: policies.into_iter().map(|(name, policy)| (name.to_owned(), policy)).collect(),
        routes,
        principal_field: Some("barmkin-principal".parse().unwrap()),
        ..Spec::default()
    }
}

/// A route for all paths below `/name`.
pub(crate) fn route(name: &str, chain: &[Member]) -> Route {
    let mut route = Route::new(name);
    route.matches.path = PathMatch::Prefix(format!("/{name}"));
    route.chain = chain.to_vec();
    route
}

/// The member of one policy.
pub(crate) fn policy(name: &str) -> Member {
    Member::Policy(name.to_owned())
}

/// A gate by `spec`, on `store`, at [`NOW_UNIX_MS`].
pub(crate) fn gate(spec: &Spec, store: impl Into<Store>) -> Gate {
    Gate::new(build(spec, store).unwrap())
}

/// A generation by `spec`, on `store`, at [`NOW_UNIX_MS`].
pub(crate) fn build(spec: &Spec, store: impl Into<Store>) -> Result<Generation, BuildErrors> {
    let mut services = Services::new(store);
    services.clock = Arc::new(FixedClock::at_unix_ms(NOW_UNIX_MS));
    Generation::build(&ENGINE, spec, &keys(), services)
}

/// The key `signing`.
pub(crate) fn keys() -> KeyRing {
    KeyRing::default().with("signing", Key::new(Algorithm::HmacSha256).with_secret("test", SECRET, None).unwrap())
}

/// A GET of `target` with `fields`.
pub(crate) fn head(target: &str, fields: &[(String, String)]) -> Head {
    let mut headers = http::HeaderMap::new();
    for (name, value) in fields {
        headers.append(http::HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
    }
    Head {
        method: http::Method::GET,
        version: http::Version::HTTP_11,
        scheme: "https",
        authority: Some("gate.test".to_owned()),
        target: target.to_owned(),
        headers,
        client: Client::default(),
    }
}

/// A field that tells the policy at `position` to act.
pub(crate) fn act(position: usize, act: impl Into<String>) -> (String, String) {
    (format!("x-script-{position}"), act.into())
}
