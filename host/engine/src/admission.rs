//! What the gate takes on at once: past it the answer is `overloaded`, early
//! and cheaply, so that what was taken on is decided in bounded time and
//! memory.

use crate::limits::{BODIES_BYTES_MAX, UNDECIDED_MAX};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

/// A number of things, of which there may be so many at once.
#[derive(Debug)]
struct Bound {
    max: usize,
    taken: AtomicUsize,
}

impl Bound {
    /// Takes `count` more, and says how many were taken before.
    fn take(&self, count: usize) -> Option<usize> {
        let more = |taken: usize| taken.checked_add(count).filter(|taken| *taken <= self.max);
        self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()
    }

    fn give_back(&self, count: usize) {
        self.taken.fetch_sub(count, Ordering::Relaxed);
    }
}

/// Requests that are decided, or wait for it.
#[derive(Debug)]
pub(crate) struct Line {
    undecided: Bound,
    /// Requests that threads can decide without waiting for each other.
    at_once: usize,
    entered: AtomicUsize,
}

impl Line {
    pub(crate) fn new() -> Self {
        let undecided = Bound { max: UNDECIDED_MAX, taken: AtomicUsize::new(0) };
        let at_once = std::thread::available_parallelism().map_or(1, usize::from);
        Self { undecided, at_once, entered: AtomicUsize::new(0) }
    }

    /// A place in the line, if there is one.
    pub(crate) fn enter(&self) -> Option<Place<'_>> {
        let ahead = self.undecided.take(1)?;
        let looks = self.entered.fetch_add(1, Ordering::Relaxed) % LOOK_EVERY == LOOK_EVERY - 1;
        Some(Place { line: self, waits: looks || ahead >= self.at_once })
    }
}

/// A check that needs no waiting keeps its thread, so that nobody can join a
/// line behind it, and a crowd waits unseen, in the sockets. So one request of
/// so many waits although it need not: whoever is there can then join, and
/// while there is a line, everybody does. It is no more often, since to wait
/// is to be overtaken: of a hundred requests not one should be.
const LOOK_EVERY: usize = 4 * UNDECIDED_MAX;

/// A place in the line: it is left when this is dropped.
#[derive(Debug)]
pub(crate) struct Place<'l> {
    line: &'l Line,
    waits: bool,
}

impl Place<'_> {
    /// Lets others come and take their places, where there is a line.
    pub(crate) async fn turn(&self) {
        if self.waits {
            Yield(false).await;
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.line.undecided.give_back(1);
    }
}

/// Ready when it is asked again, whoever the executor is.
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

/// Memory for bodies that are read before the verdict.
#[derive(Clone, Debug)]
pub(crate) struct Bodies(Arc<Bound>);

impl Bodies {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Bound { max: BODIES_BYTES_MAX, taken: AtomicUsize::new(0) }))
    }

    pub(crate) fn room(&self) -> BodyRoom {
        BodyRoom { bodies: self.clone(), bytes: 0 }
    }
}

/// Room for one body, among those of all requests that this gate decides. It
/// is given back when this is dropped: keep it with the body.
#[derive(Debug)]
pub struct BodyRoom {
    bodies: Bodies,
    bytes: usize,
}

/// As for the first body of a gate that nobody else asks.
impl Default for BodyRoom {
    fn default() -> Self {
        Bodies::new().room()
    }
}

impl BodyRoom {
    /// Takes room for `bytes` more, and says whether there is any. Without,
    /// hand over [`Body::NoRoom`](crate::Body::NoRoom).
    #[must_use = "what has no room must not be held"]
    pub fn grow(&mut self, bytes: usize) -> bool {
        let has_room = self.bodies.0.take(bytes).is_some();
        if has_room {
            self.bytes += bytes;
        }
        has_room
    }
}

impl Drop for BodyRoom {
    fn drop(&mut self) {
        self.bodies.0.give_back(self.bytes);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::now_or_never;

    #[test]
    fn the_line_has_an_end_and_places_come_free() {
        let line = Line::new();
        let mut places: Vec<_> = (0..UNDECIDED_MAX).map(|_| line.enter().unwrap()).collect();
        assert!(line.enter().is_none());
        places.pop();
        assert!(line.enter().is_some());
        places.clear();
        assert_eq!(line.undecided.taken.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn only_those_behind_others_wait() {
        let line = Line::new();
        let ahead: Vec<_> = (0..line.at_once).map(|_| line.enter().unwrap()).collect();
        assert!(ahead.iter().all(|place| now_or_never(place.turn()).is_some()));
        assert!(now_or_never(line.enter().unwrap().turn()).is_none());
    }

    #[test]
    fn now_and_then_one_looks_who_is_there() {
        let line = Line::new();
        let waited = (0..3 * LOOK_EVERY).filter(|_| now_or_never(line.enter().unwrap().turn()).is_none());
        assert_eq!(waited.count(), 3);
    }

    #[test]
    fn bodies_give_their_room_back() {
        let bodies = Bodies::new();
        let (mut one, mut other) = (bodies.room(), bodies.room());
        assert!(one.grow(BODIES_BYTES_MAX - 1) && other.grow(1));
        assert!(!other.grow(1) && !one.grow(usize::MAX));
        drop(one);
        assert!(other.grow(BODIES_BYTES_MAX - 1));
    }
}
