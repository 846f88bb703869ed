//! The same 200 requests through every way in: the same verdict for the same
//! reason, and what a proxy cannot carry is listed.

#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test ends by panicking")]

mod cases;
mod deliveries;
mod eval;
mod exceptions;
mod tower;
mod tricks;
mod ways;

use barmkin_host::Verdict;
use barmkin_tests::harness::{Framing, ReferenceGate, reference_gate};
use barmkin_tests::rules;
use cases::{Case, Expected};
use exceptions::{EXCEPTIONS, Outcome};
use std::collections::BTreeSet;
use ways::{Seen, Way};

#[test]
fn envoy_decides_alike() {
    decides_alike(Way::Envoy);
}

#[test]
fn nginx_decides_alike() {
    decides_alike(Way::Nginx);
}

#[test]
fn caddy_decides_alike() {
    decides_alike(Way::Caddy);
}

#[test]
fn the_reverse_proxy_decides_alike() {
    decides_alike(Way::ReverseProxy);
}

#[test]
fn tower_decides_alike() {
    decides_alike(Way::Tower);
}

#[test]
fn barmkin_eval_decides_alike() {
    decides_alike(Way::Eval);
}

fn decides_alike(way: Way) {
    let cases = cases::all();
    assert_shape(&cases);
    let Some(ask) = way.start() else { return };
    let gate = reference_gate(&rules::api_and_webhooks());

    let mut differences = Vec::new();
    let mut needed = BTreeSet::new();
    for (case, seen) in cases.iter().zip(ask(&cases)) {
        let (expected, principal) = decide(&gate, case);
        let outcome = Outcome::of(&seen);
        if outcome == expected {
            check_arrival(way, case, principal.as_deref(), &seen);
        } else if let Some(exception) = exceptions::find(way, &case.name, &outcome) {
            needed.insert(exception);
        } else {
            differences.push(format!("`{}`: {outcome:?}, not {expected:?}", case.name));
        }
    }
    for (index, exception) in EXCEPTIONS.iter().enumerate().filter(|(_, exception)| exception.ways.contains(&way)) {
        for begin in exception.cases.iter().filter(|begin| !needed.contains(&(index, **begin))) {
            differences.push(format!("`{begin}` is no longer an exception, although {}", exception.why));
        }
    }
    assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n"));
}

/// The engine's decision, asked directly; for all but path tricks it must be
/// the one that the case names.
fn decide(gate: &ReferenceGate, case: &Case) -> (Outcome, Option<String>) {
    let request = &case.request;
    let fields: Vec<_> = request.fields.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
    let verdict = gate.check(&request.method, &request.target, &fields, &request.body);
    let decided = match verdict {
        Verdict::Allow(permit) => (Outcome::Allow, permit.principal().map(|principal| principal.id.clone())),
        Verdict::Deny(denial) => (Outcome::Deny(denial.reason().to_string().into()), None),
    };
    let stated = case.expected.map(|expected| match expected {
        Expected::Allow(principal) => (Outcome::Allow, principal.map(str::to_owned)),
        Expected::Deny(reason) => (Outcome::Deny(reason.into()), None),
    });
    assert_eq!(stated.as_ref().unwrap_or(&decided), &decided, "`{}`", case.name);
    decided
}

/// A request that passes arrives whole, with the principal that was established
/// and no other.
fn check_arrival(way: Way, case: &Case, expected: Option<&str>, seen: &Seen) {
    let Seen::Allow { received, principal } = seen else { return };
    assert_eq!(principal.as_deref(), expected, "{way:?}: the principal of `{}`", case.name);
    assert_eq!(received.is_some(), way.has_upstream());
    if let Some(received) = received {
        assert!(received.body == case.request.body, "{way:?}: the body of `{}` arrived otherwise", case.name);
        assert_eq!(received.target, case.request.target, "{way:?}: the target of `{}`", case.name);
        assert_eq!(received.method, case.request.method, "{way:?}: the method of `{}`", case.name);
    }
}

/// The set of requests is what this test says it is.
fn assert_shape(cases: &[Case]) {
    let count = |is: fn(&&Case) -> bool| cases.iter().filter(is).count();
    assert_eq!(cases.len(), 200);
    assert_eq!(count(|case| case.name.starts_with("path ")), 40);
    assert_eq!(count(|case| !case.request.body.is_empty()), 80);
    assert_eq!(count(|case| case.request.body.contains(&0xff)), 20);
    assert_eq!(count(|case| case.request.framing == Framing::Chunked), 10);
    let names: BTreeSet<_> = cases.iter().map(|case| &case.name).collect();
    assert_eq!(names.len(), 200, "every name is another");
}
