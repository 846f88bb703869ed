//! Declarations are what counts: on the host and in the SDK's double of it,
//! whatever another policy of the chain declares.

use crate::cases::{Case, MESSAGE, NOT_LOADED, PRINCIPAL, cases};
use crate::gate::{NOW_UNIX_MS, ask};
use barmkin_build::{BuildOptions, build_component};
use barmkin_fixture_declared::Settings;
use barmkin_guest::test::{Policy, Request, TestKey, TestQuota};
use barmkin_guest::types::{self as contract, Decision};
use barmkin_host::*;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::{Arc, LazyLock};

static ENGINE: LazyLock<Engine> = LazyLock::new(|| Engine::new(&EngineSettings::default()).unwrap());

static COMPONENT: LazyLock<Arc<[u8]>> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/declared");
    build_component(&folder, &BuildOptions::default()).unwrap().into()
});

const SECRET: &[u8] = b"a secret of the tests";
const QUERY: &str = "?a=1&b=1&b=2";
const FIELDS: [(&str, &str); 3] = [("x-a", "1"), ("x-b", "1"), ("x-b", "2")];
const BODY: &[u8] = b"body";

/// The outcome of a case, and the status where it was denied.
type Came = (String, Option<u16>);

#[test]
fn the_host_and_its_double_decide_alike() {
    let (mut host, mut wrong) = (Host::new(), Vec::new());
    for case in cases() {
        let [alone, beside] = host.decide(&case);
        for (by, came) in [
            ("the host", alone),
            ("the host, where the body is there anyway", beside),
            ("the double", by_the_double(&case)),
        ] {
            if came != (case.expected.to_owned(), status_of(&case)) {
                wrong.push(format!("{}: {by} says {came:?}, not `{}`", case.name, case.expected));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The status that a case is answered with.
fn status_of(case: &Case) -> Option<u16> {
    match case.expected {
        "allow" | "abstain" | NOT_LOADED => None,
        "contract-violation" | "host-calls-exceeded" => Some(500),
        "body-too-large" => Some(413),
        "duplicate-header" | "duplicate-query-parameter" => Some(400),
        "seen" => Some(403),
        _ => case.asks["answers"]["deny"]["status"].as_u64().and_then(|status| status.try_into().ok()),
    }
}

/// The target that asks for a case, below `/path`.
fn target(path: &str, case: &Case) -> String {
    let asks = case.asks.to_string();
    format!("/{path}{QUERY}&asks={}", percent_encoding::utf8_percent_encode(&asks, percent_encoding::NON_ALPHANUMERIC))
}

/// A gate that loads what one case after another declares, each below `/alone`
/// and, behind a policy that needs the body, below `/beside`; below `/naming-..`
/// nobody was named before.
struct Host {
    gate: Gate,
    declared: Value,
    is_loaded: bool,
}

impl Host {
    fn new() -> Self {
        let declared = json!({});
        let gate = Gate::new(Generation::build(&ENGINE, &spec(&declared), &keys(), services()).unwrap());
        Self { gate, declared, is_loaded: true }
    }

    fn load(&mut self, case: &Case) {
        self.declared = case.declares.clone();
        match self.gate.generation().next(&ENGINE, &spec(&self.declared), &keys()) {
            Ok(next) => {
                self.gate.swap(next);
                self.is_loaded = true;
            }
            Err(errors) => {
                let is_of_the_manifest =
                    |error: &BuildError| matches!(error.problem, Problem::Manifest(_) | Problem::ForbiddenField(_));
                assert!(errors.errors().iter().all(is_of_the_manifest), "{}: {errors}", case.name);
                self.is_loaded = false;
            }
        }
    }

    fn decide(&mut self, case: &Case) -> [Came; 2] {
        if self.declared != case.declares {
            self.load(case);
        }
        if !self.is_loaded {
            return [(NOT_LOADED.to_owned(), None), (NOT_LOADED.to_owned(), None)];
        }
        let names = case.asks["answers"]["allow"]["principal"].is_object();
        let routes = if names { ["naming-alone", "naming-beside"] } else { ["alone", "beside"] };
        routes.map(|route| {
            let verdict = ask(&self.gate, &format!("POST {}", target(route, case)), &FIELDS, BODY);
            match (&verdict, verdict.steps().last().map(|step| &step.outcome)) {
                (Verdict::Deny(denial), _) => (denial.reason().to_string(), Some(denial.status().as_u16())),
                (Verdict::Allow(_), Some(Outcome::Allow)) => ("allow".to_owned(), None),
                (Verdict::Allow(_), Some(Outcome::Abstain)) => ("abstain".to_owned(), None),
                (Verdict::Allow(_), other) => panic!("{}: {other:?}", case.name),
            }
        })
    }
}

/// A policy that declares so, behind ones that establish a principal and facts,
/// or alone.
fn spec(declares: &Value) -> Spec {
    let established = json!({ "allow": { "principal": { "id": PRINCIPAL }, "facts": MESSAGE } });
    let establishes = json!({ "declares": { "vouches": true }, "always": { "answers": established } });
    let reads = json!({ "declares": { "on_host": true }, "always": { "answers": { "abstain": {} } } });
    let case = json!({ "declares": declares });
    let route = |name: &str, chain: &[&str]| {
        let mut route = Route::new(name);
        route.public = true;
        route.matches.path = PathMatch::Prefix(format!("/{name}"));
        // A route takes no more than the policies of its chain read.
        if let Some(bytes_max) = declares["bytes"].as_u64() {
            route.body_bytes_max = Some(usize::try_from(bytes_max).unwrap().min(64 * 1_024 * 1_024));
        }
        route.chain = chain.iter().map(|name| Member::Policy((*name).to_owned())).collect();
        route
    };
    let rate = Gcra { interval: std::time::Duration::from_secs(3_600), limit: 1_000 };
    let policies = [("establishes", &establishes), ("reads", &reads), ("case", &case)];
    Spec {
        nonces: [("nonces".to_owned(), NonceSpace::default())].into(),
        quotas: [(
            "quota".to_owned(),
            Quota { rule: rate.into(), key: QuotaKey::Route, keep: Keep::default(), entries_max: None },
        )]
        .into(),
        policies: policies.map(|(name, settings)| (name.to_owned(), granted(settings))).into(),
        routes: vec![
            route("alone", &["establishes", "case"]),
            route("beside", &["establishes", "reads", "case"]),
            route("naming-alone", &["case"]),
            route("naming-beside", &["reads", "case"]),
        ],
        ..Spec::default()
    }
}

fn keys() -> KeyRing {
    let key = |algorithm| Key::new(algorithm).with_secret("test", SECRET, None).unwrap();
    let hashing = key(Algorithm::KeyedHashSha256);
    KeyRing::default().with("signing", key(Algorithm::HmacSha256)).with("hashing", hashing)
}

fn services() -> Services {
    let mut services = Services::new(MemoryStore::default());
    services.clock = Arc::new(FixedClock::at_unix_ms(NOW_UNIX_MS));
    services
}

/// A policy by `settings` that is granted all that it declares, and no more.
fn granted(settings: &Value) -> PolicySpec {
    let list = |name: &str| {
        let names = settings["declares"][name].as_array().into_iter().flatten();
        names.map(|name| name.as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let mut policy = PolicySpec::new(COMPONENT.clone());
    policy.settings = settings.clone();
    policy.grants.keys = list("keys").into_iter().map(|name| (name, "signing".to_owned())).collect();
    policy.grants.keys.extend(list("hash_keys").into_iter().map(|name| (name, "hashing".to_owned())));
    policy.grants.nonces = list("nonces").into_iter().map(|name| (name, "nonces".to_owned())).collect();
    policy.grants.quotas = list("quotas").into_iter().map(|name| (name, vec!["quota".to_owned()])).collect();
    policy.grants.sets = list("sets").iter().filter_map(|name| name.parse().ok()).collect();
    policy.grants.vouch = settings["declares"]["vouches"] == json!(true);
    policy
}

fn by_the_double(case: &Case) -> Came {
    let settings = json!({ "declares": case.declares });
    let Ok(mut policy) = Policy::<Settings>::configure(&settings.to_string()) else {
        return (NOT_LOADED.to_owned(), None);
    };
    let secret = || [barmkin_guest::test::Secret::new("test", SECRET)];
    for key in policy.manifest().keys.clone() {
        policy = policy.with_key(&key.name, TestKey::new(key.algorithms[0], secret()));
    }
    for quota in policy.manifest().quotas.clone() {
        policy = policy.with_quota(&quota, TestQuota::new(1_000, 0));
    }
    let principal = contract::Principal::service(PRINCIPAL);
    let facts = contract::Facts { message_id: Some(MESSAGE.to_owned()), signed_at_unix_ms: None, key_id: None };
    let request = Request::post(&target("", case)).at(NOW_UNIX_MS).body(BODY).principal(principal).facts(facts);
    match policy.check(&FIELDS.iter().fold(request, |request, (name, value)| request.header(name, value))) {
        Decision::Allow(_) => ("allow".to_owned(), None),
        Decision::Abstain(_) => ("abstain".to_owned(), None),
        Decision::Deny(denial) => (denial.code, Some(denial.status)),
    }
}

#[test]
fn what_is_granted_and_not_asked_for_is_told() {
    let mut spec = spec(&json!({ "sets": ["x-a"] }));
    let grants = &mut spec.policies.get_mut("case").unwrap().grants;
    grants.vouch = true;
    grants.sets.push("x-b".parse().unwrap());
    let errors = Generation::build(&ENGINE, &spec, &keys(), services()).map(|_| ()).unwrap_err();
    let problems: Vec<_> = errors.into_errors().into_iter().map(|error| error.problem).collect();
    assert_eq!(problems, [Problem::UnusedVouch, Problem::UnusedGrant { kind: "field", name: "x-b".to_owned() }]);
}
