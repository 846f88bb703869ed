//! Components that are not policies, or not what they seem: each is refused
//! with its reason, and nothing else happens.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "tests")]

mod common;

use barmkin_host::*;
use common::{SCRIPTED, build, fixture, grants, policy, route, scripted, spec};

/// The problems of a policy made of `component`.
fn problems(component: &[u8]) -> Vec<Problem> {
    let mut policy_spec = PolicySpec::new(component.to_vec());
    policy_spec.grants = grants(&[], true);
    let mut route = route("r", &[policy("p")]);
    route.public = true;
    let errors =
        build(&spec(vec![("p", policy_spec)], vec![route], 10), MemoryStore::default()).map(|_| ()).unwrap_err();
    errors.into_errors().into_iter().map(|error| error.problem).collect()
}

fn wat(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

#[track_caller]
fn refused(component: &[u8], message: &str) {
    let problems = problems(component);
    let messages: Vec<_> = problems.iter().map(ToString::to_string).collect();
    assert!(messages.iter().any(|found| found.contains(message)), "{messages:?} should say `{message}`");
}

#[test]
fn what_is_no_component() {
    refused(b"", "is not valid");
    refused(b"not WebAssembly at all", "is not valid");
    refused(&wat("(module)"), "this is a core module, not a component");
    for length in [8, 100, SCRIPTED.len() / 2, SCRIPTED.len() - 1] {
        refused(&SCRIPTED[..length], if length == 8 { "is not a policy" } else { "is not valid" });
    }
}

#[test]
fn what_is_for_another_contract() {
    refused(&wat("(component)"), "does not export `barmkin:policy/request-policy@0.1.0`");
    let other = |kind: &str, interface: &str| match kind {
        "export" => format!(r#"(component (instance $i) (export "{interface}" (instance $i)))"#),
        _ => format!(r#"(component (import "{interface}" (instance)))"#),
    };
    for (kind, interface, remedy) in [
        ("export", "barmkin:policy/request-policy@9.0.0", "upgrade this host"),
        ("export", "barmkin:policy/request-policy@0.0.9", "build it again with the SDK of this host: `barmkin sdk`"),
        ("export", "barmkin:policy/request-policy@0.10.0", "upgrade this host"),
        ("import", "barmkin:keys/keys@0.2.0", "upgrade this host"),
        ("import", "barmkin:log/log@0.0.1", "build it again with the SDK of this host"),
    ] {
        let component = wat(&other(kind, interface));
        refused(&component, &format!("was built for `{interface}`, but this host runs `"));
        let help = problems(&component).first().and_then(Problem::help).unwrap();
        assert!(help.starts_with(remedy), "{interface}: {help}");
    }
    let mistyped = r#"(component (instance $i) (export "barmkin:policy/request-policy@0.1.0" (instance $i)))"#;
    assert!(matches!(problems(&wat(mistyped))[..], [Problem::Mistyped(_)]));
}

#[test]
fn what_imports_more_than_capabilities() {
    let sockets = r#"(component (import "wasi:sockets/tcp@0.2.6" (instance)))"#;
    refused(&wat(sockets), "imports `wasi:sockets/tcp@0.2.6`, which no policy is given");
}

#[test]
fn what_uses_features_that_are_off() {
    refused(&wat(r#"(component (core module (import "a" "b" (tag))))"#), "is not valid");
    refused(&wat("(component (core module (memory 1 1 shared)))"), "is not valid");
    refused(&wat("(component (core module (memory i64 1)))"), "is not valid");
}

#[test]
fn what_leaves_no_room_for_a_snapshot() {
    refused(&wat("(component (core module (memory 1 1)))"), "a memory is limited to 1 pages");
    refused(&wat("(component (core module (memory 1 2)))"), "a memory is limited to 2 pages");
    // Room at first, but configuring takes all of it: the snapshotter panics.
    refused(&fixture("full-memory"), "cannot be snapshotted");
}

#[test]
fn a_refused_component_leaves_the_engine_as_it_was() {
    drop(problems(&fixture("full-memory")));
    let mut route = route("r", &[policy("p")]);
    route.public = true;
    assert!(
        build(&spec(vec![("p", scripted(0, true, OnError::Deny))], vec![route], 10), MemoryStore::default()).is_ok()
    );
}

#[test]
fn a_policy_gets_what_it_asks_for_and_was_granted() {
    let with = |change: fn(&mut Grants)| {
        let mut policy_spec = scripted(0, true, OnError::Deny);
        change(&mut policy_spec.grants);
        let mut route = route("r", &[policy("p")]);
        route.public = true;
        let errors = build(&spec(vec![("p", policy_spec)], vec![route], 10), MemoryStore::default()).map(|_| ());
        errors.map_err(|errors| errors.to_string()).unwrap_err()
    };
    let error = with(|grants| grants.keys.clear());
    assert_eq!(error, "policy `p`: the policy asks for key `signing`, which it is not granted");
    let error = with(|grants| {
        grants.keys.insert("signing".into(), "nowhere".into());
    });
    assert_eq!(error, "policy `p`: there is no key `nowhere`");
    let error = with(|grants| {
        grants.nonces.insert("nonces".into(), "nowhere".into());
    });
    assert_eq!(error, "policy `p`: there is no nonce space `nowhere`");
    let error = with(|grants| {
        grants.quotas.insert("more".into(), vec!["quota".into()]);
    });
    assert_eq!(error, "policy `p`: the policy is granted quota `more`, which it does not use");
    let error = with(|grants| grants.sets.clear());
    assert_eq!(error, "policy `p`: the policy asks for field `x-set-0`, which it is not granted");
    let error = with(|grants| grants.vouch = false);
    assert!(error.starts_with("policy `p`: the policy vouches for requests, which it is not granted"), "{error}");
}

#[test]
fn settings_that_the_policy_refuses_say_where() {
    let mut policy_spec = scripted(0, true, OnError::Deny);
    policy_spec.settings = serde_json::json!({ "position": "first" });
    let mut route = route("r", &[policy("p")]);
    route.public = true;
    let errors =
        build(&spec(vec![("p", policy_spec)], vec![route], 10), MemoryStore::default()).map(|_| ()).unwrap_err();
    assert!(
        matches!(&errors.errors()[0].problem, Problem::Setting { setting, .. } if setting == "`position`"),
        "{errors}"
    );
}

#[test]
fn routes_that_cannot_be() {
    let errors = |routes: Vec<Route>| {
        let policies = vec![("p", scripted(0, true, OnError::Deny)), ("q", scripted(1, false, OnError::Deny))];
        build(&spec(policies, routes, 10), MemoryStore::default()).map(|_| ()).unwrap_err().to_string()
    };
    assert_eq!(errors(vec![route("r", &[])]), "route `r`: the chain is empty");
    assert_eq!(errors(vec![route("r", &[policy("x")])]), "route `r`: there is no policy `x`");
    let nobody = "route `r`: no policy of the chain vouches, so it would deny every request";
    assert_eq!(errors(vec![route("r", &[policy("q")])]), nobody);
    assert_eq!(errors(vec![route("r", &[policy("p"), Member::AnyOf(vec!["q".into()])])]), nobody);
    assert_eq!(errors(vec![route("r", &[Member::Shadow("p".into())])]), nobody);
    let mut upper = route("R", &[policy("p")]);
    upper.matches.path = PathMatch::Prefix("/R/".into());
    assert_eq!(
        errors(vec![route("r", &[policy("p")]), upper]),
        "route `R`: it ties with route `r`: some requests match both equally well"
    );
    let mut odd = route("r", &[policy("p")]);
    odd.matches.path = PathMatch::Exact("/a/../b".into());
    assert_eq!(errors(vec![odd]), "route `r`: path `/a/../b` can be read in two ways, so nothing can match it");
    let twice = route("r", &[policy("p"), policy("p")]);
    assert_eq!(errors(vec![twice]), "route `r`: policies `p` and `p` may both set `x-set-0`");
}
