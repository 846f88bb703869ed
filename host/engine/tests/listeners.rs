//! Routes that are for some listeners only.

#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod common;

use barmkin_host::*;
use common::{build, gate, head};

fn route(name: &str, path: &str, listeners: &[&str]) -> Route {
    let mut route = Route::new(name);
    route.public = true;
    route.matches.path = PathMatch::Prefix(path.to_owned());
    route.matches.listeners = listeners.iter().map(ToString::to_string).collect();
    route
}

fn spec(routes: Vec<Route>) -> Spec {
    Spec { routes, ..Spec::default() }
}

/// The route that a request finds, or why it finds none.
fn found(gate: &Gate, target: &str, listener: Option<&str>) -> String {
    let mut head = head(target, &[]);
    head.client.listener = listener.map(Into::into);
    match gate.check_now(head, Body::NotCarried).unwrap() {
        Verdict::Allow(permit) => permit.route().to_owned(),
        Verdict::Deny(denial) => denial.reason().to_string(),
    }
}

#[test]
fn a_route_is_for_the_listeners_that_it_names_or_for_all() {
    let routes = vec![
        route("all", "/", &[]),
        route("inner", "/admin", &["inner", "ops"]),
        route("edge", "/hooks", &["edge"]),
        // The one that names the listener is the more specific one,
        route("inner-hooks", "/hooks", &["inner"]),
        route("any-hooks", "/hooks", &[]),
    ];
    let gate = gate(&spec(routes), MemoryStore::default());
    for (target, listener, expected) in [
        ("/admin", Some("inner"), "inner"),
        ("/admin", Some("ops"), "inner"),
        // whose route is no route of others.
        ("/admin", Some("edge"), "all"),
        ("/admin", Some("inne"), "all"),
        ("/admin", None, "all"),
        ("/hooks", Some("edge"), "edge"),
        ("/hooks", Some("inner"), "inner-hooks"),
        ("/hooks", Some("ops"), "any-hooks"),
        ("/hooks", None, "any-hooks"),
        ("/HOOKS", Some("edge"), "ambiguous-path"),
        ("/ADMIN", Some("edge"), "all"),
    ] {
        assert_eq!(found(&gate, target, listener), expected, "{target} by {listener:?}");
    }
}

#[test]
fn where_no_route_is_for_the_listener_there_is_none() {
    let gate = gate(&spec(vec![route("inner", "/", &["inner"])]), MemoryStore::default());
    assert_eq!(found(&gate, "/", Some("inner")), "inner");
    for other in [Some("edge"), None] {
        assert_eq!(found(&gate, "/", other), "no-route", "{other:?}");
    }
}

#[test]
fn routes_tie_only_where_they_share_a_listener() {
    let ties = |one: &[&str], other: &[&str]| {
        build(&spec(vec![route("one", "/", one), route("other", "/", other)]), MemoryStore::default()).is_err()
    };
    assert!(ties(&[], &[]) && ties(&["a", "b"], &["b", "c"]));
    assert!(!ties(&["a"], &["b"]) && !ties(&["a"], &[]));
}
