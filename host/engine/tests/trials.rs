//! Trials: shadows and routes that observe change nothing but the record.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, missing_docs, reason = "tests")]

mod common;

use barmkin_host::limits::{BODY_BYTES_DEFAULT, TRIALS_WAITING_MAX, UNDECIDED_MAX};
use barmkin_host::*;
use bytes::Bytes;
use common::{act, head, policy, route, scripted, spec};
use std::sync::{Arc, Condvar, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// The reports, as text: `shadow: would, did`, and the name of each verdict.
#[derive(Default)]
struct Record {
    lines: Mutex<Vec<String>>,
    more: Condvar,
    verdicts: Mutex<Vec<String>>,
}

impl Record {
    fn push(&self, line: String) {
        self.lines.lock().unwrap().push(line);
        self.more.notify_all();
    }

    /// The first `count` lines, once they are there.
    fn wait(&self, count: usize) -> Vec<String> {
        let lines = self.lines.lock().unwrap();
        let enough = Duration::from_secs(60);
        let (lines, late) = self.more.wait_timeout_while(lines, enough, |lines| lines.len() < count).unwrap();
        assert!(!late.timed_out(), "{lines:?}");
        lines.clone()
    }
}

fn name(reason: Option<&Reason>) -> &str {
    reason.map_or("allow", Reason::as_str)
}

impl Metrics for Record {
    fn verdict(&self, _: Option<&str>, _: Option<&str>, reason: Option<&Reason>, _: Duration) {
        self.verdicts.lock().unwrap().push(name(reason).to_owned());
    }

    fn unenforced(&self, unenforced: &Unenforced<'_>) {
        let (would, did) = (name(unenforced.would), name(unenforced.did));
        let differs = if unenforced.agrees() { "" } else { " differs" };
        self.push(format!("{}: {would}, {did}{differs}", unenforced.policy.unwrap_or("the chain")));
    }

    fn untried(&self, policy: &str, why: Untried) {
        self.push(format!("{policy}: {}", why.as_str()));
    }
}

fn shadow(name: &str) -> Member {
    Member::Shadow(name.to_owned())
}

/// `first` decides, `second` is tried: both may vouch. `lenient` abstains where
/// it fails.
fn trial(chain: &[Member], change: impl FnOnce(&mut Spec)) -> (Gate, Arc<Record>) {
    let policies = vec![
        ("first", scripted(0, true, OnError::Deny)),
        ("second", scripted(1, true, OnError::Deny)),
        ("lenient", scripted(1, true, OnError::Abstain)),
    ];
    let mut spec = spec(policies, vec![route("r", chain)], 10);
    change(&mut spec);
    let is_named = |name: &String| {
        spec.routes.iter().flat_map(|route| &route.chain).any(|member| member.policies().contains(name))
    };
    spec.policies.retain(|name, _| is_named(name));
    let record = Arc::new(Record::default());
    let mut services = Services::new(MemoryStore::default());
    services.metrics = record.clone();
    services.clock = Arc::new(FixedClock::at_unix_ms(common::NOW_UNIX_MS));
    let key = Key::new(Algorithm::HmacSha256).with_secret("test", common::SECRET, None).unwrap();
    let keys = KeyRing::default().with("signing", key);
    (Gate::new(Generation::build(&common::ENGINE, &spec, &keys, services).unwrap()), record)
}

fn reads_body(spec: &mut Spec, name: &str) {
    spec.policies.get_mut(name).unwrap().settings["body"] = true.into();
}

fn check(gate: &Gate, fields: &[(String, String)]) -> Verdict {
    gate.check_now(head("/r", fields), Body::NotCarried).unwrap()
}

#[test]
fn no_body_is_read_for_a_shadow() {
    let (gate, record) = trial(&[shadow("second"), policy("first")], |spec| reads_body(spec, "second"));
    assert_eq!(gate.intake(head("/r", &[])).body_need(), BodyNeed::None);
    assert_eq!(gate.generation().routes_with_body().count(), 0);
    assert_eq!(check(&gate, &[act(0, "allow")]).reason(), None);
    assert_eq!(record.wait(1), ["second: no-body"]);
    // A body that is there anyway can be tried on.
    let body = Body::Whole(Bytes::from_static(b"{}"));
    let verdict = gate.check_now(head("/r", &[act(0, "allow"), act(1, "deny:no:403")]), body).unwrap();
    assert_eq!(verdict.reason(), None);
    assert_eq!(record.wait(2)[1], "second: no, allow differs");
}

#[test]
fn no_field_is_stripped_for_a_shadow() {
    let (gate, _) = trial(&[shadow("second"), policy("first")], |_| {});
    let sent = ("x-set-1".to_owned(), "the client's".to_owned());
    let Verdict::Allow(permit) = check(&gate, &[act(0, "allow"), act(1, "set:x-set-1=gate"), sent]) else {
        panic!("denied")
    };
    assert_eq!(permit.into_forwarded().0.headers["x-set-1"], "the client's");
}

/// A field that is only read on trial is nobody's: the client may spell it as
/// it likes, and have its connection drop it.
#[test]
fn no_field_is_guarded_for_a_trial() {
    let fields = [
        act(0, "allow"),
        ("x_script_1".to_owned(), "the client's".to_owned()),
        ("connection".to_owned(), "x-script-1".to_owned()),
    ];
    let (gate, _) = trial(&[shadow("second"), policy("first")], |_| {});
    let Verdict::Allow(permit) = check(&gate, &fields) else { panic!("denied") };
    assert_eq!(permit.into_forwarded().0.headers["x_script_1"], "the client's");
    let (gate, _) = trial(&[policy("second")], |spec| spec.routes[0].observe = true);
    let Verdict::Allow(permit) = check(&gate, &fields) else { panic!("denied") };
    assert_eq!(permit.into_forwarded().0.headers["x_script_1"], "the client's");
    let (gate, _) = trial(&[policy("first"), policy("second")], |_| {});
    assert_eq!(check(&gate, &fields).reason(), Some(&HostReason::ConnectionNamesField.into()));
}

/// A policy that looks at the method, and is not kept to, has nothing to guard.
#[test]
fn a_route_that_observes_lets_the_method_be_overridden() {
    for observe in [true, false] {
        let (gate, _) = trial(&[policy("first")], |spec| {
            let reads =
                serde_json::json!({ "declares": { "parts": true }, "always": { "answers": { "abstain": {} } } });
            let mut reading = PolicySpec::new(common::fixture("declared"));
            reading.settings = reads;
            spec.policies.insert("first".into(), reading);
            spec.routes[0].observe = observe;
            spec.routes[0].public = true;
        });
        let mut overriding = head("/r", &[("x-http-method-override".to_owned(), "DELETE".to_owned())]);
        let Verdict::Allow(permit) = gate.check_now(overriding.clone(), Body::NotCarried).unwrap() else {
            panic!("denied")
        };
        assert_eq!(permit.into_forwarded().0.headers.contains_key("x-http-method-override"), observe);
        overriding.method = http::Method::POST;
        overriding.target = "/r?_method=DELETE".to_owned();
        let reason = gate.check_now(overriding, Body::NotCarried).unwrap().reason().map(Reason::to_string);
        assert_eq!(reason.as_deref(), (!observe).then_some("method-overridden"));
    }
}

#[test]
fn a_shadow_may_set_what_the_policy_sets_that_it_is_to_replace() {
    for chain in [[shadow("second"), policy("first")], [policy("first"), shadow("second")]] {
        let (gate, record) = trial(&chain, |spec| {
            let first = spec.policies["first"].clone();
            spec.policies.insert("second".into(), first);
        });
        assert_eq!(check(&gate, &[act(0, "set:x-set-0=v"), act(0, "allow")]).reason(), None);
        assert_eq!(record.wait(1), ["second: allow, allow"]);
    }
}

#[test]
fn a_request_does_not_wait_for_its_shadows() {
    let (gate, record) = trial(&[shadow("second"), policy("first")], |spec| {
        spec.policies.get_mut("second").unwrap().deadline = Duration::from_millis(500);
    });
    assert_eq!(check(&gate, &[act(0, "allow"), act(1, "spin")]).reason(), None);
    assert_eq!(record.lines.lock().unwrap().len(), 0, "it computes for half a second");
    assert_eq!(record.wait(1), ["second: deadline-exceeded, allow differs"]);
}

#[test]
fn a_shadow_counts_as_the_verdict_with_it_in_its_place() {
    let before = trial(&[shadow("second"), policy("first")], |_| {});
    let behind = trial(&[policy("first"), shadow("second")], |_| {});
    let lenient = trial(&[shadow("lenient"), policy("first")], |_| {});
    for ((gate, record), first, second, expected) in [
        (&before, "allow", "abstain", "second: allow, allow"),
        (&before, "allow", "allow", "second: allow, allow"),
        (&before, "allow", "deny:no:403", "second: no, allow differs"),
        (&before, "allow", "trap", "second: policy-trapped, allow differs"),
        // Another principal than the one that was established.
        (&before, "allow:a", "allow:b", "second: principal-conflict, allow differs"),
        // The chain would have denied all the same.
        (&before, "deny:gone:410", "abstain", "second: gone, gone"),
        (&before, "deny:gone:410", "allow", "second: gone, gone"),
        (&before, "deny:gone:410", "deny:no:403", "second: no, gone"),
        // Nobody vouched, and it would have.
        (&before, "abstain", "allow", "second: allow, nobody-vouched differs"),
        (&before, "abstain", "abstain", "second: nobody-vouched, nobody-vouched"),
        // It sees what was established before its place, and nothing else.
        (&before, "allow:a", "principal:a", "second: wrong-principal, allow differs"),
        (&behind, "allow:a", "principal:a", "second: allow, allow"),
        // A failure counts as its `on-error` says.
        (&lenient, "allow", "trap", "lenient: allow, allow"),
        (&lenient, "deny:gone:410", "trap", "lenient: gone, gone"),
    ] {
        let _ = check(gate, &[act(0, first), act(1, second)]);
        assert_eq!(record.wait(1), [expected], "{first}, {second}");
        record.lines.lock().unwrap().clear();
    }
    // A shadow that would not have been asked is not.
    let (gate, record) = &behind;
    let _ = check(gate, &[act(0, "deny:gone:410"), act(1, "deny:no:403")]);
    let _ = check(gate, &[act(0, "allow"), act(1, "deny:no:403")]);
    assert_eq!(record.wait(1), ["second: no, allow differs"]);
}

#[test]
fn shadows_take_from_quotas_of_their_own() {
    let (gate, record) = trial(&[shadow("second"), shadow("lenient"), policy("first")], |_| {});
    for _ in 0..2 {
        assert_eq!(check(&gate, &[act(1, "take:6"), act(0, "take:1"), act(0, "allow")]).reason(), None);
    }
    let each = ["second: allow, allow", "lenient: allow, allow"];
    let then = ["second: over-quota, allow differs", "lenient: over-quota, allow differs"];
    assert_eq!(record.wait(4), [each, then].concat());
}

#[test]
fn what_a_shadow_misses_is_not_held_against_the_policy() {
    let (gate, record) = trial(&[policy("first")], |spec| {
        let mut tried = route("tried", &[shadow("first")]);
        tried.public = true;
        spec.routes.push(tried);
    });
    for count in 1..=12 {
        let verdict = gate.check_now(head("/tried", &[act(0, "spin")]), Body::NotCarried).unwrap();
        assert_eq!(verdict.reason(), None);
        record.wait(count);
    }
    assert_eq!(record.wait(12)[11], "first: quarantined, allow differs");
    assert_eq!(check(&gate, &[act(0, "allow")]).reason(), None);
}

#[test]
fn trials_past_their_bound_are_dropped_and_counted() {
    let (gate, record) = trial(&[shadow("second"), policy("first")], |spec| {
        spec.policies.get_mut("second").unwrap().deadline = Duration::from_millis(300);
    });
    let requests = 2 * TRIALS_WAITING_MAX;
    let _ = check(&gate, &[act(0, "allow"), act(1, "spin")]);
    for _ in 1..requests {
        assert_eq!(check(&gate, &[act(0, "allow")]).reason(), None);
    }
    let lines = record.wait(requests);
    assert!(lines.iter().any(|line| line == "second: no-room"));
    assert_eq!(lines.len(), requests, "each is told of once");
    // A body that does not fit holds nothing.
    let large = Body::Whole(vec![0; limits::TRIALS_BYTES_MAX].into());
    let _ = gate.check_now(head("/r", &[act(0, "allow")]), large).unwrap();
    assert_eq!(record.wait(requests + 1)[requests], "second: no-room");
}

#[test]
fn a_gate_that_is_dropped_makes_no_more_trials() {
    let (gate, record) = trial(&[shadow("second"), policy("first")], |spec| {
        spec.policies.get_mut("second").unwrap().deadline = Duration::from_millis(100);
    });
    for _ in 0..50 {
        let _ = check(&gate, &[act(0, "allow"), act(1, "spin")]);
    }
    drop(gate);
    // Each trial holds its generation, and that the record.
    while Arc::strong_count(&record) > 1 {
        std::thread::yield_now();
    }
    assert!(record.lines.lock().unwrap().len() < 50, "they would take five seconds");
}

fn observing(spec: &mut Spec) {
    reads_body(spec, "first");
    spec.routes[0].observe = true;
}

#[test]
fn a_route_that_observes_forwards_whatever_its_verdict_is() {
    let (gate, record) = trial(&[policy("first")], observing);
    let mut preflight = head(
        "/r",
        &[("origin".into(), "https://a.example".into()), ("access-control-request-method".into(), "PUT".into())],
    );
    preflight.method = http::Method::OPTIONS;
    let request = || head("/r", &[act(0, "deny:no:403")]);
    let whole = |bytes: usize| Body::Whole(vec![0; bytes].into());
    for (head, body, would) in [
        (request(), whole(2), "no"),
        (request(), whole(BODY_BYTES_DEFAULT + 1), "body-too-large"),
        (request(), Body::TooLarge, "body-too-large"),
        (request(), Body::NoRoom, "overloaded"),
        (request(), Body::Truncated, "body-truncated"),
        (request(), Body::NotCarried, "body-not-carried"),
        (preflight, whole(0), "preflight-refused"),
        (common::head("/r", &[]), whole(0), "nobody-vouched"),
    ] {
        let Verdict::Allow(permit) = gate.check_now(head, body).unwrap() else { panic!("{would} was kept to") };
        assert_eq!(permit.observed().map(|denial| denial.reason().as_str()), Some(would));
        assert_eq!(record.lines.lock().unwrap().pop(), Some(format!("the chain: {would}, allow differs")));
        assert_eq!(record.verdicts.lock().unwrap().pop().as_deref(), Some("allow"), "{would} is counted as it ended");
    }
    // A request with more than one reading has no route, so nothing observes it.
    let unread = gate.check_now(head("/r/../x", &[]), whole(0)).unwrap();
    assert_eq!(unread.reason(), Some(&HostReason::AmbiguousPath.into()));
}

/// A remote store that never answers.
#[derive(Default)]
struct Stalled(Mutex<Vec<Work>>);

type Work = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

impl RemoteStore for Stalled {
    fn claim<'a>(&'a self, _: &'a NonceId, _: Duration, _: Option<Hold>) -> StoreFuture<'a, Claim> {
        Box::pin(std::future::pending())
    }
    fn renew<'a>(&'a self, _: &'a NonceId, _: Holder) -> StoreFuture<'a, ()> {
        Box::pin(std::future::pending())
    }
    fn confirm<'a>(&'a self, _: &'a NonceId, _: Holder) -> StoreFuture<'a, ()> {
        Box::pin(std::future::pending())
    }
    fn release<'a>(&'a self, _: &'a NonceId, _: Holder) -> StoreFuture<'a, ()> {
        Box::pin(std::future::pending())
    }
    fn take<'a>(&'a self, _: &'a Arc<str>, _: &'a [Draw], _: u32) -> StoreFuture<'a, Take> {
        Box::pin(std::future::pending())
    }
    fn give_back<'a>(&'a self, _: &'a Arc<str>, _: &'a Draw, _: u32, _: Duration) -> StoreFuture<'a, ()> {
        Box::pin(std::future::pending())
    }
    fn run_beside(&self, work: Work) {
        self.0.lock().unwrap().push(work);
    }
}

#[test]
fn a_route_that_observes_forwards_where_the_gate_is_overloaded() {
    let mut observed = route("r", &[policy("first")]);
    observed.observe = true;
    let routes = vec![observed, route("enforced", &[policy("first")])];
    let spec = spec(vec![("first", scripted(0, true, OnError::Deny))], routes, 10);
    let gate = common::gate(&spec, Store::Remote(Arc::new(Stalled::default())));
    let mut context = Context::from_waker(Waker::noop());
    let begin = |path| {
        let intake = gate.intake(head(path, &[act(0, "take:1"), act(0, "allow")]));
        Box::pin(gate.decide(intake, Body::NotCarried))
    };
    let mut undecided: Vec<_> = (0..UNDECIDED_MAX).map(|_| begin("/enforced")).collect();
    for waits in &mut undecided {
        assert!(waits.as_mut().poll(&mut context).is_pending());
    }
    let Poll::Ready(verdict) = begin("/enforced").as_mut().poll(&mut context) else { panic!("it waits") };
    assert_eq!(verdict.reason(), Some(&HostReason::Overloaded.into()));
    let Poll::Ready(verdict) = begin("/r").as_mut().poll(&mut context) else { panic!("it waits") };
    let Verdict::Allow(permit) = verdict else { panic!("it was kept to") };
    assert_eq!(permit.observed().map(|denial| denial.reason().as_str()), Some("overloaded"));
}

#[test]
fn what_an_adapter_cannot_take_on_is_refused_on_a_route_that_observes_too() {
    let (gate, _) = trial(&[policy("first")], observing);
    let verdict = gate.intake(head("/r", &[act(0, "allow")])).overloaded();
    assert_eq!(verdict.reason(), Some(&HostReason::Overloaded.into()));
}
