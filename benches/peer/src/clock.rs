use nix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// The CPU time that this thread has used: what others do on the machine, or
/// other threads of this process, is not in it.
///
/// # Panics
/// On a system without such a clock.
#[must_use]
#[expect(clippy::expect_used, reason = "without the clock there is nothing to measure")]
pub fn thread_cpu() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("Linux has this clock").into()
}
