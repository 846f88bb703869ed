//! Effects follow the verdict, and what identifies a delivery.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, missing_docs, reason = "tests")]

mod common;

use barmkin_host::*;
use bytes::Bytes;
use common::{SECRET, act, gate, head, policy, route, scripted, spec};
use hmac::{Hmac, KeyInit, Mac};
use http::StatusCode;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
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

/// As [`run`], by an adapter that sees as much of the end as `sees` says.
fn run_seen(sees: Sees, gate: &Gate, acts: &[(usize, String)]) -> Verdict {
    let fields: Vec<_> = acts.iter().map(|(position, what)| act(*position, what.clone())).collect();
    let mut head = head("/r", &fields);
    head.client.sees = sees;
    gate.check_now(head, Body::Whole(BODY)).unwrap()
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
    let space = NonceSpace { keep: Some(Keep::Always), ..NonceSpace::default() };
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
    // A signature that a policy verified but did not vouch for does not count.
    let acts = [(0, format!("verify:{}", signature(&BODY))), (0, "abstain".into()), (1, "claim".into())];
    assert_eq!(reason(&run(&gate, &acts)), "unidentified-delivery");
}

#[test]
fn what_waits_for_the_response_is_settled_by_it() {
    let gate = gate(&pair(NonceSpace::default(), Keep::OnSuccess), MemoryStore::default());
    let take = |status: Option<u16>| {
        let acts = [(0, "take:10".into()), (0, "allow".into())];
        let Verdict::Allow(permit) = run_seen(Sees::Response, &gate, &acts) else {
            return "over-quota";
        };
        let (_, settlement) = permit.into_forwarded();
        assert!(settlement.is_pending());
        match status {
            Some(status) => {
                let mut settled = pin!(settlement.answered(StatusCode::from_u16(status).unwrap()));
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
    drop(run_seen(Sees::Response, &gate, &[(0, "take:10".into()), (0, "allow".into())]));
    assert_eq!(reason(&run(&gate, &[(0, "take:1".into()), (0, "allow".into())])), "over-quota");
}

/// A lost event is worse than one that is seen twice; hanging up is not free.
#[test]
fn of_an_unknown_outcome_the_claim_is_free_again_and_the_units_are_used() {
    let space = NonceSpace { keep: Some(Keep::OnSuccess), ..NonceSpace::default() };
    let gate = gate(&pair(space, Keep::OnSuccess), MemoryStore::default());
    let acts = |units: &str| [(0, format!("take:{units}")), (0, "claim-nonce:a".to_owned()), (0, "allow".to_owned())];
    let Verdict::Allow(permit) = run_seen(Sees::Response, &gate, &acts("9")) else { panic!("it was not allowed") };
    let settlement = permit.into_forwarded().1;
    assert_eq!(reason(&run(&gate, &acts("1"))), "in-progress");
    drop(settlement);
    assert!(matches!(run(&gate, &acts("1")), Verdict::Allow(_)), "the claim is free again");
    assert_eq!(reason(&run(&gate, &[(0, "take:1".into()), (0, "allow".into())])), "over-quota");
}

/// A remote store of which every call takes three polls, and acts between the
/// first two. Its background work advances by a poll for each
/// [`step`](Remote::step).
struct Remote {
    store: Mutex<Arc<MemoryStore>>,
    beside: Mutex<Vec<Pin<Box<dyn Future<Output = ()> + Send>>>>,
    claims: AtomicUsize,
}

impl Default for Remote {
    fn default() -> Self {
        Self { store: Mutex::new(empty()), beside: Mutex::default(), claims: AtomicUsize::default() }
    }
}

/// By a clock that stands still: nothing that was taken flows back.
fn empty() -> Arc<MemoryStore> {
    Arc::new(MemoryStore::with_clock(MemoryLimits::default(), || Duration::from_secs(1)))
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
        let answer = answer();
        Yielded(false).await;
        answer
    })
}

impl RemoteStore for Remote {
    fn claim<'a>(&'a self, nonce: &'a NonceId, retain: Duration, hold: Option<Hold>) -> StoreFuture<'a, Claim> {
        later(move || {
            self.claims.fetch_add(1, Ordering::SeqCst);
            self.store().claim(nonce, retain, hold)
        })
    }
    fn renew<'a>(&'a self, nonce: &'a NonceId, holder: Holder) -> StoreFuture<'a, ()> {
        later(move || self.store().renew(nonce, holder))
    }
    fn confirm<'a>(&'a self, nonce: &'a NonceId, holder: Holder) -> StoreFuture<'a, ()> {
        later(move || self.store().confirm(nonce, holder))
    }
    fn release<'a>(&'a self, nonce: &'a NonceId, holder: Holder) -> StoreFuture<'a, ()> {
        later(move || self.store().release(nonce, holder))
    }
    fn take<'a>(&'a self, subject: &'a Arc<str>, draws: &'a [Draw], cost: u32) -> StoreFuture<'a, Take> {
        later(move || self.store().take(subject, draws, cost))
    }
    fn give_back<'a>(&'a self, subject: &'a Arc<str>, draw: &'a Draw, cost: u32, at: Duration) -> StoreFuture<'a, ()> {
        later(move || self.store().give_back(subject, draw, cost, at))
    }
    fn run_beside(&self, work: Pin<Box<dyn Future<Output = ()> + Send>>) {
        self.beside.lock().unwrap().push(work);
    }
}

impl Remote {
    fn store(&self) -> Arc<MemoryStore> {
        self.store.lock().unwrap().clone()
    }

    fn forget(&self) {
        *self.store.lock().unwrap() = empty();
    }

    /// Polls once what runs beside callers, and says whether anything is left.
    fn step(&self) -> bool {
        // Not under the lock: work may leave more work.
        let mut work = std::mem::take(&mut *self.beside.lock().unwrap());
        work.retain_mut(|work| work.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        let mut beside = self.beside.lock().unwrap();
        beside.append(&mut work);
        !beside.is_empty()
    }

    /// Runs to their ends `future` and what is beside it.
    fn run<T>(&self, future: impl Future<Output = T>) -> T {
        let mut future = pin!(future);
        loop {
            let polled = future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            let is_busy = self.step();
            if let Poll::Ready(output) = polled {
                if is_busy {
                    while self.step() {}
                }
                return output;
            }
        }
    }

    /// Polls `future` up to `polls` times, and drops it if that was not enough.
    fn run_for<T>(&self, polls: usize, future: impl Future<Output = T>) -> Option<T> {
        let mut future = Box::pin(future);
        for _ in 0..polls {
            if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                return Some(output);
            }
            self.step();
        }
        drop(future);
        while self.step() {}
        None
    }

    /// Units that are taken from `quota` of route `r`.
    fn taken(&self, quota: &str, rule: QuotaRule) -> u64 {
        let draw = Draw { quota: quota.into(), rule };
        rule.limit() - self.store().take(&"route\0r".into(), &[draw], 0).unwrap().remaining
    }
}

#[test]
fn a_remote_store_is_awaited_and_decides_alike() {
    let store = Arc::new(Remote::default());
    let gate = gate(&pair(NonceSpace::default(), Keep::OnAllow), Store::Remote(store.clone()));
    let fields = [act(0, format!("verify:{}", signature(&BODY))), act(0, "allow"), act(1, "claim"), act(1, "take:10")];
    assert_eq!(gate.check_now(head("/r", &fields), Body::Whole(BODY)).err(), Some(NeedsAwait));
    let run = || reason(&store.run(gate.check(head("/r", &fields), Body::Whole(BODY)))).to_owned();
    assert_eq!(run(), "allow");
    assert_eq!(run(), "replayed");
}

#[test]
fn two_requests_with_one_delivery_at_once_let_one_in() {
    let store = Arc::new(Remote::default());
    let gate = gate(&pair(NonceSpace::default(), Keep::OnAllow), Store::Remote(store.clone()));
    let fields = [act(0, format!("verify:{}", signature(&BODY))), act(0, "allow"), act(1, "claim"), act(1, "take:1")];
    let mut first = Box::pin(gate.check(head("/r", &fields), Body::Whole(BODY)));
    while store.claims.load(Ordering::SeqCst) == 0 {
        assert!(first.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        store.step();
    }
    let second = store.run(gate.check(head("/r", &fields), Body::Whole(BODY)));
    assert_eq!(reason(&second), "in-progress");
    assert_eq!(reason(&store.run(first)), "allow");
    assert_eq!(reason(&store.run(gate.check(head("/r", &fields), Body::Whole(BODY)))), "replayed");
}

/// `first` may vouch; then one of a group, of which the first member takes and
/// loses; then `second`, which takes from two quotas at once.
fn every_await(keep: Keep) -> Spec {
    let mut spec = pair(NonceSpace { keep: Some(keep), ..NonceSpace::default() }, keep);
    let daily = Quota {
        rule: QuotaRule::FixedWindow(Window { limit: 20, length: Duration::from_secs(86_400) }),
        ..spec.quotas["quota"].clone()
    };
    spec.quotas.insert("daily".into(), daily);
    let policies = [("loser", 2, OnError::Deny), ("winner", 3, OnError::Deny), ("lenient", 4, OnError::Abstain)];
    for (name, position, on_error) in policies {
        spec.policies.insert(name.into(), scripted(position, name == "winner", on_error));
    }
    let quotas = vec!["quota".to_owned(), "daily".to_owned()];
    spec.policies.get_mut("second").unwrap().grants.quotas = [("quota".to_owned(), quotas)].into();
    spec.routes[0].chain = vec![
        policy("first"),
        Member::AnyOf(vec!["loser".into(), "winner".into()]),
        policy("lenient"),
        policy("second"),
    ];
    spec
}

fn every_act(end: &str) -> Vec<(String, String)> {
    let verify = format!("verify:{}", signature(&BODY));
    vec![
        act(0, verify),
        act(0, "take:1"),
        act(0, "allow:a"),
        act(2, "take:1"),
        act(2, "claim-nonce:loser"),
        act(2, "deny:no:403"),
        act(3, "allow:a"),
        act(4, "take:1"),
        act(4, "trap"),
        act(1, "claim"),
        act(1, "take:2"),
        act(1, end),
    ]
}

/// Nothing is taken, and nothing claimed: the same request is let in.
fn assert_nothing_is_left(store: &Remote, gate: &Gate, spec: &Spec, when: &str) {
    for name in ["quota", "daily"] {
        assert_eq!(store.taken(name, spec.quotas[name].rule), 0, "{name}, {when}");
    }
    let again = store.run(gate.check(head("/r", &every_act("abstain")), Body::Whole(BODY)));
    assert_eq!(reason(&again), "allow", "{when}");
}

#[test]
fn a_request_that_is_dropped_at_any_await_gives_back_what_it_took() {
    let (spec, store) = (every_await(Keep::OnAllow), Arc::new(Remote::default()));
    let gate = gate(&spec, Store::Remote(store.clone()));
    for end in ["abstain", "deny:no:403", "trap"] {
        for polls in 0.. {
            store.forget();
            let check = gate.check(head("/r", &every_act(end)), Body::Whole(BODY));
            if store.run_for(polls, check).is_some() {
                assert!(polls > 12, "it was dropped {polls} times only");
                break;
            }
            assert_nothing_is_left(&store, &gate, &spec, &format!("{end}, dropped after {polls} polls"));
        }
    }
}

#[test]
fn what_a_settled_request_took_is_settled_wherever_that_is_dropped() {
    let (spec, store) = (every_await(Keep::OnSuccess), Arc::new(Remote::default()));
    let gate = gate(&spec, Store::Remote(store.clone()));
    for polls in 0..12 {
        store.forget();
        let settlement = || {
            let mut head = head("/r", &every_act("abstain"));
            head.client.sees = Sees::Response;
            let verdict = store.run(gate.check(head, Body::Whole(BODY)));
            let Verdict::Allow(permit) = verdict else { panic!("{polls}: {}", reason(&verdict)) };
            permit.into_forwarded().1
        };
        store.run_for(polls, settlement().failed());
        while store.step() {}
        assert_eq!(store.taken("quota", spec.quotas["quota"].rule), 0, "given back after {polls} polls");
        store.run_for(polls, settlement().answered(StatusCode::OK));
        while store.step() {}
        assert_eq!(store.taken("quota", spec.quotas["quota"].rule), 3, "kept after {polls} polls");
        let again = store.run(gate.check(head("/r", &every_act("abstain")), Body::Whole(BODY)));
        assert_eq!(reason(&again), "replayed", "after {polls} polls");
    }
}

#[test]
fn what_is_kept_always_stays_when_its_request_goes_away() {
    let (spec, store) = (every_await(Keep::Always), Arc::new(Remote::default()));
    let gate = gate(&spec, Store::Remote(store.clone()));
    let mut check = Box::pin(gate.check(head("/r", &every_act("abstain")), Body::Whole(BODY)));
    while store.taken("daily", spec.quotas["daily"].rule) == 0 {
        assert!(check.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        store.step();
    }
    drop(check);
    while store.step() {}
    assert_eq!(store.taken("daily", spec.quotas["daily"].rule), 2);
    assert_eq!(reason(&store.run(gate.check(head("/r", &every_act("abstain")), Body::Whole(BODY)))), "replayed");
}

/// A store that is down.
struct Down;

impl LocalStore for Down {
    fn claim(&self, _: &NonceId, _: Duration, _: Option<Hold>) -> Result<Claim, StoreError> {
        Err(StoreError::Unavailable("down".into()))
    }
    fn renew(&self, _: &NonceId, _: Holder) -> Result<(), StoreError> {
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
