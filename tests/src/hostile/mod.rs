//! Policies that do what no policy should. Each is a name; `tests/hostile`
//! has a test of that name for each of them, or does not compile.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use barmkin_build::{BuildOptions, build_component};
use barmkin_host::*;

mod components;
pub mod demanding;
#[macro_use]
mod list;
#[macro_use]
#[path = "../../fixtures/hostile/src/programs.rs"]
mod programs;

/// Names the programs of `fixtures/hostile`.
macro_rules! names {
    ($($(#[$doc:meta])* $name:ident)*) => { &[$(stringify!($name)),*] };
}

/// Makes a component by its name.
macro_rules! make {
    ($($(#[$doc:meta])* $name:ident)*) => { &[$((stringify!($name), components::$name)),*] };
}

/// The programs of the hostile guest, by the name that is their setting.
pub const PROGRAMS: &[&str] = for_each_program!(names);

/// A component's name, and what makes its bytes.
pub type Component = (&'static str, fn() -> Vec<u8>);

/// The components that no compiler makes.
pub const COMPONENTS: &[Component] = for_each_component!(make);

/// The hostile guest, which does what its settings say.
static GUEST: LazyLock<Arc<[u8]>> = LazyLock::new(|| fixture("hostile"));

/// The component of a guest of `fixtures`.
fn fixture(name: &str) -> Arc<[u8]> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name);
    build_component(&folder, &BuildOptions::default()).unwrap().into()
}

/// One of the [`PROGRAMS`], as a policy.
pub fn program(name: &str) -> PolicySpec {
    let mut policy = PolicySpec::new(GUEST.clone());
    policy.settings = serde_json::json!({ "program": name });
    policy.grants.quotas = BTreeMap::from([("quota".to_owned(), vec!["units".to_owned()])]);
    policy
}

/// One of the [`COMPONENTS`], as a policy.
///
/// # Panics
/// When there is none of this name.
pub fn component(name: &str) -> PolicySpec {
    let (_, make) = COMPONENTS.iter().find(|(known, _)| *known == name).unwrap();
    PolicySpec::new(make())
}

/// A public route below `/hostile` with `policy`, beside one below `/good`.
/// A unit that a request takes is not given back in the time of a test, unless
/// by a denial: there are `units` of them.
pub fn spec(policy: PolicySpec, units: u64) -> Spec {
    let route = |name: &str| {
        let mut route = Route::new(name);
        route.matches.path = PathMatch::Prefix(format!("/{name}"));
        route.chain = vec![Member::Policy(name.to_owned())];
        route.public = true;
        route
    };
    let interval = Duration::from_secs(86_400) / u32::try_from(units).unwrap();
    let quota = Quota {
        rule: Gcra { interval, limit: units }.into(),
        key: QuotaKey::Route,
        keep: Keep::OnAllow,
        entries_max: None,
    };
    Spec {
        quotas: BTreeMap::from([("units".to_owned(), quota)]),
        policies: BTreeMap::from([("hostile".to_owned(), policy), ("good".to_owned(), program("behaves"))]),
        routes: vec![route("hostile"), route("good")],
        ..Spec::default()
    }
}

/// A GET of `path`; `misbehave` says whether to.
pub fn head(path: &str, misbehave: bool) -> Head {
    let mut headers = http::HeaderMap::new();
    if misbehave {
        headers.insert("x-hostile", http::HeaderValue::from_static("now"));
    }
    Head {
        method: http::Method::GET,
        version: http::Version::HTTP_11,
        scheme: "https",
        authority: Some("gate.test".to_owned()),
        target: path.to_owned(),
        headers,
        client: Client::default(),
    }
}
