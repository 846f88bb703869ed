//! What is shared, and what one holds of it.

use crate::clock::now;
use crate::group::Id;
use crate::ledger::{self, Ledger, Mark};
use std::fmt;
use std::future::poll_fn;
use std::hash::Hash;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// A number of things that are shared, counted by `D` keys of each holder.
pub struct Shares<K, const D: usize = 1>(Mutex<Ledger<K, Held, D>>);

impl<K: Copy + Ord + Hash, const D: usize> Shares<K, D> {
    /// Shares of `max`. While holders give way there may be an eighth more, or
    /// one holder.
    pub fn new(max: usize) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Ledger::new(max))))
    }

    /// Takes `weight`, if there is room, or somebody gives way to who counts by
    /// `keys`.
    pub fn take(self: &Arc<Self>, keys: Option<[K; D]>, weight: usize) -> Option<Holding<K, D>> {
        let held = Arc::new(Held::new(now()));
        let (id, evicted) = self.with(|ledger| ledger.take(keys, weight, held.clone(), now()))?;
        evicted.iter().for_each(|evicted| evicted.evict());
        Some(Holding { shares: self.clone(), id, held })
    }

    fn with<T>(&self, act: impl FnOnce(&mut Ledger<K, Held, D>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<K, const D: usize> fmt::Debug for Shares<K, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shares").finish_non_exhaustive()
    }
}

/// What one holds: given back when this is dropped.
pub struct Holding<K: Copy + Ord + Hash, const D: usize = 1> {
    shares: Arc<Shares<K, D>>,
    id: Id,
    held: Arc<Held>,
}

impl<K: Copy + Ord + Hash, const D: usize> Holding<K, D> {
    /// Takes `by` more, and says whether it has. One that has to give way gets
    /// no more.
    #[must_use = "what there is no room for must not be held"]
    pub fn grow(&self, by: usize) -> bool {
        let evicted = self.shares.with(|ledger| ledger.grow(self.id, by, now()));
        evicted.iter().flatten().for_each(|evicted| evicted.evict());
        evicted.is_some()
    }

    /// It has moved `bytes`.
    pub fn moved(&self, bytes: usize) {
        let mark = ledger::moved(self.held.mark(), bytes, now());
        self.held.mark.store(nanos(mark), Ordering::Relaxed);
    }

    /// It does nothing until it [resumes](Self::resume), and gives way first.
    pub fn rest(&self) {
        self.shares.with(|ledger| ledger.rest(self.id, now()));
    }

    /// It does something again.
    pub fn resume(&self) {
        let now = now();
        self.held.mark.store(nanos(now), Ordering::Relaxed);
        self.shares.with(|ledger| ledger.resume(self.id, now));
    }

    /// It gives way to nobody from here on.
    pub fn keep(&self) {
        self.shares.with(|ledger| ledger.keep(self.id));
    }

    /// It counts by `keys` from here on.
    pub fn belong(&self, keys: Option<[K; D]>) {
        self.shares.with(|ledger| ledger.belong(self.id, keys));
    }

    /// Whether it has to give way; wakes `context`'s task, one at a time, when
    /// it has.
    pub fn poll_evicted(&self, context: &mut Context<'_>) -> Poll<()> {
        self.held.poll_evicted(context)
    }

    /// Waits until it has to give way.
    pub async fn evicted(&self) {
        poll_fn(|context| self.poll_evicted(context)).await;
    }
}

impl<K: Copy + Ord + Hash, const D: usize> Drop for Holding<K, D> {
    fn drop(&mut self) {
        self.shares.with(|ledger| ledger.remove(self.id));
    }
}

impl<K: Copy + Ord + Hash, const D: usize> fmt::Debug for Holding<K, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Holding").field("id", &self.id).finish_non_exhaustive()
    }
}

/// What a holder and the ledger both know.
#[derive(Debug)]
struct Held {
    mark: AtomicU64,
    evicted: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Held {
    fn new(now: Duration) -> Self {
        Self { mark: AtomicU64::new(nanos(now)), evicted: AtomicBool::new(false), waker: Mutex::new(None) }
    }

    fn evict(&self) {
        self.evicted.store(true, Ordering::Release);
        if let Some(waker) = self.waker.lock().unwrap_or_else(PoisonError::into_inner).take() {
            waker.wake();
        }
    }

    fn poll_evicted(&self, context: &mut Context<'_>) -> Poll<()> {
        if !self.evicted.load(Ordering::Acquire) {
            let mut waker = self.waker.lock().unwrap_or_else(PoisonError::into_inner);
            if !waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
                *waker = Some(context.waker().clone());
            }
        }
        // Looked at again: it may have come before the waker was there.
        if self.evicted.load(Ordering::Acquire) { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Mark for Held {
    fn mark(&self) -> Duration {
        Duration::from_nanos(self.mark.load(Ordering::Relaxed))
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
