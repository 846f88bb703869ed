//! How many instances there may be: those that check, and those that wait for
//! their next check.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Parts at most: more threads share them.
const PARTS_MAX: usize = 16;

/// The instances of an engine, counted. Idle ones are counted in parts, so
/// that threads which check at the same time do not write to the same place.
#[derive(Debug)]
pub(crate) struct Capacity {
    pub(crate) checks_max: usize,
    idle_max_per_part: usize,
    all: AtomicUsize,
    idle: Box<[Part<Idle>]>,
}

/// The idle instances of one part.
#[derive(Debug, Default)]
struct Idle {
    instances: AtomicUsize,
    bytes: AtomicUsize,
}

/// An instance that is counted, from before it is made until it is gone.
#[must_use]
pub(crate) struct Counted(Arc<Capacity>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.all.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Something that is on cache lines of its own: processors fetch two.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Part<T>(pub(crate) T);

impl Capacity {
    pub(crate) fn new(checks_max: usize, idle_max: usize) -> Self {
        let parts = std::thread::available_parallelism().map_or(1, usize::from).min(PARTS_MAX);
        Self {
            checks_max,
            idle_max_per_part: idle_max.div_ceil(parts),
            all: AtomicUsize::new(0),
            idle: (0..parts).map(|_| Part::default()).collect(),
        }
    }

    /// Instances at once: those that check, and those that wait.
    pub(crate) fn instances_max(&self) -> usize {
        self.checks_max.saturating_add(self.idle_max_per_part * self.parts())
    }

    pub(crate) fn parts(&self) -> usize {
        self.idle.len()
    }

    /// The part of this thread.
    pub(crate) fn part(&self) -> usize {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        thread_local! {
            static THREAD: Cell<Option<usize>> = const { Cell::new(None) };
        }
        let number = THREAD.get().unwrap_or_else(|| {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            THREAD.set(Some(number));
            number
        });
        number % self.idle.len()
    }

    /// Whether one more may check. Where there are fewer instances than may
    /// check, nothing else is looked at.
    pub(crate) fn has_room(&self) -> bool {
        let all = self.all.load(Ordering::Relaxed);
        all < self.checks_max || all.saturating_sub(self.idle().0) < self.checks_max
    }

    /// Counts one more.
    pub(crate) fn count(self: &Arc<Self>) -> Counted {
        self.all.fetch_add(1, Ordering::Relaxed);
        Counted(self.clone())
    }

    /// Whether an instance of `bytes` bytes may wait in `part`.
    pub(crate) fn begin_idle(&self, part: usize, bytes: usize) -> bool {
        let Some(Part(idle)) = self.idle.get(part) else { return false };
        let may = idle.instances.load(Ordering::Relaxed) < self.idle_max_per_part;
        if may {
            idle.instances.fetch_add(1, Ordering::Relaxed);
            idle.bytes.fetch_add(bytes, Ordering::Relaxed);
        }
        may
    }

    /// An instance of `bytes` bytes no longer waits in `part`.
    pub(crate) fn end_idle(&self, part: usize, bytes: usize) {
        let Some(Part(idle)) = self.idle.get(part) else { return };
        idle.instances.fetch_sub(1, Ordering::Relaxed);
        idle.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Instances that check.
    pub(crate) fn checks(&self) -> usize {
        self.all.load(Ordering::Relaxed).saturating_sub(self.idle().0)
    }

    /// Instances that wait, and the bytes of their memories.
    pub(crate) fn idle(&self) -> (usize, usize) {
        self.idle.iter().fold((0, 0), |(instances, bytes), Part(idle)| {
            (instances + idle.instances.load(Ordering::Relaxed), bytes + idle.bytes.load(Ordering::Relaxed))
        })
    }
}
