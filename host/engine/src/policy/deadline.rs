//! How long a policy may compute, and have the host compute for it.
//!
//! Two accounts, each of which ends at the deadline. The time that its thread
//! took is measured, at every tick of the [pulse](crate::pulse) that finds it
//! running and around the host's large pieces of work. The host's work for it is
//! charged by its cost ([`limits`]), before it is done: that needs no
//! clock, bounds calls that no tick comes between, and is the same in every run.

use crate::clock::monotonic;
use crate::limits::{self, WALL_PER_DEADLINE};
use crate::pulse::SLOW_TICK;
use rustix::time::{ClockId, clock_gettime};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

/// The least wall time: a preempted thread must not cost a request.
const WALL_MIN: Duration = Duration::from_millis(500);

/// The most that a check is taken to have used before the first look, which is
/// a tick after its chain began, or sooner. Reading the clock of its thread when
/// it begins would cost every check what few of them need. A thread that had to
/// wait in that tick has as much less of its budget, but never less than half.
const UNSEEN_MAX: Duration = Duration::from_millis(2);
const _: () = assert!(UNSEEN_MAX.as_micros() * 2 == SLOW_TICK.as_micros());

/// Work of the host that is measured and not only charged.
const MEASURED_FROM: Duration = Duration::from_micros(100);

/// The budget of one check. It costs nothing until the first look.
pub(super) struct Deadline {
    budget: Duration,
    meter: Arc<Meter>,
    /// The meter's reading when none of the budget was used: not known before
    /// the first look.
    zero: Option<i64>,
    /// The cost of the work that the host was asked for.
    charged: Duration,
    began: Instant,
}

/// The used and the remaining part of a budget.
pub(super) struct Look {
    pub(super) used: Duration,
    pub(super) left: Duration,
}

/// Time that is not this budget's. See [`Deadline::pause`].
#[must_use]
pub(super) struct Pause {
    began: Instant,
    read: Option<i64>,
}

impl Deadline {
    /// A budget for what began at `began`.
    pub(super) fn new(budget: Duration, began: Instant) -> Self {
        Self { budget, meter: Arc::default(), zero: None, charged: Duration::ZERO, began }
    }

    /// The whole budget again, for what runs without a break.
    pub(super) fn restart(&mut self, began: Instant) {
        self.meter.0.store(0, Ordering::Relaxed);
        self.zero = None;
        self.charged = Duration::ZERO;
        self.began = began;
    }

    /// The whole budget again, for what this meter [measures](Meter::measure).
    pub(super) fn restart_measured(&mut self, began: Instant) -> Arc<Meter> {
        self.restart(began);
        self.zero = Some(0);
        self.meter.clone()
    }

    /// Looks at the time, and says whether there is any left.
    pub(super) fn has_time(&mut self) -> bool {
        !self.look().left.is_zero()
    }

    /// Looks at the time.
    pub(super) fn look(&mut self) -> Look {
        let used = self.used();
        let waited_too_long = self.began.elapsed() >= (self.budget * WALL_PER_DEADLINE).max(WALL_MIN);
        let left = if waited_too_long { Duration::ZERO } else { self.budget.saturating_sub(used) };
        Look { used, left }
    }

    /// Looks at the time, and says whether far more was used than there was:
    /// then the check is a miss, whatever it answered.
    pub(super) fn was_missed(&mut self) -> bool {
        self.used() >= self.budget * limits::MISSED_AT_DEADLINES
    }

    /// Charges the host's work, and says whether it is within the budget.
    pub(super) fn charge(&mut self, cost: Duration) -> bool {
        if cost >= MEASURED_FROM {
            self.used();
        }
        self.charged = self.charged.saturating_add(cost);
        self.charged <= self.budget
    }

    /// Begins work that has a bound of its own and is not charged.
    pub(super) fn pause(&mut self) -> Pause {
        Pause { began: monotonic(), read: self.zero.map(|_| self.meter.read()) }
    }

    /// That work is done.
    pub(super) fn resume(&mut self, pause: Pause) {
        self.began += pause.began.elapsed();
        if let (Some(zero), Some(read)) = (&mut self.zero, pause.read) {
            *zero += self.meter.read() - read;
        }
    }

    fn used(&mut self) -> Duration {
        let read = self.meter.read();
        let zero = *self.zero.get_or_insert_with(|| {
            let unseen = self.began.elapsed().min(UNSEEN_MAX).min(self.budget / 2);
            read - nanoseconds(unseen)
        });
        Duration::from_nanos(u64::try_from(read - zero).unwrap_or_default())
    }
}

/// Reads the CPU time of the thread that asks: what is added to it, so that time
/// counts that passed on other threads, and what others did on this one does not.
#[derive(Default)]
pub(super) struct Meter(AtomicI64);

impl Meter {
    /// Nanoseconds. Relaxed, as all of it: the thread that resumes a task sees what it did.
    fn read(&self) -> i64 {
        thread_cpu_time() + self.0.load(Ordering::Relaxed)
    }

    /// Does `work`, whose use of threads it then reads, beginning with none: its
    /// executor may resume it on any, and run other tasks in between.
    pub(super) async fn measure<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        let mut used = 0;
        std::future::poll_fn(|context| {
            self.0.store(used - thread_cpu_time(), Ordering::Relaxed);
            let polled = work.as_mut().poll(context);
            used = self.read();
            polled
        })
        .await
    }
}

fn thread_cpu_time() -> i64 {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).map_or(0, nanoseconds)
}

fn nanoseconds(span: Duration) -> i64 {
    i64::try_from(span.as_nanos()).unwrap_or(i64::MAX)
}
