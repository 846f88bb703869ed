//! Effects follow the verdict (law 6), and what identifies a delivery.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "tests")]

mod common;

use barmkin_host::*;
use bytes::Bytes;
use common::{SECRET, act, gate, head, policy, route, scripted, spec};
use hmac::{Hmac, KeyInit, Mac};
use http::StatusCode;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

const BODY: Bytes = Bytes::from_static(b"{}\xff\x00");

fn signature(body: &[u8]) -> String {
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(SECRET).unwrap();
    mac.update(body);
    hex::encode(mac.finalize().into_bytes())
}

/// `first` may vouch and reads the body, `second` follows it.
fn pair(nonces: NonceSpace, keep: Keep) -> Spec {
    let mut first = scripted(0, true, OnError::Deny);
    first.settings["body"] = true.into();
    let second = scripted(1, false, OnError::Deny);
    let chain = [policy("first"), policy("second")];
    let mut spec = spec(vec![("first", first), ("second", second)], vec![route("r", &chain)], 10);
    spec.nonces.insert("nonces".into(), nonces);
    spec.quotas.get_mut("quota").unwrap().keep = keep;
    spec
}

fn run(gate: &Gate, acts: &[(usize, String)]) -> Verdict {
    let fields: Vec<_> = acts.iter().map(|(position, what)| act(*position, what.clone())).collect();
    gate.check_now(head("/r", &fields), Body::Whole(BODY)).unwrap()
}

fn reason(verdict: &Verdict) -> &str {
    verdict.reason().map_or("allow", Reason::as_str)
}

/// A verified delivery that is claimed by the second policy, then ended as
/// `end` says.
fn delivery(gate: &Gate, facts: &str, end: &str) -> String {
    let acts = [
        (0, format!("verify:{}", signature(&BODY))),
        (0, format!("facts:{facts}")),
        (0, "allow".to_owned()),
        (1, "claim".to_owned()),
        (1, end.to_owned()),
    ];
    reason(&run(gate, &acts)).to_owned()
}

#[test]
fn a_delivery_is_replayed_only_once_it_was_let_in() {
    let gate = gate(&pair(NonceSpace::default(), Keep::OnAllow), MemoryStore::default());
    assert_eq!(delivery(&gate, "m1", "deny:over-quota:429"), "over-quota");
    assert_eq!(delivery(&gate, "m1", "trap"), "policy-trapped");
    assert_eq!(delivery(&gate, "m1", "abstain"), "allow", "a refused delivery may come again");
    assert_eq!(delivery(&gate, "m2", "abstain"), "replayed", "what was signed is the same, whatever its id");
}

#[test]
fn message_ids_identify_deliveries_where_the_operator_says_so() {
    let space = NonceSpace { same_delivery: SameDelivery::MessageId, ..NonceSpace::default() };
    let gate = gate(&pair(space, Keep::OnAllow), MemoryStore::default());
    assert_eq!(delivery(&gate, "m1", "abstain"), "allow");
    assert_eq!(delivery(&gate, "m1", "abstain"), "replayed");
    assert_eq!(delivery(&gate, "m2", "abstain"), "allow");
}

#[test]
fn what_is_kept_always_stays_when_it_is_refused() {
    let space = NonceSpace { keep: Keep::Always, ..NonceSpace::default() };
    let gate = gate(&pair(space, Keep::Always), MemoryStore::default());
    assert_eq!(delivery(&gate, "m1", "deny:wrong-code:403"), "wrong-code");
    assert_eq!(delivery(&gate, "m1", "abstain"), "replayed");
    for _ in 0..10 {
        assert_eq!(reason(&run(&gate, &[(0, "take:1".into()), (0, "deny:guess:401".into())])), "guess");
    }
    assert_eq!(reason(&run(&gate, &[(0, "take:1".into()), (0, "allow".into())])), "over-quota");
}

#[test]
fn without_a_verified_delivery_there_is_nothing_to_claim() {
    let gate = gate(&pair(NonceSpace::default(), Keep::OnAllow), MemoryStore::default());
    assert_eq!(reason(&run(&gate, &[(0, "allow".into()), (1, "claim".into())])), "unidentified-delivery");
    // What a policy verified but did not vouch for does not count.
    let acts = [(0, format!("verify:{}", signature(&BODY))), (0, "abstain".into()), (1, "claim".into())];
    assert_eq!(reason(&run(&gate, &acts)), "unidentified-delivery");
}

#[test]
fn what_waits_for_the_response_is_settled_by_it() {
    let gate = gate(&pair(NonceSpace::default(), Keep::OnSuccess), MemoryStore::default());
    let take = |status: Option<u16>| {
        let Verdict::Allow(permit) = run(&gate, &[(0, "take:10".into()), (0, "allow".into())]) else {
            return "over-quota";
        };
        let (_, settlement) = permit.into_forwarded();
        assert!(settlement.is_pending());
        match status {
            Some(status) => {
                let mut settled = pin!(settlement.response(StatusCode::from_u16(status).unwrap()));
                let polled = settled.as_mut().poll(&mut Context::from_waker(Waker::noop()));
                assert_eq!(polled, Poll::Ready(()), "a local store settles at once");
            }
            None => drop(settlement),
        }
        "allow"
    };
    assert_eq!(take(Some(500)), "allow");
    assert_eq!(take(Some(404)), "allow", "given back by the 500");
    assert_eq!(take(Some(399)), "allow", "given back by the 404");
    assert_eq!(take(None), "over-quota", "kept by the 399");
}

#[test]
fn a_dropped_settlement_keeps() {
    let gate = gate(&pair(NonceSpace::default(), Keep::OnSuccess), MemoryStore::default());
    drop(run(&gate, &[(0, "take:10".into()), (0, "allow".into())]));
    assert_eq!(reason(&run(&gate, &[(0, "take:1".into()), (0, "allow".into())])), "over-quota");
}

/// A remote store that answers on the second poll, and counts its claims.
#[derive(Default)]
struct Slow {
    store: MemoryStore,
    claims: AtomicUsize,
}

struct Yielded(bool);

impl Future for Yielded {
    type Output = ();
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.0, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

fn later<'a, T: Send + 'a>(answer: impl FnOnce() -> Result<T, StoreError> + Send + 'a) -> StoreFuture<'a, T> {
    Box::pin(async move {
        Yielded(false).await;
        answer()
    })
}

impl RemoteStore for Slow {
    fn claim<'a>(&'a self, nonce: &'a NonceId, retain: Duration, holder: Option<Holder>) -> StoreFuture<'a, Claim> {
        later(move || {
            self.claims.fetch_add(1, Ordering::SeqCst);
            self.store.claim(nonce, retain, holder)
        })
    }
    fn confirm<'a>(&'a self, nonce: &'a NonceId, holder: Holder) -> StoreFuture<'a, ()> {
        later(move || self.store.confirm(nonce, holder))
    }
    fn release<'a>(&'a self, nonce: &'a NonceId, holder: Holder) -> StoreFuture<'a, ()> {
        later(move || self.store.release(nonce, holder))
    }
    fn take<'a>(&'a self, subject: &'a Arc<str>, draws: &'a [Draw], cost: u32) -> StoreFuture<'a, Take> {
        later(move || self.store.take(subject, draws, cost))
    }
    fn give_back<'a>(&'a self, subject: &'a Arc<str>, draw: &'a Draw, cost: u32, at: Duration) -> StoreFuture<'a, ()> {
        later(move || self.store.give_back(subject, draw, cost, at))
    }
    fn run_beside(&self, work: Pin<Box<dyn Future<Output = ()> + Send>>) {
        block_on(work);
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
}

#[test]
fn a_remote_store_is_awaited_and_decides_alike() {
    let gate = gate(&pair(NonceSpace::default(), Keep::OnAllow), Store::Remote(Arc::new(Slow::default())));
    let fields = [act(0, format!("verify:{}", signature(&BODY))), act(0, "allow"), act(1, "claim"), act(1, "take:10")];
    assert_eq!(gate.check_now(head("/r", &fields), Body::Whole(BODY)).err(), Some(NeedsAwait));
    let run = || reason(&block_on(gate.check(head("/r", &fields), Body::Whole(BODY)))).to_owned();
    assert_eq!(run(), "allow");
    assert_eq!(run(), "replayed");
}

/// A check on `gate` that has claimed its delivery, and waits for its quota.
fn claimed<'a>(
    store: &Slow,
    gate: &'a Gate,
    fields: &[(String, String)],
) -> Pin<Box<dyn Future<Output = Verdict> + 'a>> {
    let mut check = Box::pin(gate.check(head("/r", fields), Body::Whole(BODY)));
    while store.claims.load(Ordering::SeqCst) == 0 {
        assert!(check.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    check
}

#[test]
fn two_requests_with_one_delivery_at_once_let_one_in() {
    let store = Arc::new(Slow::default());
    let gate = gate(&pair(NonceSpace::default(), Keep::OnAllow), Store::Remote(store.clone()));
    let fields = [act(0, format!("verify:{}", signature(&BODY))), act(0, "allow"), act(1, "claim"), act(1, "take:1")];
    let first = claimed(&store, &gate, &fields);
    let second = block_on(gate.check(head("/r", &fields), Body::Whole(BODY)));
    assert_eq!(reason(&second), "in-progress");
    assert_eq!(reason(&block_on(first)), "allow");
    assert_eq!(reason(&block_on(gate.check(head("/r", &fields), Body::Whole(BODY)))), "replayed");
}

#[test]
fn a_request_that_goes_away_leaves_its_claim_used() {
    let store = Arc::new(Slow::default());
    let gate = gate(&pair(NonceSpace::default(), Keep::OnAllow), Store::Remote(store.clone()));
    let fields = [act(0, format!("verify:{}", signature(&BODY))), act(0, "allow"), act(1, "claim"), act(1, "take:1")];
    drop(claimed(&store, &gate, &fields));
    assert_eq!(reason(&block_on(gate.check(head("/r", &fields), Body::Whole(BODY)))), "in-progress");
}

/// A store that is down.
struct Down;

impl LocalStore for Down {
    fn claim(&self, _: &NonceId, _: Duration, _: Option<Holder>) -> Result<Claim, StoreError> {
        Err(StoreError::Unavailable("down".into()))
    }
    fn confirm(&self, _: &NonceId, _: Holder) -> Result<(), StoreError> {
        Err(StoreError::Unavailable("down".into()))
    }
    fn release(&self, _: &NonceId, _: Holder) -> Result<(), StoreError> {
        Err(StoreError::Unavailable("down".into()))
    }
    fn take(&self, _: &Arc<str>, _: &[Draw], _: u32) -> Result<Take, StoreError> {
        Err(StoreError::Unavailable("down".into()))
    }
    fn give_back(&self, _: &Arc<str>, _: &Draw, _: u32, _: Duration) -> Result<(), StoreError> {
        Err(StoreError::Unavailable("down".into()))
    }
}

#[test]
fn a_store_that_is_down_denies_or_abstains_as_on_error_says() {
    let acts = [(0, "allow".to_owned()), (1, "take:1".to_owned())];
    assert_eq!(reason(&run(&gate(&pair(NonceSpace::default(), Keep::OnAllow), Down), &acts)), "store-unavailable");
    let mut lenient = pair(NonceSpace::default(), Keep::OnAllow);
    lenient.policies.get_mut("second").unwrap().on_error = OnError::Abstain;
    let verdict = run(&gate(&lenient, Down), &acts);
    assert_eq!(reason(&verdict), "allow");
    let failed = verdict.steps().iter().any(|step| step.outcome == Outcome::Failed(HostReason::StoreUnavailable));
    assert!(failed, "{:?}", verdict.steps());
}
