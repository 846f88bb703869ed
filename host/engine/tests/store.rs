//! The memory store against a plain model, and GCRA against a plain bucket.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "tests")]

use barmkin_host::{Claim, Gcra, Holder, LocalStore, MemoryLimits, MemoryStore, NonceId, QuotaId, StoreError, limits};
use proptest::prelude::*;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A store, and the hand of its clock in milliseconds.
fn store(limits: MemoryLimits) -> (MemoryStore, Arc<AtomicU64>) {
    let hand = Arc::new(AtomicU64::new(0));
    let clock = hand.clone();
    (MemoryStore::with_clock(limits, move || Duration::from_millis(clock.load(Ordering::SeqCst))), hand)
}

fn nonce(id: u8) -> NonceId {
    NonceId { space: "deliveries".into(), digest: [id; 32] }
}

fn quota(subject: &str) -> QuotaId {
    QuotaId { quota: "per-partner".into(), subject: subject.into() }
}

#[derive(Clone, Debug)]
enum Step {
    Claim { nonce: u8, retain_ms: u64, holder: Option<u8> },
    Confirm { nonce: u8, holder: u8 },
    Release { nonce: u8, holder: u8 },
    Wait { ms: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..4u8, 1..100_000u64, prop::option::of(0..3u8))
            .prop_map(|(nonce, retain_ms, holder)| Step::Claim { nonce, retain_ms, holder }),
        1 => (0..4u8, 0..3u8).prop_map(|(nonce, holder)| Step::Confirm { nonce, holder }),
        1 => (0..4u8, 0..3u8).prop_map(|(nonce, holder)| Step::Release { nonce, holder }),
        2 => (0..70_000u64).prop_map(|ms| Step::Wait { ms }),
    ]
}

proptest! {
    /// Claims answer as the words of `LocalStore::claim` say, whatever came
    /// before.
    #[test]
    fn claims_follow_the_model(steps in prop::collection::vec(step(), 1..60)) {
        struct Live { expires: u64, holder: Option<u8>, held_until: u64 }
        let (store, hand) = store(MemoryLimits::default());
        let mut model: HashMap<u8, Live> = HashMap::new();
        let held_for = u64::try_from(limits::HELD_FOR.as_millis()).unwrap();
        for step in steps {
            let now = hand.load(Ordering::SeqCst);
            model.retain(|_, live| live.expires > now);
            match step {
                Step::Wait { ms } => { hand.fetch_add(ms, Ordering::SeqCst); }
                Step::Claim { nonce: id, retain_ms, holder } => {
                    let expected = match model.get(&id) {
                        None => Claim::FirstUse,
                        Some(live) if live.holder.is_some() && now < live.held_until => Claim::InProgress,
                        Some(_) => Claim::Replayed,
                    };
                    let owner = holder.map(|holder| Holder(holder.into()));
                    prop_assert_eq!(store.claim(&nonce(id), Duration::from_millis(retain_ms), owner), Ok(expected));
                    if expected == Claim::FirstUse {
                        model.insert(id, Live { expires: now + retain_ms, holder, held_until: now + held_for });
                    }
                }
                Step::Confirm { nonce: id, holder } => {
                    store.confirm(&nonce(id), Holder(holder.into())).unwrap();
                    if let Some(live) = model.get_mut(&id).filter(|live| live.holder == Some(holder)) {
                        live.holder = None;
                    }
                }
                Step::Release { nonce: id, holder } => {
                    store.release(&nonce(id), Holder(holder.into())).unwrap();
                    if model.get(&id).is_some_and(|live| live.holder == Some(holder)) {
                        model.remove(&id);
                    }
                }
            }
        }
    }

    /// Never more than the limit and what flowed back since, with and without
    /// takes that are given back.
    #[test]
    fn a_quota_is_never_exceeded(
        interval_ms in 1..1_000u64,
        limit in 1..20u64,
        takes in prop::collection::vec((0..2_000u64, 1..6u32, any::<bool>()), 1..80),
    ) {
        let (store, hand) = store(MemoryLimits::default());
        let rate = Gcra { interval: Duration::from_millis(interval_ms), limit };
        // The plain reference: a bucket of milliseconds that drains by itself.
        let mut level = 0u64;
        for (wait, cost, give_back) in takes {
            hand.fetch_add(wait, Ordering::SeqCst);
            level = level.saturating_sub(wait);
            let after = level + u64::from(cost) * interval_ms;
            let fits = after <= limit * interval_ms;
            let take = store.take(&quota("a"), &rate, cost).unwrap();
            prop_assert_eq!(take.admitted, fits);
            if take.admitted {
                if give_back {
                    store.give_back(&quota("a"), &rate, cost, take.at).unwrap();
                } else {
                    level = after;
                }
            } else if let Some(retry) = take.retry_after {
                prop_assert_eq!(u64::try_from(retry.as_millis()).unwrap(), after - limit * interval_ms);
            } else {
                prop_assert!(u64::from(cost) > limit);
            }
        }
    }

    /// Giving back late gives back only what is still missing.
    #[test]
    fn a_late_give_back_admits_nothing_extra(wait in 0..10_000u64, cost in 1..10u32) {
        let (store, hand) = store(MemoryLimits::default());
        let rate = Gcra { interval: Duration::from_millis(500), limit: 10 };
        let first = store.take(&quota("a"), &rate, cost).unwrap();
        hand.fetch_add(wait, Ordering::SeqCst);
        store.give_back(&quota("a"), &rate, cost, first.at).unwrap();
        let look = store.take(&quota("a"), &rate, 0).unwrap();
        prop_assert_eq!(look.remaining, 10);
        prop_assert!(store.take(&quota("a"), &rate, 10).unwrap().admitted);
        prop_assert!(!store.take(&quota("a"), &rate, 1).unwrap().admitted);
    }
}

#[test]
fn of_concurrent_claims_exactly_one_is_first() {
    let (store, _) = store(MemoryLimits::default());
    for round in 0..200 {
        let first = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|holder| {
                    let store = &store;
                    scope.spawn(move || {
                        store.claim(&nonce(round), Duration::from_secs(60), Some(Holder(holder))).unwrap()
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).filter(|claim| *claim == Claim::FirstUse).count()
        });
        assert_eq!(first, 1);
    }
}

#[test]
fn a_full_store_refuses_and_forgets_nothing_live() {
    let (store, hand) = store(MemoryLimits { nonces: 16, quotas: 16 });
    let claim = |id| store.claim(&nonce(id), Duration::from_secs(60), None);
    let accepted: Vec<u8> = (0..=255).filter(|id| claim(*id) == Ok(Claim::FirstUse)).collect();
    assert!((1..=16).contains(&accepted.len()), "{accepted:?}");
    for id in &accepted {
        assert_eq!(claim(*id), Ok(Claim::Replayed));
    }
    let refused = (0..=255).find(|id| !accepted.contains(id)).unwrap();
    assert_eq!(claim(refused), Err(StoreError::Full { entries: 16 }));
    hand.store(60_000, Ordering::SeqCst);
    assert_eq!(claim(refused), Ok(Claim::FirstUse));

    let rate = Gcra { interval: Duration::from_secs(1), limit: 1 };
    let take = |subject: usize| store.take(&quota(&subject.to_string()), &rate, 1);
    let refused = (0..256).find(|subject| take(*subject).is_err()).unwrap();
    assert!(matches!(take(refused), Err(StoreError::Full { .. })));
    hand.fetch_add(1_000, Ordering::SeqCst);
    assert!(take(refused).unwrap().admitted, "quotas that are full again make room");
}

#[test]
fn claims_released_again_and_again_take_no_room() {
    let (store, _) = store(MemoryLimits { nonces: 16, quotas: 16 });
    for _ in 0..100_000 {
        assert_eq!(store.claim(&nonce(1), Duration::from_secs(86_400), Some(Holder(1))), Ok(Claim::FirstUse));
        store.release(&nonce(1), Holder(1)).unwrap();
    }
}
