//! How long a policy may compute, and have the host compute for it.
//!
//! Two accounts, each of which ends at the deadline. The time that its thread
//! took is measured, at every tick of the [pulse](crate::pulse) that finds it
//! running and around the host's large pieces of work. What it has the host do
//! is charged by what that costs ([`limits`]), before it is done: that needs no
//! clock, bounds calls that no tick comes between, and is the same in every run.

use crate::clock::monotonic;
use crate::limits::{self, WALL_PER_DEADLINE};
use crate::pulse::SLOW_TICK;
use rustix::time::{ClockId, clock_gettime};
use std::thread::{ThreadId, current};
use std::time::{Duration, Instant};

/// The least wall time: a preempted thread must not cost a request.
const WALL_MIN: Duration = Duration::from_millis(500);

/// The most that a check is taken to have used before the first look, which is
/// a tick after its chain began, or sooner. Reading the clock of its thread when
/// it begins would cost every check what few of them need. A thread that had to
/// wait in that tick has as much less of its budget, but never less than half.
const UNSEEN_MAX: Duration = Duration::from_millis(2);
const _: () = assert!(UNSEEN_MAX.as_micros() * 2 == SLOW_TICK.as_micros());

/// The budget of one check. It costs nothing until the first tick.
pub(super) struct Deadline {
    budget: Duration,
    /// CPU time that was measured.
    used: Duration,
    /// What the host was asked to do, by what it costs.
    charged: Duration,
    seen: Option<Seen>,
    began: Instant,
}

/// When this budget was last looked at, on which thread.
struct Seen {
    thread: ThreadId,
    cpu: Duration,
}

impl Seen {
    fn now() -> Self {
        Self { thread: current().id(), cpu: thread_cpu_time() }
    }
}

/// Time that is not this budget's. See [`Deadline::pause`].
#[must_use]
pub(super) struct Pause(Instant);

impl Deadline {
    /// A budget for what began at `began`.
    pub(super) fn new(budget: Duration, began: Instant) -> Self {
        Self { budget, used: Duration::ZERO, charged: Duration::ZERO, seen: None, began }
    }

    /// The whole budget again.
    pub(super) fn restart(&mut self, began: Instant) {
        *self = Self::new(self.budget, began);
    }

    /// Looks at the time, and says whether there is any left.
    pub(super) fn has_time(&mut self) -> bool {
        self.look();
        self.used < self.budget && self.began.elapsed() < (self.budget * WALL_PER_DEADLINE).max(WALL_MIN)
    }

    /// Looks at the time, and says whether far more was used than there was:
    /// then the check is a miss, whatever it answered.
    pub(super) fn was_missed(&mut self) -> bool {
        self.look();
        self.used >= self.budget * limits::MISSED_AT_DEADLINES
    }

    /// Charges the host's work, and says whether it is within the budget.
    pub(super) fn charge(&mut self, cost: Duration) -> bool {
        self.charged = self.charged.saturating_add(cost);
        self.charged <= self.budget
    }

    /// Begins work that has a bound of its own and is not charged.
    pub(super) fn pause(&mut self) -> Pause {
        if self.seen.is_some() {
            self.look();
        }
        Pause(monotonic())
    }

    /// That work is done.
    pub(super) fn resume(&mut self, pause: Pause) {
        self.began += pause.0.elapsed();
        if self.seen.is_some() {
            self.seen = Some(Seen::now());
        }
    }

    fn look(&mut self) {
        let now = Seen::now();
        match &self.seen {
            None => self.used = self.began.elapsed().min(UNSEEN_MAX).min(self.budget / 2),
            Some(seen) if seen.thread == now.thread => self.used += now.cpu.saturating_sub(seen.cpu),
            Some(_) => {}
        }
        self.seen = Some(now);
    }
}

fn thread_cpu_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}
