//! The stores under test, each with a clock whose hand the test holds.

use barmkin_host::{Claim, Draw, Hold, Holder, MemoryLimits, MemoryStore, NonceId, Store, StoreError, Take};
use barmkin_store_embedded::{Durability, EmbeddedStore, Settings};
use barmkin_store_redis::RedisStore;
use barmkin_tests::harness::{Redis, RedisCluster, Tool};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, OnceLock};
use std::time::Duration;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap());

/// The server of all tests of this process: a node that is a cluster by itself, so
/// that keys which do not share a slot are refused.
static SERVER: OnceLock<Option<RedisCluster>> = OnceLock::new();

/// A cluster of three, for all tests of this process.
static CLUSTER: OnceLock<Option<RedisCluster>> = OnceLock::new();

/// When tests begin, in milliseconds since 1970.
pub(crate) const START_MS: u64 = 1_700_000_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Memory,
    EmbeddedProcess,
    EmbeddedPower,
    Redis,
    RedisCluster,
}

impl Kind {
    /// Whether other gates may use it at the same time.
    pub(crate) fn is_shared(self) -> bool {
        matches!(self, Self::Redis | Self::RedisCluster)
    }
}

/// A store under test.
pub(crate) struct Subject {
    pub(crate) kind: Kind,
    pub(crate) store: Store,
    hand_ms: Arc<AtomicU64>,
    folder: Option<TempDir>,
}

/// Runs `test` on every store that there is here.
pub(crate) fn each(what: &str, mut test: impl FnMut(Kind)) {
    for kind in [Kind::Memory, Kind::EmbeddedProcess, Kind::EmbeddedPower, Kind::Redis, Kind::RedisCluster] {
        let is_there = match kind {
            Kind::Redis => server(what).is_some(),
            Kind::RedisCluster => cluster(what).is_some(),
            Kind::Memory | Kind::EmbeddedProcess | Kind::EmbeddedPower => true,
        };
        if is_there {
            test(kind);
        }
    }
}

/// The Redis server, if there is one.
pub(crate) fn server(what: &str) -> Option<&'static Redis> {
    let start = || Some(RedisCluster::start(&Tool::Redis.find(&format!("{what} on Redis"))?, 1, &[]));
    SERVER.get_or_init(start).as_ref()?.nodes.first()
}

/// The cluster of Redis, if there is one.
pub(crate) fn cluster(what: &str) -> Option<&'static RedisCluster> {
    let start = || Some(RedisCluster::start(&Tool::Redis.find(&format!("{what} on a cluster"))?, 3, &[]));
    CLUSTER.get_or_init(start).as_ref()
}

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    RUNTIME.block_on(future)
}

pub(crate) fn settings(folder: &Path, durability: Durability) -> Settings {
    Settings { folder: folder.join("store"), limits: MemoryLimits::default(), durability, accept_loss: false }
}

fn unique() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::SeqCst)
}

impl Subject {
    pub(crate) fn new(kind: Kind) -> Self {
        let folder = matches!(kind, Kind::EmbeddedProcess | Kind::EmbeddedPower).then(|| tempfile::tempdir().unwrap());
        let hand_ms = Arc::new(AtomicU64::new(START_MS));
        let prefix = format!("test-{}-{}", std::process::id(), unique());
        let store = open(kind, folder.as_ref().map(TempDir::path), &prefix, &hand_ms);
        Self { kind, store, hand_ms, folder }
    }

    /// The store that a new process finds if this one dies at once: the files
    /// of an embedded store as they are now, and Redis as it is. This one may
    /// be dropped later, as the dead are not.
    pub(crate) fn crash(&self) -> Self {
        let (kind, hand_ms) = (self.kind, self.hand_ms.clone());
        let Some(folder) = &self.folder else {
            return Self { kind, store: self.store.clone(), hand_ms, folder: None };
        };
        let found = tempfile::tempdir().unwrap();
        std::fs::create_dir(found.path().join("store")).unwrap();
        for file in folder.path().join("store").read_dir().unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), found.path().join("store").join(file.file_name())).unwrap();
        }
        let store = open(kind, Some(found.path()), "", &hand_ms);
        Self { kind, store, hand_ms, folder: Some(found) }
    }

    pub(crate) fn now_ms(&self) -> u64 {
        self.hand_ms.load(Ordering::SeqCst) - START_MS
    }

    pub(crate) fn wait(&self, ms: u64) {
        self.hand_ms.fetch_add(ms, Ordering::SeqCst);
    }

    pub(crate) fn claim(&self, nonce: &NonceId, retain: Duration, hold: Option<Hold>) -> Result<Claim, StoreError> {
        match &self.store {
            Store::Local(store) => store.claim(nonce, retain, hold),
            Store::Remote(store) => block_on(store.claim(nonce, retain, hold)),
        }
    }

    pub(crate) fn renew(&self, nonce: &NonceId, holder: Holder) {
        match &self.store {
            Store::Local(store) => store.renew(nonce, holder).unwrap(),
            Store::Remote(store) => block_on(store.renew(nonce, holder)).unwrap(),
        }
    }

    pub(crate) fn confirm(&self, nonce: &NonceId, holder: Holder) {
        match &self.store {
            Store::Local(store) => store.confirm(nonce, holder).unwrap(),
            Store::Remote(store) => block_on(store.confirm(nonce, holder)).unwrap(),
        }
    }

    pub(crate) fn release(&self, nonce: &NonceId, holder: Holder) {
        match &self.store {
            Store::Local(store) => store.release(nonce, holder).unwrap(),
            Store::Remote(store) => block_on(store.release(nonce, holder)).unwrap(),
        }
    }

    pub(crate) fn take(&self, subject: &str, draws: &[Draw], cost: u32) -> Take {
        self.try_take(subject, draws, cost).unwrap()
    }

    pub(crate) fn try_take(&self, subject: &str, draws: &[Draw], cost: u32) -> Result<Take, StoreError> {
        let subject = subject.into();
        match &self.store {
            Store::Local(store) => store.take(&subject, draws, cost),
            Store::Remote(store) => block_on(store.take(&subject, draws, cost)),
        }
    }

    pub(crate) fn give_back(&self, subject: &str, draw: &Draw, cost: u32, at: Duration) {
        let subject = subject.into();
        match &self.store {
            Store::Local(store) => store.give_back(&subject, draw, cost, at).unwrap(),
            Store::Remote(store) => block_on(store.give_back(&subject, draw, cost, at)).unwrap(),
        }
    }
}

fn open(kind: Kind, folder: Option<&Path>, prefix: &str, hand_ms: &Arc<AtomicU64>) -> Store {
    let hand = hand_ms.clone();
    let clock = move || Duration::from_millis(hand.load(Ordering::SeqCst));
    let embedded = |clock, durability| {
        EmbeddedStore::open_with_clock(&settings(folder.unwrap(), durability), clock).unwrap().into_store()
    };
    match kind {
        Kind::Memory => MemoryStore::with_clock(MemoryLimits::default(), clock).into(),
        Kind::EmbeddedProcess => embedded(clock, Durability::Process),
        Kind::EmbeddedPower => embedded(clock, Durability::Power),
        Kind::Redis | Kind::RedisCluster => {
            let mut settings = if kind == Kind::Redis {
                barmkin_store_redis::Settings::new(server("a store").unwrap().url())
            } else {
                barmkin_store_redis::Settings::cluster(cluster("a store").unwrap().urls())
            };
            prefix.clone_into(&mut settings.prefix);
            // A test machine may be busy.
            settings.timeout = Duration::from_secs(10);
            let _guard = RUNTIME.enter();
            Store::Remote(Arc::new(RedisStore::with_clock(&settings, clock).unwrap()))
        }
    }
}
