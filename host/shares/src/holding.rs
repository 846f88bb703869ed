//! The shared resource, and the parts of it that are held.

use crate::clock::now;
use crate::group::Id;
use crate::ledger::{self, Ledger, Mark, NoRoom};
use std::fmt;
use std::future::poll_fn;
use std::hash::Hash;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// Turns that one waits for those that are leaving, which are woken before it:
/// each needs one, and not all executors take them in order. It is not a time, since
/// one that is leaving may still be forwarded what it holds.
const TURNS: usize = 32;

/// A number of things that are shared, counted by `D` keys of each holder.
pub struct Shares<K, const D: usize = 1>(Mutex<State<K, D>>);

struct State<K, const D: usize> {
    ledger: Ledger<K, Held, D>,
    /// Woken when one is gone that had to give way.
    waiting: Vec<Waker>,
}

impl<K: Copy + Ord + Hash, const D: usize> Shares<K, D> {
    /// Shares of `max`. While holders give way there may be an eighth more, or
    /// one holder.
    pub fn new(max: usize) -> Arc<Self> {
        Arc::new(Self(Mutex::new(State { ledger: Ledger::new(max), waiting: Vec::new() })))
    }

    /// Takes `weight` for a holder that counts by `keys`, if there is room or
    /// another holder gives way to it.
    pub fn take(self: &Arc<Self>, keys: Option<[K; D]>, weight: usize) -> Option<Holding<K, D>> {
        self.try_take(keys, weight, None).ok()
    }

    /// The same, and waits while as many are leaving as may at a time: holders that
    /// arrive together must not be refused for that.
    pub async fn take_in_turn(self: &Arc<Self>, keys: Option<[K; D]>, weight: usize) -> Option<Holding<K, D>> {
        poll_fn(|context| match self.try_take(keys, weight, Some(context.waker())) {
            Ok(holding) => Poll::Ready(Some(holding)),
            Err(NoRoom::Taken) => Poll::Ready(None),
            Err(NoRoom::Leaving) => Poll::Pending,
        })
        .await
    }

    /// Has up to `count` give way although there is room, and says whether any
    /// does: first those that rest, then those that have done nothing yet or have
    /// fallen behind. For when something runs out that is not counted here.
    pub fn relieve(&self, count: usize) -> bool {
        let evicted = self.with(|state| state.ledger.relieve(count, now()));
        evicted.iter().for_each(|evicted| evicted.evict());
        !evicted.is_empty()
    }

    fn try_take(
        self: &Arc<Self>,
        keys: Option<[K; D]>,
        weight: usize,
        waker: Option<&Waker>,
    ) -> Result<Holding<K, D>, NoRoom> {
        let held = Arc::new(Held::new(now()));
        let mut evicted = Vec::new();
        let taken = self.with(|state| {
            let taken = state.ledger.take(keys, weight, held.clone(), now(), &mut evicted);
            if let (Err(NoRoom::Leaving), Some(waker)) = (&taken, waker)
                && !state.waiting.iter().any(|waiting| waiting.will_wake(waker))
            {
                state.waiting.push(waker.clone());
            }
            taken
        });
        evicted.iter().for_each(|evicted| evicted.evict());
        Ok(Holding { shares: self.clone(), id: taken?, held })
    }

    fn with<T>(&self, act: impl FnOnce(&mut State<K, D>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<K, const D: usize> fmt::Debug for Shares<K, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shares").finish_non_exhaustive()
    }
}

/// A held part of the resource: given back when this is dropped.
pub struct Holding<K: Copy + Ord + Hash, const D: usize = 1> {
    shares: Arc<Shares<K, D>>,
    id: Id,
    held: Arc<Held>,
}

impl<K: Copy + Ord + Hash, const D: usize> Holding<K, D> {
    /// Takes `by` more, and says whether it could. A holder that has to give way
    /// gets no more.
    #[must_use = "without room nothing may be held"]
    pub fn grow(&self, by: usize) -> bool {
        self.try_grow(by).is_ok()
    }

    /// The same, and waits for leaving holders while as many are leaving as may at a
    /// time.
    pub async fn grow_in_turn(&self, by: usize) -> bool {
        let mut turns_left = TURNS;
        poll_fn(|context| match self.try_grow(by) {
            Err(NoRoom::Leaving) if turns_left > 0 => {
                turns_left -= 1;
                context.waker().wake_by_ref();
                Poll::Pending
            }
            grown => Poll::Ready(grown.is_ok()),
        })
        .await
    }

    fn try_grow(&self, by: usize) -> Result<(), NoRoom> {
        let mut evicted = Vec::new();
        let grown = self.shares.with(|state| state.ledger.grow(self.id, by, now(), &mut evicted));
        evicted.iter().for_each(|evicted| evicted.evict());
        grown
    }

    /// It has moved `bytes`.
    pub fn moved(&self, bytes: usize) {
        let mark = ledger::moved(self.held.mark(), bytes, now());
        self.held.mark.store(nanos(mark), Ordering::Relaxed);
    }

    /// It does nothing until it [resumes](Self::resume), and gives way first.
    pub fn rest(&self) {
        self.shares.with(|state| state.ledger.rest(self.id, now()));
    }

    /// It does something again.
    pub fn resume(&self) {
        let now = now();
        self.held.mark.store(nanos(now), Ordering::Relaxed);
        self.shares.with(|state| state.ledger.resume(self.id, now));
    }

    /// It does not give way from here on.
    pub fn keep(&self) {
        self.shares.with(|state| state.ledger.keep(self.id));
    }

    /// It counts by `keys` from here on.
    pub fn belong(&self, keys: Option<[K; D]>) {
        self.shares.with(|state| state.ledger.belong(self.id, keys));
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
        let waiting = self
            .shares
            .with(|state| if state.ledger.remove(self.id) { std::mem::take(&mut state.waiting) } else { Vec::new() });
        waiting.into_iter().for_each(Waker::wake);
    }
}

impl<K: Copy + Ord + Hash, const D: usize> fmt::Debug for Holding<K, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Holding").field("id", &self.id).finish_non_exhaustive()
    }
}

/// The state that a holder and the ledger share.
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
