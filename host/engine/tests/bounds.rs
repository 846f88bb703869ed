//! Every bound, at the bound and one past it, with its reason.

#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod common;

use barmkin_host::*;
use common::{BOUNDS, act, build, gate, grants, head, policy, route, scripted, spec};
use rustix::time::{ClockId, clock_gettime};
use std::sync::LazyLock;
use std::time::Duration;

fn bounded(settings: serde_json::Value, sets: usize) -> PolicySpec {
    let mut policy = PolicySpec::new(BOUNDS.clone());
    policy.settings = settings;
    let sets: Vec<_> = (0..sets).map(|index| format!("x-set-{index}")).collect();
    policy.grants = grants(&sets, true);
    policy
}

fn one_route(policies: Vec<(&str, PolicySpec)>) -> Spec {
    let chain: Vec<_> = policies.iter().map(|(name, _)| policy(name)).collect();
    let mut route = route("r", &chain);
    route.public = true;
    spec(policies, vec![route], 1_000_000)
}

/// A public route with the one policy that goes to any bound.
static GATE: LazyLock<Gate> = LazyLock::new(|| {
    let settings = serde_json::json!({ "sets": 1 });
    gate(&one_route(vec![("bounds", bounded(settings, 1))]), MemoryStore::default())
});

fn reason(verdict: &Verdict) -> &str {
    verdict.reason().map_or("allow", Reason::as_str)
}

#[track_caller]
fn at_and_past(what: &str, max: usize, at: &str, past: &str) {
    let check = |count: usize| {
        let fields = [("x-bound".to_owned(), format!("{what}:{count}"))];
        GATE.check_now(head("/r", &fields), Body::NotCarried).unwrap()
    };
    assert_eq!(reason(&check(max)), at, "{what} at {max}");
    assert_eq!(reason(&check(max + 1)), past, "{what} one past {max}");
}

#[test]
fn what_a_decision_may_say() {
    at_and_past("code", limits::CODE_BYTES_MAX, &"a".repeat(limits::CODE_BYTES_MAX), "contract-violation");
    at_and_past("status", 599, "status", "contract-violation");
    at_and_past("fields", limits::DECISION_HEADERS_MAX, "fields", "contract-violation");
    at_and_past("value", limits::DECISION_VALUE_BYTES_MAX, "value", "contract-violation");
    at_and_past("changes", limits::DECISION_HEADERS_MAX, "allow", "contract-violation");
    at_and_past("id", limits::PRINCIPAL_ID_BYTES_MAX, "allow", "contract-violation");
    at_and_past("roles", limits::PRINCIPAL_ITEMS_MAX, "allow", "contract-violation");
    at_and_past("role", limits::PRINCIPAL_ITEM_BYTES_MAX, "allow", "contract-violation");
}

#[test]
fn the_least_of_a_decision() {
    for (bound, reason_at) in
        [("status:200", "status"), ("status:199", "contract-violation"), ("status:99", "contract-violation")]
    {
        let fields = [("x-bound".to_owned(), bound.to_owned())];
        assert_eq!(reason(&GATE.check_now(head("/r", &fields), Body::NotCarried).unwrap()), reason_at);
    }
    for bound in ["code:0", "id:0"] {
        let fields = [("x-bound".to_owned(), bound.to_owned())];
        assert_eq!(reason(&GATE.check_now(head("/r", &fields), Body::NotCarried).unwrap()), "contract-violation");
    }
}

#[test]
fn a_detail_is_cut() {
    let detail = |count: usize| {
        let fields = [("x-bound".to_owned(), format!("detail:{count}"))];
        match GATE.check_now(head("/r", &fields), Body::NotCarried).unwrap() {
            Verdict::Deny(denial) => denial.detail().len(),
            Verdict::Allow(_) => 0,
        }
    };
    assert_eq!(detail(limits::DETAIL_BYTES_MAX), limits::DETAIL_BYTES_MAX);
    assert_eq!(detail(limits::DETAIL_BYTES_MAX + 1), limits::DETAIL_BYTES_MAX);
}

#[test]
fn what_a_guest_may_ask_of_the_host() {
    at_and_past("subject", limits::SUBJECT_BYTES_MAX, "allow", "host-calls-exceeded");
    at_and_past("nonce", limits::SUBJECT_BYTES_MAX, "allow", "host-calls-exceeded");
    at_and_past("candidates", limits::CANDIDATES_MAX, "allow", "host-calls-exceeded");
    at_and_past("parts", limits::PARTS_MAX, "allow", "host-calls-exceeded");
    at_and_past("calls", limits::HOST_CALLS_MAX as usize, "allow", "host-calls-exceeded");
    at_and_past("store-calls", limits::STORE_CALLS_MAX as usize, "allow", "host-calls-exceeded");
}

#[test]
fn what_the_host_copies_for_a_guest() {
    let fields = |bytes: usize| [("x-bound".to_owned(), format!("base:{bytes}"))];
    // The guest has not the memory for as much as the host would copy.
    let mut large = bounded(serde_json::json!({}), 0);
    large.memory_bytes = limits::MEMORY_BYTES_MAX;
    large.deadline = Duration::from_secs(1);
    let gate = gate(&one_route(vec![("bounds", large)]), MemoryStore::default());
    let verdict = |bytes| gate.check_now(head("/r", &fields(bytes)), Body::NotCarried).unwrap();
    assert_eq!(reason(&verdict(limits::HOSTCALL_BYTES_MAX - 4_096)), "allow");
    assert_eq!(reason(&verdict(limits::HOSTCALL_BYTES_MAX + 1)), "policy-trapped");
}

#[test]
fn what_a_guest_may_log_is_dropped_not_denied() {
    at_and_past("lines", limits::LOG_LINES_MAX as usize, "allow", "allow");
}

#[test]
fn memory_ends_where_the_policy_says() {
    let pages = |memory: usize, pages: usize| {
        let mut policy = bounded(serde_json::json!({}), 0);
        policy.memory_bytes = memory;
        let gate = gate(&one_route(vec![("bounds", policy)]), MemoryStore::default());
        let fields = [("x-bound".to_owned(), format!("pages:{pages}"))];
        reason(&gate.check_now(head("/r", &fields), Body::NotCarried).unwrap()).to_owned()
    };
    // The image has what the guest starts with, and up to two pages that the
    // snapshot took: whichever it is, memory ends at the limit, sharply.
    let start = usize::try_from(inspect(&BOUNDS).unwrap().memory_pages).unwrap();
    let room = limits::MEMORY_BYTES_DEFAULT / 65_536 - start;
    let answers: Vec<_> = (room - 2..=room + 1).map(|more| pages(limits::MEMORY_BYTES_DEFAULT, more)).collect();
    let allowed = answers.iter().take_while(|answer| *answer == "allow").count();
    assert!((1..=3).contains(&allowed), "{answers:?}");
    assert!(answers.iter().skip(allowed).all(|answer| answer == "no-memory"), "{answers:?}");

    let gate = gate(&one_route(vec![("grow", scripted(0, true, OnError::Deny))]), MemoryStore::default());
    let verdict = gate.check_now(head("/r", &[act(0, "grow")]), Body::NotCarried).unwrap();
    assert_eq!(reason(&verdict), "memory-exceeded");
}

#[test]
fn a_stack_ends() {
    let fields = [("x-bound".to_owned(), "recurse:100000000".to_owned())];
    assert_eq!(reason(&GATE.check_now(head("/r", &fields), Body::NotCarried).unwrap()), "policy-trapped");
}

/// The bound is on CPU time, which does not depend on what else the machine
/// does: a deadline of 10 ms, looked at every millisecond once a check has run for a tick.
#[test]
fn a_spinning_guest_is_answered_within_its_deadline_and_3_ms() {
    let gate = gate(&one_route(vec![("spin", scripted(0, true, OnError::Deny))]), MemoryStore::default());
    let cpu = || Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap();
    let spin = || {
        let began = cpu();
        let verdict = gate.check_now(head("/r", &[act(0, "spin")]), Body::NotCarried).unwrap();
        assert_eq!(reason(&verdict), "deadline-exceeded");
        let took = cpu() - began;
        // In between it behaves, or it would be quarantined.
        assert_eq!(reason(&gate.check_now(head("/r", &[]), Body::NotCarried).unwrap()), "allow");
        took
    };
    let bound = limits::DEADLINE_DEFAULT + Duration::from_millis(3);
    // The tick is a thread, which a busy machine can wake late: of several
    // rounds one is sure to be undisturbed.
    let within = (0..8).any(|_| {
        let mut took: Vec<Duration> = (0..100).map(|_| spin()).collect();
        took.sort();
        let (least, p99) = (took[0], took[98]);
        println!("CPU time of a spinning guest: least {least:?}, median {:?}, p99 {p99:?}", took[49]);
        // A thread that had to wait before the first tick has less, but no less.
        assert!(least >= limits::DEADLINE_DEFAULT / 2, "{least:?}");
        p99 <= bound
    });
    assert!(within, "p99 is past {bound:?}");
}

#[test]
fn what_a_manifest_may_list() {
    let build = |settings, sets| {
        build(&one_route(vec![("bounds", bounded(settings, sets))]), MemoryStore::default()).map(|_| ())
    };
    let max = limits::MANIFEST_ITEMS_MAX;
    assert!(build(serde_json::json!({ "headers": max, "sets": max }), max).is_ok());
    for settings in [serde_json::json!({ "headers": max + 1 }), serde_json::json!({ "sets": max + 1 })] {
        let errors = build(settings, max + 1).unwrap_err();
        assert!(matches!(errors.errors(), [BuildError { problem: Problem::Manifest(_), .. }]), "{errors}");
    }
}

#[test]
fn what_configuring_may_take() {
    let build =
        |settings| build(&one_route(vec![("bounds", bounded(settings, 0))]), MemoryStore::default()).map(|_| ());
    let overhead = serde_json::json!({ "filler": "" }).to_string().len();
    let filler = |bytes: usize| serde_json::json!({ "filler": "a".repeat(bytes - overhead) });
    assert!(build(filler(limits::SETTINGS_BYTES_MAX)).is_ok());
    let errors = build(filler(limits::SETTINGS_BYTES_MAX + 1)).unwrap_err();
    assert!(matches!(errors.errors(), [BuildError { problem: Problem::Settings(_), .. }]), "{errors}");

    let start = usize::try_from(inspect(&BOUNDS).unwrap().memory_pages).unwrap();
    let room = limits::MEMORY_BYTES_DEFAULT / 65_536 - start;
    assert!(build(serde_json::json!({ "pages": room })).is_ok());
    let errors = build(serde_json::json!({ "pages": room + 1 })).unwrap_err();
    assert_eq!(errors.to_string(), "policy `bounds`: setting `pages`: no-memory");

    let errors = build(serde_json::json!({ "spin": true })).unwrap_err();
    assert!(errors.to_string().contains("deadline-exceeded"), "{errors}");
}

#[test]
fn what_an_operator_may_set() {
    let build = |change: fn(&mut PolicySpec)| {
        let mut policy = bounded(serde_json::json!({}), 0);
        change(&mut policy);
        build(&one_route(vec![("bounds", policy)]), MemoryStore::default()).map(|_| ())
    };
    assert!(build(|policy| policy.deadline = limits::DEADLINE_MAX).is_ok());
    assert!(build(|policy| policy.deadline = limits::DEADLINE_MAX + Duration::from_nanos(1)).is_err());
    assert!(build(|policy| policy.deadline = Duration::ZERO).is_err());
    assert!(build(|policy| policy.memory_bytes = limits::MEMORY_BYTES_MAX).is_ok());
    assert!(build(|policy| policy.memory_bytes = limits::MEMORY_BYTES_MAX + 1).is_err());
    assert!(build(|policy| policy.component = vec![0; limits::COMPONENT_BYTES_MAX + 1].into()).is_err());
}

#[test]
fn how_long_a_chain_may_be() {
    let build = |members: usize| {
        let mut spec = one_route(vec![("s", scripted(0, true, OnError::Deny))]);
        let mut route = route("r", &vec![policy("s"); members]);
        route.public = true;
        spec.routes = vec![route];
        build(&spec, MemoryStore::default()).map(|_| ())
    };
    // The fixture sets a field, which two members of a chain must not.
    let too_long = |result: Result<(), BuildErrors>| {
        result.unwrap_err().errors().iter().any(|error| matches!(error.problem, Problem::ChainTooLong(_)))
    };
    assert!(!too_long(build(limits::CHAIN_MAX)));
    assert!(too_long(build(limits::CHAIN_MAX + 1)));
}

#[test]
fn how_many_secrets_a_key_may_have() {
    let key = |secrets: usize| {
        (0..secrets)
            .try_fold(Key::new(Algorithm::HmacSha256), |key, id| key.with_secret(&id.to_string(), b"secret", None))
    };
    assert!(key(limits::SECRETS_MAX).is_ok());
    assert_eq!(key(limits::SECRETS_MAX + 1).unwrap_err(), KeyError::TooMany);
}

#[test]
fn how_large_a_request_may_be() {
    let check = |head: Head| reason(&GATE.check_now(head, Body::NotCarried).unwrap()).to_owned();
    let target = |bytes: usize| head(&format!("/r/{}", "a".repeat(bytes - 3)), &[]);
    assert_eq!(check(target(limits::TARGET_BYTES_MAX)), "allow");
    assert_eq!(check(target(limits::TARGET_BYTES_MAX + 1)), "target-too-long");

    let fields = |count: usize| (0..count).map(|index| (format!("x-{index}"), String::new())).collect::<Vec<_>>();
    assert_eq!(check(head("/r", &fields(limits::HEADERS_MAX))), "allow");
    assert_eq!(check(head("/r", &fields(limits::HEADERS_MAX + 1))), "too-many-headers");

    let field = |bytes: usize| [("x".to_owned(), "a".repeat(bytes - 1))];
    assert_eq!(check(head("/r", &field(limits::HEADERS_BYTES_MAX))), "allow");
    assert_eq!(check(head("/r", &field(limits::HEADERS_BYTES_MAX + 1))), "headers-too-large");
}
