//! The operators' view of a store that fails, and recovers.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests")]

use barmkin_admin::{Registry, StoreHealth, expose};
use barmkin_host::*;
use serde_json::json;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const HOLDER: Holder = Holder(1);
const LOST_AT: Duration = Duration::from_secs(7);

/// Answers as it is told to.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Option<StoreError>>>);

impl Told {
    fn fail(&self, error: Option<StoreError>) {
        *self.0.lock().unwrap() = error;
    }

    fn answer<T>(&self, answer: T) -> Result<T, StoreError> {
        self.0.lock().unwrap().clone().map_or(Ok(answer), Err)
    }
}

const TAKE: Take =
    Take { admitted: true, remaining: 3, reset_after: Duration::ZERO, retry_after: None, at: Duration::ZERO };

impl LocalStore for Told {
    fn claim(&self, _: &NonceId, _: Duration, _: Option<Hold>) -> Result<Claim, StoreError> {
        self.answer(Claim::Replayed)
    }

    fn renew(&self, _: &NonceId, _: Holder) -> Result<(), StoreError> {
        self.answer(())
    }
    fn confirm(&self, _: &NonceId, _: Holder) -> Result<(), StoreError> {
        self.answer(())
    }

    fn release(&self, _: &NonceId, _: Holder) -> Result<(), StoreError> {
        self.answer(())
    }

    fn take(&self, _: &Arc<str>, _: &[Draw], _: u32) -> Result<Take, StoreError> {
        self.answer(TAKE)
    }

    fn give_back(&self, _: &Arc<str>, _: &Draw, _: u32, _: Duration) -> Result<(), StoreError> {
        self.answer(())
    }

    fn lost_at(&self) -> Option<Duration> {
        Some(LOST_AT)
    }
}

impl RemoteStore for Told {
    fn claim<'a>(&'a self, _: &'a NonceId, _: Duration, _: Option<Hold>) -> StoreFuture<'a, Claim> {
        Box::pin(async { self.answer(Claim::Replayed) })
    }

    fn renew<'a>(&'a self, _: &'a NonceId, _: Holder) -> StoreFuture<'a, ()> {
        Box::pin(async { self.answer(()) })
    }
    fn confirm<'a>(&'a self, _: &'a NonceId, _: Holder) -> StoreFuture<'a, ()> {
        Box::pin(async { self.answer(()) })
    }

    fn release<'a>(&'a self, _: &'a NonceId, _: Holder) -> StoreFuture<'a, ()> {
        Box::pin(async { self.answer(()) })
    }

    fn take<'a>(&'a self, _: &'a Arc<str>, _: &'a [Draw], _: u32) -> StoreFuture<'a, Take> {
        Box::pin(async { self.answer(TAKE) })
    }

    fn give_back<'a>(&'a self, _: &'a Arc<str>, _: &'a Draw, _: u32, _: Duration) -> StoreFuture<'a, ()> {
        Box::pin(async { self.answer(()) })
    }

    fn lost_at(&self) -> Option<Duration> {
        Some(LOST_AT)
    }

    fn run_beside(&self, work: Pin<Box<dyn Future<Output = ()> + Send>>) {
        tokio::spawn(work);
    }
}

/// Asks everything once, and says what came of it.
async fn ask(store: &Store) -> [Result<(), StoreError>; 5] {
    let nonce = NonceId { space: "space".into(), digest: [0; 32], former: None };
    let (subject, retain): (Arc<str>, _) = ("subject".into(), Duration::from_secs(1));
    let draw = Draw { quota: "quota".into(), rule: Gcra { interval: retain, limit: 3 }.into() };
    let claimed = |claim| assert_eq!(claim, Claim::Replayed);
    let took = |take| assert_eq!(take, TAKE);
    match store {
        Store::Local(store) => [
            store.claim(&nonce, retain, None).map(claimed),
            store.confirm(&nonce, HOLDER),
            store.release(&nonce, HOLDER),
            store.take(&subject, &[], 1).map(took),
            store.give_back(&subject, &draw, 1, retain),
        ],
        Store::Remote(store) => [
            store.claim(&nonce, retain, None).await.map(claimed),
            store.confirm(&nonce, HOLDER).await,
            store.release(&nonce, HOLDER).await,
            store.take(&subject, &[], 1).await.map(took),
            store.give_back(&subject, &draw, 1, retain).await,
        ],
    }
}

fn is_failing(registry: &Registry) -> bool {
    match expose(registry).lines().find_map(|line| line.strip_prefix("barmkin_store_failing ")) {
        Some("0") => false,
        Some("1") => true,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_store_of_either_kind_is_seen_to_fail_and_to_recover() {
    let unavailable = StoreError::Unavailable("no route to it".to_owned());
    for is_local in [true, false] {
        let told = Told::default();
        let store = if is_local { told.clone().into() } else { Store::Remote(Arc::new(told.clone())) };
        let health = StoreHealth::new(Arc::new(FixedClock::at_unix_ms(1_700_000_000_000)));
        let store = health.watch(store);
        let mut registry = Registry::default();
        registry.register_collector(Box::new(health.clone()));
        assert_eq!((store.is_local(), is_failing(&registry)), (is_local, false));

        for (rounds, failure) in [(1, None), (2, Some(unavailable.clone())), (3, Some(StoreError::Full { entries: 9 }))]
        {
            for _ in 0..rounds {
                told.fail(None);
                assert!(ask(&store).await.iter().all(Result::is_ok));
                assert!(!is_failing(&registry));
                told.fail(failure.clone());
                let expected = failure.clone().map_or(Ok(()), Err);
                assert!(ask(&store).await.iter().all(|answer| *answer == expected));
                assert_eq!(is_failing(&registry), failure.is_some());
            }
        }
        let metrics = expose(&registry);
        for call in ["claim", "confirm", "release", "take", "give-back"] {
            for (answer, count) in [("ok", 7), ("unavailable", 2), ("full", 3)] {
                let line = format!("barmkin_store_calls_total{{call=\"{call}\",answer=\"{answer}\"}} {count}");
                assert!(metrics.lines().any(|found| found == line), "`{line}` is not in:\n{metrics}");
            }
        }
        let last = json!({ "at": "2023-11-14T22:13:20Z", "error": "the store is full: it holds 9 live entries" });
        assert_eq!(health.status(), json!({ "failing": true, "last-error": last }));
    }
}

#[tokio::test]
async fn what_a_store_lost_and_does_beside_is_its_own() {
    let health = StoreHealth::new(Arc::new(SystemClock));
    let Store::Local(local) = health.watch(Told::default().into()) else { panic!("it is local") };
    assert_eq!(local.lost_at(), Some(LOST_AT));
    let Store::Remote(remote) = health.watch(Store::Remote(Arc::new(Told::default()))) else { panic!("it is remote") };
    assert_eq!(remote.lost_at(), Some(LOST_AT));
    let (done, is_done) = tokio::sync::oneshot::channel();
    remote.run_beside(Box::pin(async { done.send(()).unwrap() }));
    is_done.await.unwrap();
}
