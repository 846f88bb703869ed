//! The requests that the gate takes on at once: past that the answer is
//! `overloaded`, early and cheaply, so that what was taken on is decided in
//! bounded time and memory.

use crate::limits::UNDECIDED_MAX;
use barmkin_shares::Client;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

/// Requests that are decided, or wait for it.
#[derive(Debug)]
pub(crate) struct AdmissionQueue {
    max: usize,
    taken: AtomicUsize,
    by_client: ByClient,
    /// Requests that threads can decide without waiting for each other.
    at_once: usize,
    entered: AtomicUsize,
}

impl AdmissionQueue {
    pub(crate) fn new(max: usize) -> Self {
        Self {
            max,
            taken: AtomicUsize::new(0),
            by_client: ByClient::new(),
            at_once: std::thread::available_parallelism().map_or(1, usize::from),
            entered: AtomicUsize::new(0),
        }
    }

    /// A slot in the queue, if there is one for this client.
    pub(crate) fn enter(&self, client: Option<IpAddr>) -> Option<QueueSlot<'_>> {
        let more = |taken: usize| taken.checked_add(1).filter(|taken| *taken <= self.max);
        let ahead = self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        let client = client.and_then(|address| self.by_client.counter(address));
        let own = client.map_or(0, |client| client.fetch_add(1, Ordering::Relaxed));
        let looks = self.entered.fetch_add(1, Ordering::Relaxed) % LOOK_EVERY == LOOK_EVERY - 1;
        let slot = QueueSlot { queue: self, client, waits: looks || ahead >= self.at_once };
        (!self.is_too_much(own, ahead)).then_some(slot)
    }

    /// Whether a client with `own` requests in the queue must leave the free slots
    /// to others. It matters only in a queue that is half full. Since the share
    /// shrinks with the free slots, there is a slot for a client that has none while
    /// there are no more clients than an eighth of the slots.
    fn is_too_much(&self, own: usize, ahead: usize) -> bool {
        own > 0 && ahead >= self.max / 2 && own >= SHARE * (self.max - ahead)
    }
}

/// A client may have this many times the free slots: one alone gets seven eighths of
/// the queue, and 64 together leave one slot of 512.
const SHARE: usize = 7;

/// Counts requests by client. Two clients may share a counter, and so a share:
/// nobody can know which ones do.
#[derive(Debug)]
struct ByClient {
    counters: Box<[AtomicUsize]>,
    hasher: RandomState,
}

/// Few enough to cost nothing; of 64 clients one or two share.
const COUNTERS: usize = 1_024;

impl ByClient {
    fn new() -> Self {
        Self { counters: (0..COUNTERS).map(|_| AtomicUsize::new(0)).collect(), hasher: RandomState::new() }
    }

    fn counter(&self, address: IpAddr) -> Option<&AtomicUsize> {
        let hash = self.hasher.hash_one(Client::from(address));
        self.counters.get(usize::try_from(hash % COUNTERS as u64).ok()?)
    }
}

/// A check that need not wait keeps its thread, so that no request can join a
/// queue behind it, and a crowd waits unseen, in the sockets. So one request of
/// this many waits although it need not: those that are there can then join, and
/// while there is a queue, every request does. It is not more often, because a
/// request that waits is overtaken, which should not happen to one in a hundred.
const LOOK_EVERY: usize = 4 * UNDECIDED_MAX;

/// A slot in the queue: it is left when this is dropped.
#[derive(Debug)]
pub(crate) struct QueueSlot<'q> {
    queue: &'q AdmissionQueue,
    client: Option<&'q AtomicUsize>,
    waits: bool,
}

impl QueueSlot<'_> {
    /// Lets others come and take their slots, where there is a queue.
    pub(crate) async fn turn(&self) {
        if self.waits {
            Yield(false).await;
        }
    }
}

impl Drop for QueueSlot<'_> {
    fn drop(&mut self) {
        self.queue.taken.fetch_sub(1, Ordering::Relaxed);
        if let Some(client) = self.client {
            client.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Ready when it is asked again, whatever the executor is.
struct Yield(bool);

impl Future for Yield {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.0, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::now_or_never;

    fn queue() -> AdmissionQueue {
        AdmissionQueue::new(UNDECIDED_MAX)
    }

    fn client(number: u32) -> Option<IpAddr> {
        Some(std::net::Ipv4Addr::from_bits(number).into())
    }

    #[test]
    fn the_queue_has_an_end_and_slots_come_free() {
        let queue = queue();
        let mut slots: Vec<_> = (0..UNDECIDED_MAX).map(|_| queue.enter(None).unwrap()).collect();
        assert!(queue.enter(None).is_none());
        slots.pop();
        assert!(queue.enter(None).is_some());
        slots.clear();
        assert_eq!(queue.taken.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn there_is_a_slot_for_a_client_that_has_none() {
        let queue = queue();
        let mut slots = Vec::new();
        // Each takes all that it can get, again and again.
        for _ in 0..UNDECIDED_MAX {
            slots.extend((0..64).filter_map(|number| queue.enter(client(number))));
        }
        assert!(slots.len() >= UNDECIDED_MAX * 7 / 8, "{}", slots.len());
        // Not one whose counter one of them has, too.
        let fresh = (100..).find(|number| {
            let own = queue.by_client.counter(client(*number).unwrap()).unwrap();
            own.load(Ordering::Relaxed) == 0
        });
        assert!(queue.enter(client(fresh.unwrap())).is_some());
        slots.clear();
        assert!(queue.by_client.counters.iter().all(|counter| counter.load(Ordering::Relaxed) == 0));
        assert_eq!(queue.taken.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_client_alone_gets_most_of_the_queue() {
        let queue = queue();
        let slots: Vec<_> = (0..UNDECIDED_MAX).filter_map(|_| queue.enter(client(1))).collect();
        assert!(slots.len() >= UNDECIDED_MAX * 7 / 8, "{}", slots.len());
    }

    #[test]
    fn only_those_behind_others_wait() {
        let queue = queue();
        let ahead: Vec<_> = (0..queue.at_once).map(|_| queue.enter(None).unwrap()).collect();
        assert!(ahead.iter().all(|slot| now_or_never(slot.turn()).is_some()));
        assert!(now_or_never(queue.enter(None).unwrap().turn()).is_none());
    }

    #[test]
    fn now_and_then_one_looks_who_is_there() {
        let queue = queue();
        let waited = (0..3 * LOOK_EVERY).filter(|_| now_or_never(queue.enter(None).unwrap().turn()).is_none());
        assert_eq!(waited.count(), 3);
    }
}
