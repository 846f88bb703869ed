//! Where nonces and quotas live.
//!
//! A store expires by its own clock, so that machines which share one agree.
//! The conformance of a store is in these sentences; one suite runs on all.

mod accounts;
mod gcra;
mod ledger;
mod memory;
mod nonces;
mod pot;
mod recent;
mod room;
mod rule;
mod shares;
mod subject;

pub use gcra::Gcra;
pub use ledger::Ledger;
pub use memory::{MemoryLimits, MemoryStore};
pub use nonces::{Claimed, Lease};
pub use pot::{Pot, TRIAL_PREFIX};
pub use recent::Recent;
pub use rule::{QuotaRule, Tally, Window};
pub use shares::{NoShare, share};
pub use subject::SubjectId;

use crate::now_or_never;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// A nonce within its space.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NonceId {
    /// The space, as the operator named it, and how much it may hold.
    pub space: Pot,
    /// SHA-256 of what must be used once.
    pub digest: [u8; 32],
    /// The digest that release 0.1.0 would have claimed for the same delivery: what it
    /// claimed is honoured until it expires.
    pub former: Option<[u8; 32]>,
}

impl fmt::Display for NonceId {
    /// Its digest.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        crate::write_hex::<64>(f, &self.digest)
    }
}

/// A claim, for an operator who looks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    /// [`NonceId::digest`].
    pub digest: [u8; 32],
    /// For how long it is remembered.
    pub expires_in: Duration,
    /// For how long it is in progress, unless renewed.
    pub held_for: Option<Duration>,
}

/// A quota to take from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draw {
    /// The quota, as the operator named it, and how much it may hold.
    pub quota: Pot,
    /// How it counts.
    pub rule: QuotaRule,
}

/// The holder of a claim while it is under way: one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder(pub u128);

/// A claim that is under way, and not yet final.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold {
    /// The request that it is for.
    pub holder: Holder,
    /// Its fate if the holder reports nothing.
    pub lapse: Lapse,
}

/// The fate of a claim whose lease ended because its holder is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lapse {
    /// It counts as used: a proof, a token, a code.
    Used,
    /// It is free again: a delivery, which is better seen twice than never.
    Free,
}

/// The outcome of claiming a nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It was free, and is claimed now.
    FirstUse,
    /// Another request holds it and is under way.
    InProgress,
    /// It was used.
    Replayed,
}

/// The outcome of taking from quotas: from all of them, or from none. Of
/// several it tells the strictest.
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

impl Take {
    /// The strictest of this and `other`.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let retry_after = match (self.admitted, other.admitted) {
            (true, _) => other.retry_after,
            (_, true) => self.retry_after,
            // One that can never be admitted is not, whatever the other says.
            (false, false) => self.retry_after.zip(other.retry_after).map(|(one, another)| one.max(another)),
        };
        Self {
            admitted: self.admitted && other.admitted,
            remaining: self.remaining.min(other.remaining),
            reset_after: self.reset_after.max(other.reset_after),
            retry_after,
            at: self.at,
        }
    }
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
    /// A nonce space or a quota holds as much as it may. Others have room still.
    #[error("`{pot}` is full: it holds its {entries} live entries")]
    PotFull {
        /// Its name.
        pot: Arc<str>,
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
    /// With a hold the claim is provisional: others get
    /// [`Claim::InProgress`] until it is confirmed or released, or until its
    /// lease ends, [`LEASE`](crate::limits::LEASE) after it was claimed or last
    /// [renewed](Self::renew). From then on they get what [`Lapse`] says; without
    /// a hold they get [`Claim::Replayed`] at once.
    ///
    /// A claim under [`NonceId::former`] counts as this nonce.
    ///
    /// # Errors
    /// [`StoreError`], when nothing was claimed.
    fn claim(&self, nonce: &NonceId, retain: Duration, hold: Option<Hold>) -> Result<Claim, StoreError>;

    /// Renews the lease of a provisional claim, if `holder` still holds it.
    ///
    /// # Errors
    /// [`StoreError`]; the lease then ends when it would have.
    fn renew(&self, nonce: &NonceId, holder: Holder) -> Result<(), StoreError>;

    /// Makes a provisional claim final.
    ///
    /// # Errors
    /// [`StoreError`]; its [`Lapse`] then decides its fate.
    fn confirm(&self, nonce: &NonceId, holder: Holder) -> Result<(), StoreError>;

    /// Gives a provisional claim back, if `holder` still holds it.
    ///
    /// # Errors
    /// [`StoreError`]; its [`Lapse`] then decides its fate.
    fn release(&self, nonce: &NonceId, holder: Holder) -> Result<(), StoreError>;

    /// Takes `cost` units for `subject` from every quota of `draws` if all of
    /// them have as much, otherwise from none, in one step. A cost of 0 only
    /// looks. No quota is twice among `draws`.
    ///
    /// # Errors
    /// [`StoreError`], when nothing was taken.
    fn take(&self, subject: &Arc<str>, draws: &[Draw], cost: u32) -> Result<Take, StoreError>;

    /// Gives `cost` units back that `subject` took from one quota `at`: never
    /// more than are still missing because of that take.
    ///
    /// # Errors
    /// [`StoreError`]; the units then stay taken.
    fn give_back(&self, subject: &Arc<str>, draw: &Draw, cost: u32, at: Duration) -> Result<(), StoreError>;

    /// Lists the claims of the nonce space `space`: at most `most` of them, in no
    /// order that means anything. For operators: no request waits for it.
    ///
    /// # Errors
    /// [`StoreError`]; a store need not be able to.
    fn list(&self, space: &str, most: usize) -> Result<Vec<Listed>, StoreError> {
        let _ = (space, most);
        Err(cannot_be_looked_into())
    }

    /// Frees a nonce, even one that is held, and says whether it was claimed.
    ///
    /// # Errors
    /// [`StoreError`]; a store need not be able to.
    fn forget(&self, space: &str, digest: &[u8; 32]) -> Result<bool, StoreError> {
        let _ = (space, digest);
        Err(cannot_be_looked_into())
    }

    /// When it lost its contents, as time since 1970, if it has: a nonce that was
    /// signed before may have been used, and is refused.
    fn lost_at(&self) -> Option<Duration> {
        None
    }

    /// How much it may hold, if it is bounded: a generation divides that among
    /// its nonce spaces and quotas, and names the bound of each in its [`Pot`].
    fn room(&self) -> Option<MemoryLimits> {
        None
    }
}

/// The answer of a remote store.
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// A store behind a network: its answers must be awaited. Each method keeps
/// the promises of the one of the same name in [`LocalStore`], and answers
/// within a bounded time.
pub trait RemoteStore: Send + Sync {
    /// See [`LocalStore::claim`].
    fn claim<'a>(&'a self, nonce: &'a NonceId, retain: Duration, hold: Option<Hold>) -> StoreFuture<'a, Claim>;
    /// See [`LocalStore::renew`].
    fn renew<'a>(&'a self, nonce: &'a NonceId, holder: Holder) -> StoreFuture<'a, ()>;
    /// See [`LocalStore::confirm`].
    fn confirm<'a>(&'a self, nonce: &'a NonceId, holder: Holder) -> StoreFuture<'a, ()>;
    /// See [`LocalStore::release`].
    fn release<'a>(&'a self, nonce: &'a NonceId, holder: Holder) -> StoreFuture<'a, ()>;
    /// See [`LocalStore::take`].
    fn take<'a>(&'a self, subject: &'a Arc<str>, draws: &'a [Draw], cost: u32) -> StoreFuture<'a, Take>;
    /// See [`LocalStore::give_back`].
    fn give_back<'a>(&'a self, subject: &'a Arc<str>, draw: &'a Draw, cost: u32, at: Duration) -> StoreFuture<'a, ()>;
    /// See [`LocalStore::list`].
    fn list<'a>(&'a self, space: &'a str, most: usize) -> StoreFuture<'a, Vec<Listed>> {
        let _ = (space, most);
        Box::pin(async { Err(cannot_be_looked_into()) })
    }
    /// See [`LocalStore::forget`].
    fn forget<'a>(&'a self, space: &'a str, digest: &'a [u8; 32]) -> StoreFuture<'a, bool> {
        let _ = (space, digest);
        Box::pin(async { Err(cannot_be_looked_into()) })
    }
    /// See [`LocalStore::lost_at`].
    fn lost_at(&self) -> Option<Duration> {
        None
    }
    /// See [`LocalStore::room`].
    fn room(&self) -> Option<MemoryLimits> {
        None
    }
    /// Runs `work` to its end in the background: calls of a request that has gone
    /// away, and its give-backs. It is bounded, since each call of this store is.
    fn run_beside(&self, work: Pin<Box<dyn Future<Output = ()> + Send>>);
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

    /// See [`LocalStore::list`].
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list(&self, space: &str, most: usize) -> Result<Vec<Listed>, StoreError> {
        match self {
            Self::Local(store) => store.list(space, most),
            Self::Remote(store) => store.list(space, most).await,
        }
    }

    /// See [`LocalStore::forget`].
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn forget(&self, space: &str, digest: &[u8; 32]) -> Result<bool, StoreError> {
        match self {
            Self::Local(store) => store.forget(space, digest),
            Self::Remote(store) => store.forget(space, digest).await,
        }
    }

    pub(crate) async fn claim(
        &self,
        nonce: &NonceId,
        retain: Duration,
        hold: Option<Hold>,
    ) -> Result<Claim, StoreError> {
        match self {
            Self::Local(store) => store.claim(nonce, retain, hold),
            Self::Remote(store) => store.claim(nonce, retain, hold).await,
        }
    }

    pub(crate) async fn renew(&self, nonce: &NonceId, holder: Holder) -> Result<(), StoreError> {
        match self {
            Self::Local(store) => store.renew(nonce, holder),
            Self::Remote(store) => store.renew(nonce, holder).await,
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

    pub(crate) async fn take(&self, subject: &Arc<str>, draws: &[Draw], cost: u32) -> Result<Take, StoreError> {
        match self {
            Self::Local(store) => store.take(subject, draws, cost),
            Self::Remote(store) => store.take(subject, draws, cost).await,
        }
    }

    pub(crate) async fn give_back(
        &self,
        subject: &Arc<str>,
        draw: &Draw,
        cost: u32,
        at: Duration,
    ) -> Result<(), StoreError> {
        match self {
            Self::Local(store) => store.give_back(subject, draw, cost, at),
            Self::Remote(store) => store.give_back(subject, draw, cost, at).await,
        }
    }

    /// Finishes `work` although nobody waits for it.
    pub(crate) fn finish(&self, work: impl Future<Output = ()> + Send + 'static) {
        match self {
            Self::Local(_) => drop(now_or_never(work)),
            Self::Remote(store) => store.run_beside(Box::pin(work)),
        }
    }

    pub(crate) fn lost_at(&self) -> Option<Duration> {
        match self {
            Self::Local(store) => store.lost_at(),
            Self::Remote(store) => store.lost_at(),
        }
    }

    pub(crate) fn room(&self) -> Option<MemoryLimits> {
        match self {
            Self::Local(store) => store.room(),
            Self::Remote(store) => store.room(),
        }
    }
}

fn cannot_be_looked_into() -> StoreError {
    StoreError::Unavailable("it cannot list its nonces".to_owned())
}

impl<S: LocalStore + 'static> From<S> for Store {
    fn from(store: S) -> Self {
        Self::Local(Arc::new(store))
    }
}
