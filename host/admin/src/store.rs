//! Whether the store does what it is asked.

use crate::rfc3339;
use barmkin_host::{
    Claim, Clock, Draw, Hold, Holder, Listed, LocalStore, MemoryLimits, NonceId, RemoteStore, Store, StoreError,
    StoreFuture, Take,
};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use serde_json::{Value, json};
use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Knows whether a store does what it is asked. Cheap to clone; clones count
/// together.
#[derive(Clone)]
pub struct StoreHealth(Arc<Health>);

struct Health {
    clock: Arc<dyn Clock>,
    calls: [[AtomicU64; ANSWERS.len()]; Call::ALL.len()],
    /// Whether the last call to the store has failed.
    failing: AtomicBool,
    last_error: Mutex<Option<(Duration, StoreError)>>,
}

/// The calls that are made to a store.
#[derive(Clone, Copy)]
enum Call {
    Claim,
    Renew,
    Confirm,
    Release,
    Take,
    GiveBack,
}

impl Call {
    const ALL: [Self; 6] = [Self::Claim, Self::Renew, Self::Confirm, Self::Release, Self::Take, Self::GiveBack];

    fn as_str(self) -> &'static str {
        match self {
            Self::Claim => "claim",
            Self::Renew => "renew",
            Self::Confirm => "confirm",
            Self::Release => "release",
            Self::Take => "take",
            Self::GiveBack => "give-back",
        }
    }
}

/// How it answers.
const ANSWERS: [&str; 3] = ["ok", "full", "unavailable"];

impl StoreHealth {
    /// Of a store that was not asked anything. `clock` dates errors.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Health {
            clock,
            calls: Default::default(),
            failing: AtomicBool::new(false),
            last_error: Mutex::default(),
        }))
    }

    /// The same store, whose answers are counted here. A call that nobody
    /// waits for any longer has none.
    pub fn watch(&self, store: Store) -> Store {
        match store {
            Store::Local(store) => Store::Local(Arc::new(Watched { health: self.clone(), store })),
            Store::Remote(store) => Store::Remote(Arc::new(Watched { health: self.clone(), store })),
        }
    }

    /// The store failed before it was asked anything: at the start.
    pub fn failed(&self, error: &StoreError) {
        self.0.failing.store(true, Ordering::Relaxed);
        *self.0.last_error.lock().unwrap_or_else(PoisonError::into_inner) = Some((self.0.clock.now(), error.clone()));
    }

    /// The same for `/status`.
    pub fn status(&self) -> Value {
        let last = self.0.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone();
        json!({
            "failing": self.0.failing.load(Ordering::Relaxed),
            "last-error": last.map(|(at, error)| json!({ "at": rfc3339(at), "error": error.to_string() })),
        })
    }

    fn note<T>(&self, call: Call, answer: Result<T, StoreError>) -> Result<T, StoreError> {
        let kind = match &answer {
            Ok(_) => 0,
            Err(StoreError::Full { .. } | StoreError::PotFull { .. }) => 1,
            Err(_) => 2,
        };
        if let Some(count) = self.0.calls.get(call as usize).and_then(|answers| answers.get(kind)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        match &answer {
            Err(error) => self.failed(error),
            // Not written when it is so already: threads would wait for each
            // other.
            Ok(_) if self.0.failing.load(Ordering::Relaxed) => self.0.failing.store(false, Ordering::Relaxed),
            Ok(_) => {}
        }
        answer
    }
}

/// A store, and the counts of its answers.
struct Watched<S: ?Sized> {
    health: StoreHealth,
    store: Arc<S>,
}

impl LocalStore for Watched<dyn LocalStore> {
    fn claim(&self, nonce: &NonceId, retain: Duration, hold: Option<Hold>) -> Result<Claim, StoreError> {
        self.health.note(Call::Claim, self.store.claim(nonce, retain, hold))
    }

    fn renew(&self, nonce: &NonceId, holder: Holder) -> Result<(), StoreError> {
        self.health.note(Call::Renew, self.store.renew(nonce, holder))
    }

    fn confirm(&self, nonce: &NonceId, holder: Holder) -> Result<(), StoreError> {
        self.health.note(Call::Confirm, self.store.confirm(nonce, holder))
    }

    fn release(&self, nonce: &NonceId, holder: Holder) -> Result<(), StoreError> {
        self.health.note(Call::Release, self.store.release(nonce, holder))
    }

    fn take(&self, subject: &Arc<str>, draws: &[Draw], cost: u32) -> Result<Take, StoreError> {
        self.health.note(Call::Take, self.store.take(subject, draws, cost))
    }

    fn give_back(&self, subject: &Arc<str>, draw: &Draw, cost: u32, at: Duration) -> Result<(), StoreError> {
        self.health.note(Call::GiveBack, self.store.give_back(subject, draw, cost, at))
    }

    fn list(&self, space: &str, most: usize) -> Result<Vec<Listed>, StoreError> {
        self.store.list(space, most)
    }

    fn forget(&self, space: &str, digest: &[u8; 32]) -> Result<bool, StoreError> {
        self.store.forget(space, digest)
    }

    fn lost_at(&self) -> Option<Duration> {
        self.store.lost_at()
    }

    fn room(&self) -> Option<MemoryLimits> {
        self.store.room()
    }
}

impl Watched<dyn RemoteStore> {
    fn note<'a, T: 'a>(&'a self, call: Call, answer: StoreFuture<'a, T>) -> StoreFuture<'a, T> {
        Box::pin(async move { self.health.note(call, answer.await) })
    }
}

impl RemoteStore for Watched<dyn RemoteStore> {
    fn claim<'a>(&'a self, nonce: &'a NonceId, retain: Duration, hold: Option<Hold>) -> StoreFuture<'a, Claim> {
        self.note(Call::Claim, self.store.claim(nonce, retain, hold))
    }

    fn renew<'a>(&'a self, nonce: &'a NonceId, holder: Holder) -> StoreFuture<'a, ()> {
        self.note(Call::Renew, self.store.renew(nonce, holder))
    }

    fn confirm<'a>(&'a self, nonce: &'a NonceId, holder: Holder) -> StoreFuture<'a, ()> {
        self.note(Call::Confirm, self.store.confirm(nonce, holder))
    }

    fn release<'a>(&'a self, nonce: &'a NonceId, holder: Holder) -> StoreFuture<'a, ()> {
        self.note(Call::Release, self.store.release(nonce, holder))
    }

    fn take<'a>(&'a self, subject: &'a Arc<str>, draws: &'a [Draw], cost: u32) -> StoreFuture<'a, Take> {
        self.note(Call::Take, self.store.take(subject, draws, cost))
    }

    fn give_back<'a>(&'a self, subject: &'a Arc<str>, draw: &'a Draw, cost: u32, at: Duration) -> StoreFuture<'a, ()> {
        self.note(Call::GiveBack, self.store.give_back(subject, draw, cost, at))
    }

    fn list<'a>(&'a self, space: &'a str, most: usize) -> StoreFuture<'a, Vec<Listed>> {
        self.store.list(space, most)
    }

    fn forget<'a>(&'a self, space: &'a str, digest: &'a [u8; 32]) -> StoreFuture<'a, bool> {
        self.store.forget(space, digest)
    }

    fn lost_at(&self) -> Option<Duration> {
        self.store.lost_at()
    }

    fn room(&self) -> Option<MemoryLimits> {
        self.store.room()
    }

    fn run_beside(&self, work: Pin<Box<dyn Future<Output = ()> + Send>>) {
        self.store.run_beside(work);
    }
}

impl Collector for StoreHealth {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Calls to the store, by their answer";
        let mut calls = encoder.encode_descriptor("barmkin_store_calls", help, None, MetricType::Counter)?;
        for (call, counts) in Call::ALL.iter().zip(&self.0.calls) {
            for (answer, count) in ANSWERS.iter().zip(counts) {
                let labels = [("call", call.as_str()), ("answer", *answer)];
                let mut counter = calls.encode_family(&labels)?;
                counter.encode_counter::<NoLabelSet, _, u64>(&count.load(Ordering::Relaxed), None)?;
            }
        }
        let help = "1 while the last call to the store has failed";
        let failing = u64::from(self.0.failing.load(Ordering::Relaxed));
        encoder.encode_descriptor("barmkin_store_failing", help, None, MetricType::Gauge)?.encode_gauge(&failing)
    }
}

impl fmt::Debug for StoreHealth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreHealth").finish_non_exhaustive()
    }
}
