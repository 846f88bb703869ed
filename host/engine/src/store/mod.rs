//! Where nonces and quotas live.
//!
//! A store expires by its own clock, so that machines which share one agree.
//! The conformance of a store is in these sentences; one suite runs on all.

mod gcra;
mod memory;

pub use gcra::Gcra;
pub use memory::{MemoryLimits, MemoryStore};

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// A nonce within its space.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NonceId {
    /// The space, as the operator named it.
    pub space: Arc<str>,
    /// SHA-256 of what must be used once.
    pub digest: [u8; 32],
}

/// Whose share of which quota.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct QuotaId {
    /// The quota, as the operator named it.
    pub quota: Arc<str>,
    /// Whom it is counted against.
    pub subject: Box<str>,
}

/// Who holds a claim until the verdict: one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder(pub u128);

/// What came of claiming a nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It was free, and is claimed now.
    FirstUse,
    /// Another request holds it and is not decided.
    InProgress,
    /// It was used.
    Replayed,
}

/// What came of taking from a quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Take {
    /// Whether it was taken.
    pub admitted: bool,
    /// Units left.
    pub remaining: u64,
    /// Until the quota is full again.
    pub reset_after: Duration,
    /// Until the same take could be admitted; `None` when it was, or when it
    /// asks for more than there ever is.
    pub retry_after: Option<Duration>,
    /// When, by the store's clock: what [`LocalStore::give_back`] wants back.
    pub at: Duration,
}

/// A store that did not do what it was asked. The operator must act.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// It holds as much as it may, and forgets nothing that is live.
    #[error("the store is full: it holds {entries} live entries")]
    Full {
        /// How many that is.
        entries: usize,
    },
    /// It could not be reached, or did not answer in time.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
}

/// A store in this process: its answers need no waiting.
pub trait LocalStore: Send + Sync {
    /// Claims a nonce for `retain`, and says whether it was free.
    ///
    /// Checking and claiming are one step: of two concurrent calls with the
    /// same nonce exactly one gets [`Claim::FirstUse`]; an implementation that
    /// reads and then writes is wrong even if its tests pass.
    ///
    /// With a holder the claim is provisional: others get
    /// [`Claim::InProgress`] until it is confirmed or released, or until
    /// [`HELD_FOR`](crate::limits::HELD_FOR) has passed; from then on, and
    /// without a holder at once, they get [`Claim::Replayed`].
    ///
    /// # Errors
    /// [`StoreError`], when nothing was claimed.
    fn claim(&self, nonce: &NonceId, retain: Duration, holder: Option<Holder>) -> Result<Claim, StoreError>;

    /// Makes a provisional claim final.
    ///
    /// # Errors
    /// [`StoreError`]; the claim then counts as used once it is no longer held.
    fn confirm(&self, nonce: &NonceId, holder: Holder) -> Result<(), StoreError>;

    /// Gives a provisional claim back, if `holder` still holds it.
    ///
    /// # Errors
    /// [`StoreError`]; the nonce then stays used.
    fn release(&self, nonce: &NonceId, holder: Holder) -> Result<(), StoreError>;

    /// Takes `cost` units if they are there, in one step.
    ///
    /// # Errors
    /// [`StoreError`], when nothing was taken.
    fn take(&self, quota: &QuotaId, rate: &Gcra, cost: u32) -> Result<Take, StoreError>;

    /// Gives `cost` units back that were taken `at`: never more than are still
    /// missing because of that take.
    ///
    /// # Errors
    /// [`StoreError`]; the units then stay taken.
    fn give_back(&self, quota: &QuotaId, rate: &Gcra, cost: u32, at: Duration) -> Result<(), StoreError>;
}

/// What a remote store answers with.
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// A store behind a network: its answers must be awaited. Each method keeps
/// the promises of the one of the same name in [`LocalStore`], and answers
/// within a bounded time.
pub trait RemoteStore: Send + Sync {
    /// See [`LocalStore::claim`].
    fn claim<'a>(&'a self, nonce: &'a NonceId, retain: Duration, holder: Option<Holder>) -> StoreFuture<'a, Claim>;
    /// See [`LocalStore::confirm`].
    fn confirm<'a>(&'a self, nonce: &'a NonceId, holder: Holder) -> StoreFuture<'a, ()>;
    /// See [`LocalStore::release`].
    fn release<'a>(&'a self, nonce: &'a NonceId, holder: Holder) -> StoreFuture<'a, ()>;
    /// See [`LocalStore::take`].
    fn take<'a>(&'a self, quota: &'a QuotaId, rate: &'a Gcra, cost: u32) -> StoreFuture<'a, Take>;
    /// See [`LocalStore::give_back`].
    fn give_back<'a>(&'a self, quota: &'a QuotaId, rate: &'a Gcra, cost: u32, at: Duration) -> StoreFuture<'a, ()>;
}

/// A store of either kind. The policies that use a remote one run on stacks
/// that can be suspended; the others do not pay for it.
#[derive(Clone)]
pub enum Store {
    /// In this process.
    Local(Arc<dyn LocalStore>),
    /// Behind a network.
    Remote(Arc<dyn RemoteStore>),
}

impl Store {
    /// Whether every answer is ready at once.
    pub fn is_local(&self) -> bool {
        matches!(self, Self::Local(_))
    }

    pub(crate) async fn claim(
        &self,
        nonce: &NonceId,
        retain: Duration,
        holder: Option<Holder>,
    ) -> Result<Claim, StoreError> {
        match self {
            Self::Local(store) => store.claim(nonce, retain, holder),
            Self::Remote(store) => store.claim(nonce, retain, holder).await,
        }
    }

    pub(crate) async fn confirm(&self, nonce: &NonceId, holder: Holder) -> Result<(), StoreError> {
        match self {
            Self::Local(store) => store.confirm(nonce, holder),
            Self::Remote(store) => store.confirm(nonce, holder).await,
        }
    }

    pub(crate) async fn release(&self, nonce: &NonceId, holder: Holder) -> Result<(), StoreError> {
        match self {
            Self::Local(store) => store.release(nonce, holder),
            Self::Remote(store) => store.release(nonce, holder).await,
        }
    }

    pub(crate) async fn take(&self, quota: &QuotaId, rate: &Gcra, cost: u32) -> Result<Take, StoreError> {
        match self {
            Self::Local(store) => store.take(quota, rate, cost),
            Self::Remote(store) => store.take(quota, rate, cost).await,
        }
    }

    pub(crate) async fn give_back(
        &self,
        quota: &QuotaId,
        rate: &Gcra,
        cost: u32,
        at: Duration,
    ) -> Result<(), StoreError> {
        match self {
            Self::Local(store) => store.give_back(quota, rate, cost, at),
            Self::Remote(store) => store.give_back(quota, rate, cost, at).await,
        }
    }
}

impl<S: LocalStore + 'static> From<S> for Store {
    fn from(store: S) -> Self {
        Self::Local(Arc::new(store))
    }
}
