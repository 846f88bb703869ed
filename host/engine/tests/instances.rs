//! Instances that are used again, and those that are not.

#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod common;

use barmkin_host::*;
use common::{SECRET, act, head, policy, route, scripted, spec};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// A gate of scripted policies on an engine of its own.
struct Trial {
    engine: Engine,
    gate: Gate,
}

impl Trial {
    fn of(policies: usize, settings: &EngineSettings, store: impl Into<Store>) -> Self {
        let engine = Engine::new(settings).unwrap();
        let generation = Generation::build(&engine, &chain(policies), &keys(), Services::new(store)).unwrap();
        Self { engine, gate: Gate::new(generation) }
    }

    fn check(&self, fields: &[(String, String)]) -> String {
        reason(&self.gate.check_now(head("/r", fields), Body::NotCarried).unwrap())
    }

    /// Instances that check, and those that wait.
    fn instances(&self) -> (usize, usize) {
        let used = self.engine.pool_use().unwrap();
        (used.checks, used.idle)
    }
}

fn chain(policies: usize) -> Spec {
    let names: Vec<_> = (0..policies).map(|position| format!("p{position}")).collect();
    let policies = names.iter().enumerate().map(|(position, name)| {
        let mut policy = scripted(position, true, OnError::Deny);
        policy.deadline = Duration::from_millis(50);
        (name.as_str(), policy)
    });
    let members: Vec<_> = names.iter().map(|name| policy(name)).collect();
    let mut route = route("r", &members);
    route.public = true;
    spec(policies.collect(), vec![route], 1_000_000)
}

fn keys() -> KeyRing {
    KeyRing::default().with("signing", Key::new(Algorithm::HmacSha256).with_secret("test", SECRET, None).unwrap())
}

fn reason(verdict: &Verdict) -> String {
    verdict.reason().map_or_else(|| "allow".to_owned(), ToString::to_string)
}

#[test]
fn one_after_another_is_decided_in_one_instance_that_is_fresh_each_time() {
    let trial = Trial::of(2, &EngineSettings::default(), MemoryStore::default());
    assert_eq!(trial.instances(), (0, 0));
    for _ in 0..100 {
        assert_eq!(trial.check(&[act(0, "expect-first-call"), act(1, "expect-first-call")]), "allow");
        assert_eq!(trial.instances(), (0, 2));
    }
}

#[test]
fn what_ended_badly_or_grew_is_not_used_again() {
    let trial = Trial::of(1, &EngineSettings::default(), MemoryStore::default());
    for (bad, outcome) in [
        ("trap", "policy-trapped"),
        ("grow", "memory-exceeded"),
        ("spin", "deadline-exceeded"),
        ("grow-a-little", "allow"),
    ] {
        assert_eq!(trial.check(&[act(0, "expect-first-call")]), "allow");
        assert_eq!(trial.instances(), (0, 1), "before `{bad}`");
        assert_eq!(trial.check(&[act(0, bad)]), outcome);
        assert_eq!(trial.instances(), (0, 0), "after `{bad}`");
    }
}

#[test]
fn instances_go_with_their_generation() {
    let trial = Trial::of(3, &EngineSettings::default(), MemoryStore::default());
    assert_eq!(trial.check(&[]), "allow");
    assert_eq!(trial.instances(), (0, 3));
    let next = trial.gate.generation().next(&trial.engine, &chain(2), &keys()).unwrap();
    trial.gate.swap(next);
    assert_eq!(trial.instances(), (0, 0));
    assert_eq!(trial.check(&[]), "allow");
    assert_eq!(trial.instances(), (0, 2));
}

#[test]
fn no_more_wait_than_were_asked_for() {
    let settings = EngineSettings { warm_slots: 0, ..EngineSettings::default() };
    let trial = Trial::of(2, &settings, MemoryStore::default());
    for _ in 0..3 {
        assert_eq!(trial.check(&[act(0, "expect-first-call")]), "allow");
        assert_eq!(trial.instances(), (0, 0));
    }
}

/// A store that never answers.
struct Never;

impl RemoteStore for Never {
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
    fn run_beside(&self, _: Pin<Box<dyn Future<Output = ()> + Send>>) {}
}

#[test]
fn past_the_checks_at_once_the_answer_is_overloaded_however_many_wait() {
    // At a tick a check lets others go first: it would be pending, too.
    let settings = EngineSettings { concurrent_checks_max: 2, ticker: false, ..EngineSettings::default() };
    let trial = Trial::of(2, &settings, Store::Remote(Arc::new(Never)));
    let start = |fields: &[(String, String)]| {
        // Not in turn: behind two others it would be pending until asked again.
        let mut check = Box::pin(trial.gate.intake(head("/r", fields)).decide_unbounded(Body::NotCarried));
        let poll = check.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        (check, poll.map(|verdict| reason(&verdict)))
    };
    let (waits, decided) = ([act(1, "take:1")], Poll::Ready("allow".to_owned()));
    // An instance of each policy waits for its next check.
    assert_eq!(start(&[]).1, decided);
    assert_eq!(trial.instances(), (0, 2));
    let first = start(&waits);
    assert_eq!((&first.1, trial.instances()), (&Poll::Pending, (1, 1)));
    let second = start(&waits);
    assert_eq!((&second.1, trial.instances()), (&Poll::Pending, (2, 1)));
    assert_eq!(start(&[]).1, Poll::Ready("overloaded".to_owned()));
    // A check that nobody waits for any longer makes room, and leaves nothing behind.
    drop(first);
    assert_eq!(trial.instances(), (1, 1));
    assert_eq!(start(&[]).1, decided);
    assert_eq!(trial.instances(), (1, 2));
}
