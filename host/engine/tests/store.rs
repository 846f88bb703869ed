//! The memory store's own promise: its bounds. `tests/tests/stores` tests the
//! promises that all stores make.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "tests")]

use barmkin_host::{
    Claim, Draw, Gcra, Hold, Holder, Lapse, LocalStore, MemoryLimits, MemoryStore, NonceId, QuotaRule, StoreError,
    Window,
};
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
    NonceId { space: "deliveries".into(), digest: [id; 32], former: None }
}

fn draw(rule: impl Into<QuotaRule>) -> [Draw; 1] {
    [Draw { quota: "per-partner".into(), rule: rule.into() }]
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
                        store
                            .claim(
                                &nonce(round),
                                Duration::from_secs(60),
                                Some(Hold { holder: Holder(holder), lapse: Lapse::Used }),
                            )
                            .unwrap()
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
    assert_eq!(accepted.len(), 16, "{accepted:?}");
    for id in &accepted {
        assert_eq!(claim(*id), Ok(Claim::Replayed));
    }
    let refused = (0..=255).find(|id| !accepted.contains(id)).unwrap();
    assert_eq!(claim(refused), Err(StoreError::Full { entries: 16 }));
    hand.store(60_000, Ordering::SeqCst);
    assert_eq!(claim(refused), Ok(Claim::FirstUse));

    let rate = draw(Gcra { interval: Duration::from_secs(1), limit: 1 });
    let take = |subject: usize| store.take(&subject.to_string().into(), &rate, 1);
    let refused = (0..256).find(|subject| take(*subject).is_err()).unwrap();
    assert!(matches!(take(refused), Err(StoreError::Full { .. })));
    hand.fetch_add(1_000, Ordering::SeqCst);
    assert!(take(refused).unwrap().admitted, "quotas that are full again make room");
}

#[test]
fn claims_released_again_and_again_take_no_room() {
    let (store, _) = store(MemoryLimits { nonces: 16, quotas: 16 });
    for _ in 0..100_000 {
        assert_eq!(
            store.claim(&nonce(1), Duration::from_secs(86_400), Some(Hold { holder: Holder(1), lapse: Lapse::Used })),
            Ok(Claim::FirstUse)
        );
        store.release(&nonce(1), Holder(1)).unwrap();
    }
}

#[test]
fn takes_that_are_remembered_count_against_the_bound() {
    let (store, hand) = store(MemoryLimits { nonces: 16, quotas: 16 * 8 });
    let sliding = draw(QuotaRule::SlidingWindow(Window { limit: 1_000, length: Duration::from_secs(1) }));
    let take = |subject: &str| store.take(&subject.into(), &sliding, 1);
    let taken = (0..1_000).find(|_| take("a").is_err()).unwrap();
    assert_eq!(taken, 127, "one entry for the quota, and one for each take");
    assert_eq!(take("a"), Err(StoreError::Full { entries: 128 }));
    hand.fetch_add(1_000, Ordering::SeqCst);
    assert!(take("a").unwrap().admitted);
}
