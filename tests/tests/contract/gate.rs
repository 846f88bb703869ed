//! Gates over components that were kept.

use barmkin_host::*;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

static ENGINE: LazyLock<Engine> = LazyLock::new(|| Engine::new(&EngineSettings::default()).unwrap());

/// When it is.
pub(crate) const NOW_UNIX_MS: u64 = 1_700_000_000_000;

/// The secrets of `signing` and `hashing`.
pub(crate) const SIGNING: &str = "It's a Secret to Everybody";
pub(crate) const HASHING: &str = "pepper of the tests";

/// A component of 0.1.0.
pub(crate) fn component(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("contract/0.1.0");
    std::fs::read(folder.join(name).with_extension("wasm")).unwrap()
}

/// A policy made of one, with what it is granted: its own names for keys,
/// nonce spaces and quotas, to `signing`, `hashing`, `nonces` and `quota`.
pub(crate) fn policy(name: &str, settings: serde_json::Value, grants: &[(&str, &str)], sets: &[&str]) -> PolicySpec {
    let mut policy = PolicySpec::new(component(name));
    policy.settings = settings;
    for (own, granted) in grants {
        let of_kind = match *granted {
            "signing" | "hashing" => &mut policy.grants.keys,
            "nonces" => &mut policy.grants.nonces,
            "quota" => {
                policy.grants.quotas.insert((*own).to_owned(), vec![(*granted).to_owned()]);
                continue;
            }
            _ => {
                policy.grants.vouch = true;
                continue;
            }
        };
        of_kind.insert((*own).to_owned(), (*granted).to_owned());
    }
    policy.grants.sets = sets.iter().map(|name| name.parse().unwrap()).collect();
    policy
}

/// A gate whose one route asks `policies` in this order.
pub(crate) fn gate(policies: Vec<(&str, PolicySpec)>) -> Result<Gate, BuildErrors> {
    let mut route = Route::new("route");
    route.public = true;
    // `everything` takes no more.
    route.body_bytes_max = Some(1_024);
    route.chain = policies.iter().map(|(name, _)| Member::Policy((*name).to_owned())).collect();
    let rate = Gcra { interval: Duration::from_secs(3_600), limit: 3 };
    let spec = Spec {
        nonces: BTreeMap::from([("nonces".to_owned(), NonceSpace::default())]),
        quotas: BTreeMap::from([(
            "quota".to_owned(),
            Quota { rule: rate.into(), key: QuotaKey::Route, keep: Keep::default(), entries_max: None },
        )]),
        policies: policies.into_iter().map(|(name, policy)| (name.to_owned(), policy)).collect(),
        routes: vec![route],
        ..Spec::default()
    };
    let key = |algorithm, secret: &str| Key::new(algorithm).with_secret("2026-11", secret.as_bytes(), None).unwrap();
    let keys = KeyRing::default()
        .with("signing", key(Algorithm::HmacSha256, SIGNING))
        .with("hashing", key(Algorithm::KeyedHashSha256, HASHING));
    let mut services = Services::new(MemoryStore::default());
    services.clock = Arc::new(FixedClock::at_unix_ms(NOW_UNIX_MS));
    Ok(Gate::new(Generation::build(&ENGINE, &spec, &keys, services)?))
}

/// Asks about `method target` with `fields` and `body`.
pub(crate) fn ask(gate: &Gate, request: &str, fields: &[(&str, &str)], body: &'static [u8]) -> Verdict {
    let (method, target) = request.split_once(' ').unwrap();
    let mut headers = http::HeaderMap::new();
    for (name, value) in fields {
        headers.append(http::HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
    }
    let head = Head {
        method: method.parse().unwrap(),
        version: http::Version::HTTP_11,
        scheme: "https",
        authority: Some("hooks.example.com".to_owned()),
        target: target.to_owned(),
        headers,
        client: Client { address: Some([192, 0, 2, 7].into()), ..Client::default() },
    };
    gate.check_now(head, Body::Whole(body.into())).unwrap()
}

/// The reason of a deny.
pub(crate) fn reason(verdict: &Verdict) -> &str {
    verdict.reason().map_or("allow", Reason::as_str)
}
