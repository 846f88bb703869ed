//! The identity of deliveries, and the fate of each.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, missing_docs, reason = "tests")]

mod common;

use barmkin_host::*;
use bytes::Bytes;
use common::{ENGINE, NOW_UNIX_MS, SECRET, act, head, policy, route, scripted, spec};
use hmac::{Hmac, KeyInit, Mac};
use http::StatusCode;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

const BODY: Bytes = Bytes::from_static(b"{\"id\":1}");

/// On `/r` a policy that may vouch, by key `signing`, and one that claims what it
/// verified; on `/other` the same by another key with the same secret.
fn gate(space: NonceSpace, told: Arc<Told>) -> Gate {
    let vouching = |key: &str| {
        let mut policy = scripted(0, true, OnError::Deny);
        policy.settings["body"] = true.into();
        policy.grants.keys = [("signing".to_owned(), key.to_owned())].into();
        policy
    };
    let policies = vec![
        ("first", vouching("signing")),
        ("other", vouching("other")),
        ("second", scripted(1, false, OnError::Deny)),
    ];
    let routes =
        vec![route("r", &[policy("first"), policy("second")]), route("other", &[policy("other"), policy("second")])];
    let mut spec = spec(policies, routes, 10);
    spec.nonces.insert("nonces".into(), space);
    let key = || Key::new(Algorithm::HmacSha256).with_secret("test", SECRET, None).unwrap();
    let keys = KeyRing::default().with("signing", key()).with("other", key());
    let mut services = Services::new(MemoryStore::default());
    services.clock = Arc::new(FixedClock::at_unix_ms(NOW_UNIX_MS));
    services.metrics = told;
    Gate::new(Generation::build(&ENGINE, &spec, &keys, services).unwrap())
}

#[derive(Default)]
struct Told(Mutex<Vec<DeliveryOutcome>>);

impl Metrics for Told {
    fn delivery(&self, space: &str, outcome: DeliveryOutcome) {
        assert_eq!(space, "nonces");
        self.0.lock().unwrap().push(outcome);
    }
}

/// A delivery from `sender`, with further fields.
fn deliver(gate: &Gate, route: &str, sender: &str, fields: &[(&str, &str)], sees: Sees) -> Verdict {
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(SECRET).unwrap();
    mac.update(&BODY);
    let signature = hex::encode(mac.finalize().into_bytes());
    let mut all =
        vec![act(0, format!("verify:{signature}")), act(0, format!("allow:{sender}")), act(1, "claim".to_owned())];
    all.extend(fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    let mut head = head(&format!("/{route}"), &all);
    head.client.sees = sees;
    gate.check_now(head, Body::Whole(BODY)).unwrap()
}

fn reason(verdict: &Verdict) -> &str {
    verdict.reason().map_or("allow", Reason::as_str)
}

fn settlement(verdict: Verdict) -> Settlement {
    let Verdict::Allow(permit) = verdict else { panic!("{}", reason(&verdict)) };
    permit.into_forwarded().1
}

fn now(settling: impl Future<Output = ()>) {
    assert_eq!(pin!(settling).poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(()));
}

#[test]
fn equal_bytes_of_two_senders_or_keys_are_two_deliveries() {
    let gate = gate(NonceSpace::default(), Arc::default());
    let reason = |route, sender| reason(&deliver(&gate, route, sender, &[], Sees::Nothing)).to_owned();
    for (route, sender) in [("r", "a"), ("r", "b"), ("other", "a"), ("other", "b")] {
        assert_eq!(reason(route, sender), "allow", "{route} {sender}: nobody burns it for another");
        assert_eq!(reason(route, sender), "replayed", "{route} {sender}");
    }
}

#[test]
fn a_field_that_was_not_signed_tells_apart_by_its_listed_values() {
    let told = TellApart { field: "x-topic".parse().unwrap(), values: vec!["made".into(), "paid".into()] };
    let gate = gate(NonceSpace { tell_apart: vec![told], ..NonceSpace::default() }, Arc::default());
    let reason = |fields: &[(&str, &str)]| reason(&deliver(&gate, "r", "a", fields, Sees::Nothing)).to_owned();
    for fields in [&[("x-topic", "made")][..], &[("x-topic", "paid")], &[]] {
        assert_eq!(reason(fields), "allow", "{fields:?}");
        assert_eq!(reason(fields), "replayed", "{fields:?}");
    }
    for fields in [&[("x-topic", "other")][..], &[("x-topic", "")], &[("x-topic", "made"), ("x-topic", "paid")]] {
        assert_eq!(reason(fields), "unidentified-delivery", "{fields:?}: else it came again with any value");
    }
}

/// How a delivery ends, and what its sender gets when it sends it again.
#[test]
fn a_delivery_follows_its_outcome_as_far_as_that_is_seen() {
    type End = fn(Settlement);
    let ends: [(&str, End, &str); 9] = [
        ("200", |it| now(it.answered(StatusCode::OK)), "replayed"),
        ("204", |it| now(it.answered(StatusCode::NO_CONTENT)), "replayed"),
        ("302", |it| now(it.answered(StatusCode::FOUND)), "allow"),
        ("404", |it| now(it.answered(StatusCode::NOT_FOUND)), "allow"),
        ("429", |it| now(it.answered(StatusCode::TOO_MANY_REQUESTS)), "allow"),
        ("500", |it| now(it.answered(StatusCode::INTERNAL_SERVER_ERROR)), "allow"),
        ("failed", |it| now(it.failed()), "allow"),
        ("unknown", drop, "allow"),
        ("sent", |it| now(it.sent()), "replayed"),
    ];
    let by_default = gate(NonceSpace::default(), Arc::default());
    // Each end is another sender's.
    for (end, settle, again) in ends {
        let deliver = || deliver(&by_default, "r", end, &[], Sees::Response);
        let first = settlement(deliver());
        assert_eq!(reason(&deliver()), "in-progress", "{end}");
        settle(first);
        assert_eq!(reason(&deliver()), again, "{end}");
    }
    let all = SuccessStatuses { redirects: true, client_errors: true };
    let lenient = gate(NonceSpace { success: all, ..NonceSpace::default() }, Arc::default());
    for (status, again) in [(302, "replayed"), (404, "replayed"), (500, "allow")] {
        let deliver = || deliver(&lenient, "r", &status.to_string(), &[], Sees::Response);
        now(settlement(deliver()).answered(StatusCode::from_u16(status).unwrap()));
        assert_eq!(reason(&deliver()), again, "{status}");
    }
    // Where only the sending of the verdict is seen.
    let deliver = || deliver(&by_default, "r", "sees-sent", &[], Sees::Sent);
    drop(settlement(deliver()));
    let second = settlement(deliver());
    assert_eq!(reason(&deliver()), "in-progress");
    now(second.sent());
    assert_eq!(reason(&deliver()), "replayed");
}

#[test]
fn what_came_of_a_delivery_is_counted_and_a_repeated_one_is_named() {
    let told = Arc::new(Told::default());
    let gate = gate(NonceSpace::default(), told.clone());
    let again = || deliver(&gate, "r", "a", &[], Sees::Response);
    now(settlement(again()).answered(StatusCode::BAD_GATEWAY));
    drop(settlement(again()));
    let under_way = settlement(again());
    assert_eq!(reason(&again()), "in-progress");
    now(under_way.answered(StatusCode::OK));
    let Verdict::Deny(denial) = again() else { panic!("it came again") };
    let (digest, rest) = denial.detail().split_once("` of `nonces`").unwrap();
    assert_eq!((digest.len(), rest), (65, ""), "{}", denial.detail());
    let told = told.0.lock().unwrap();
    use DeliveryOutcome::{Duplicate, Failed, InProgress, Unknown, Used};
    assert_eq!(*told, [Failed, Unknown, InProgress, Used, Duplicate]);
}

/// It is used from the first moment, and no later end makes it anything else.
#[test]
fn a_delivery_that_always_stays_is_counted_once() {
    let told = Arc::new(Told::default());
    let space = NonceSpace { keep: Some(Keep::Always), ..NonceSpace::default() };
    let gate = gate(space, told.clone());
    let refused = deliver(&gate, "r", "a", &[("x-script-1", "deny:no:403")], Sees::Response);
    assert_eq!(reason(&refused), "no");
    now(settlement(deliver(&gate, "r", "b", &[], Sees::Response)).failed());
    assert_eq!(*told.0.lock().unwrap(), [DeliveryOutcome::Used, DeliveryOutcome::Used]);
}

#[test]
fn what_a_policy_claims_by_itself_stays_whatever_comes_of_it() {
    let gate = gate(NonceSpace::default(), Arc::default());
    let code = |end: &str| {
        let fields = [act(0, "claim-nonce:code"), act(0, end)];
        reason(&gate.check_now(head("/r", &fields), Body::Whole(BODY)).unwrap()).to_owned()
    };
    assert_eq!(code("deny:wrong:401"), "wrong");
    assert_eq!(code("allow"), "replayed");
}
