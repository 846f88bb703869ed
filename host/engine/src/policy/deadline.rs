//! How long a policy may compute: CPU time of its thread, looked at once a
//! tick, with a cap in wall time.

use crate::engine::TICK;
use crate::limits::WALL_PER_DEADLINE;
use rustix::time::{ClockId, clock_gettime};
use std::thread::{ThreadId, current};
use std::time::{Duration, Instant};

/// The least wall time: a preempted thread must not cost a request.
const WALL_MIN: Duration = Duration::from_millis(500);

/// What a check uses before the first look: from nothing to a tick. Reading
/// the clock at its start would cost every check what few of them need.
const UNSEEN: Duration = Duration::from_micros(500);
const _: () = assert!(UNSEEN.as_micros() * 2 == TICK.as_micros());

/// The budget of one check. It costs nothing until the first tick.
pub(super) struct Deadline {
    budget: Duration,
    used: Duration,
    seen: Option<Seen>,
    began: Option<Instant>,
}

/// When this budget was last looked at, on which thread.
struct Seen {
    thread: ThreadId,
    cpu: Duration,
}

impl Deadline {
    pub(super) fn new(budget: Duration) -> Self {
        Self { budget, used: UNSEEN, seen: None, began: None }
    }

    /// The whole budget again.
    pub(super) fn restart(&mut self) {
        *self = Self::new(self.budget);
    }

    /// Looks at the time, and says whether there is any left. Called once a
    /// tick while the guest runs.
    #[expect(clippy::disallowed_methods, reason = "a budget of real time")]
    pub(super) fn has_time(&mut self) -> bool {
        let thread = current().id();
        let cpu = thread_cpu_time();
        if let Some(seen) = self.seen.as_ref().filter(|seen| seen.thread == thread) {
            self.used += cpu.saturating_sub(seen.cpu);
        }
        self.seen = Some(Seen { thread, cpu });
        let wall = self.began.get_or_insert_with(Instant::now).elapsed();
        self.used < self.budget && wall < (self.budget * WALL_PER_DEADLINE).max(WALL_MIN)
    }
}

fn thread_cpu_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}
