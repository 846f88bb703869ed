//! Answers that wait until the disk has what they say.

use crate::store::{EmbeddedStore, Inner};
use barmkin_host::{
    Claim, Draw, Hold, Holder, Listed, LocalStore, MemoryLimits, NonceId, RemoteStore, StoreError, StoreFuture, Take,
};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::watch;

/// How long a request waits for the disk. A flush takes 10 ms on a slow one.
const FLUSH_MAX: Duration = Duration::from_secs(1);

/// How far the disk is behind. Changes are counted, since rotating the log
/// begins its bytes from 0.
pub(crate) struct Synced {
    written: AtomicU64,
    flushed: watch::Sender<u64>,
    alone: Mutex<()>,
}

impl Default for Synced {
    fn default() -> Self {
        Self { written: AtomicU64::new(0), flushed: watch::Sender::new(0), alone: Mutex::new(()) }
    }
}

impl Synced {
    /// Keeps flushing and rotating apart.
    pub(crate) fn alone(&self) -> MutexGuard<'_, ()> {
        self.alone.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many changes were written.
    pub(crate) fn written(&self) -> u64 {
        self.written.load(Ordering::Acquire)
    }

    /// They are on the disk, or never will be.
    pub(crate) fn publish(&self, changes: u64) {
        self.flushed.send_replace(changes);
    }
}

/// A store whose answers wait for the disk.
pub(crate) struct Durable {
    store: EmbeddedStore,
    /// Where calls go on when nobody waits for them any longer.
    runtime: Option<Handle>,
}

impl Durable {
    /// Within a tokio runtime, as all that awaits it.
    pub(crate) fn new(store: EmbeddedStore) -> Self {
        Self { store, runtime: Handle::try_current().ok() }
    }

    /// Makes a change, and waits until the disk has it if `binds` says that callers
    /// will rely on its answer.
    async fn change<T>(
        &self,
        change: impl FnOnce(&mut Inner, Duration) -> Result<T, StoreError> + Send,
        binds: impl FnOnce(&T) -> bool + Send,
    ) -> Result<T, StoreError> {
        let synced = &self.store.shared.synced;
        // Counted under the lock that a flush takes too: what a flush has seen
        // of the count, it has seen of the log.
        let (answer, number) = self.store.with(|inner, now| {
            let answer = change(inner, now)?;
            Ok((answer, synced.written.fetch_add(1, Ordering::AcqRel) + 1))
        })?;
        if binds(&answer) {
            let mut flushed = synced.flushed.subscribe();
            self.store.threads.flush();
            let wait = flushed.wait_for(|flushed| *flushed >= number);
            let late = || StoreError::Unavailable("the disk does not answer in time".to_owned());
            tokio::time::timeout(FLUSH_MAX, wait).await.map_err(|_| late())?.map_err(|_| late())?;
            if let Some(broken) = &self.store.shared.lock().broken {
                return Err(StoreError::Unavailable(broken.clone()));
            }
        }
        Ok(answer)
    }
}

impl RemoteStore for Durable {
    fn claim<'a>(&'a self, nonce: &'a NonceId, retain: Duration, hold: Option<Hold>) -> StoreFuture<'a, Claim> {
        Box::pin(
            self.change(move |inner, now| inner.claim(now, nonce, retain, hold), |claim| *claim == Claim::FirstUse),
        )
    }

    fn renew<'a>(&'a self, nonce: &'a NonceId, holder: Holder) -> StoreFuture<'a, ()> {
        Box::pin(self.change(move |inner, now| inner.renew(now, nonce, holder), |()| false))
    }

    fn confirm<'a>(&'a self, nonce: &'a NonceId, holder: Holder) -> StoreFuture<'a, ()> {
        // Lost, it leaves the claim to its lease.
        Box::pin(self.change(move |inner, now| inner.confirm(now, nonce, holder), |()| false))
    }

    fn release<'a>(&'a self, nonce: &'a NonceId, holder: Holder) -> StoreFuture<'a, ()> {
        Box::pin(self.change(move |inner, now| inner.release(now, nonce, holder), |()| false))
    }

    fn take<'a>(&'a self, subject: &'a Arc<str>, draws: &'a [Draw], cost: u32) -> StoreFuture<'a, Take> {
        Box::pin(
            self.change(move |inner, now| inner.take(now, subject, draws, cost), move |take| take.admitted && cost > 0),
        )
    }

    fn give_back<'a>(&'a self, subject: &'a Arc<str>, draw: &'a Draw, cost: u32, at: Duration) -> StoreFuture<'a, ()> {
        Box::pin(self.change(move |inner, now| inner.give_back(now, subject, draw, cost, at), |()| false))
    }

    fn list<'a>(&'a self, space: &'a str, most: usize) -> StoreFuture<'a, Vec<Listed>> {
        Box::pin(async move { self.store.list(space, most) })
    }

    fn forget<'a>(&'a self, space: &'a str, digest: &'a [u8; 32]) -> StoreFuture<'a, bool> {
        Box::pin(self.change(move |inner, now| inner.forget(now, space, digest), |_| true))
    }

    fn lost_at(&self) -> Option<Duration> {
        self.store.shared.lost_at
    }

    fn room(&self) -> Option<MemoryLimits> {
        Some(self.store.shared.limits)
    }

    fn run_beside(&self, work: Pin<Box<dyn Future<Output = ()> + Send>>) {
        match self.runtime.clone().or_else(|| Handle::try_current().ok()) {
            Some(runtime) => drop(runtime.spawn(work)),
            None => {
                // Nothing that is given back waits for the disk.
                let mut work = work;
                let _ = work.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            }
        }
    }
}
