//! Accepting that fails.

use rustix::io::Errno;
use std::io::{self, ErrorKind};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// While those that give way are closed.
const MAKING_ROOM: Duration = Duration::from_millis(5);

/// When nobody gives way: until something else is closed.
const NOBODY: Duration = Duration::from_millis(50);

/// The log hears of it this often.
const TOLD_EVERY: Duration = Duration::from_secs(1);

/// Connections that give way at a time: with [`MAKING_ROOM`] enough for some
/// thousands of arrivals a second.
pub const RELIEVED: usize = 16;

/// Descriptors, of the process and of the machine, and memory for sockets.
const RUN_OUT: [Errno; 4] = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM];

/// That one connection is gone, and others may be waiting.
const OF_ONE: [ErrorKind; 3] = [ErrorKind::ConnectionAborted, ErrorKind::ConnectionReset, ErrorKind::Interrupted];

/// The reaction of a listener when accepting fails.
#[derive(Debug, Default)]
pub struct Shortage {
    told: Option<Instant>,
}

impl Shortage {
    /// Accepting failed with `error`. Where descriptors or memory have run out,
    /// which no bound on connections can rule out, `relieve` has up to
    /// [`RELIEVED`] connections give way, and says whether any does; the next
    /// attempt waits a little.
    pub async fn met(&mut self, error: &io::Error, relieve: impl FnOnce(usize) -> bool) {
        if OF_ONE.contains(&error.kind()) {
            return tracing::debug!(%error, "a connection could not be accepted");
        }
        if self.told.is_none_or(|told| told.elapsed() >= TOLD_EVERY) {
            tracing::warn!(%error, "connections cannot be accepted");
            self.told = Some(Instant::now());
        }
        let has_run_out = Errno::from_io_error(error).is_some_and(|code| RUN_OUT.contains(&code));
        sleep(if has_run_out && relieve(RELIEVED) { MAKING_ROOM } else { NOBODY }).await;
    }
}

#[cfg(test)]
mod tests {
    use super::{MAKING_ROOM, NOBODY, RELIEVED, RUN_OUT, Shortage};
    use std::io::{Error, ErrorKind};
    use std::time::Duration;
    use tokio::time::Instant;

    #[tokio::test(start_paused = true)]
    async fn only_what_runs_out_is_waited_for() {
        let mut shortage = Shortage::default();
        for (gives_way, pause) in [(true, MAKING_ROOM), (false, NOBODY)] {
            for code in RUN_OUT {
                let began = Instant::now();
                let relieve = |count| {
                    assert_eq!(count, RELIEVED);
                    gives_way
                };
                shortage.met(&Error::from(code), relieve).await;
                assert_eq!(began.elapsed(), pause);
            }
        }
        for (kind, pause) in [(ErrorKind::ConnectionAborted, Duration::ZERO), (ErrorKind::InvalidInput, NOBODY)] {
            let began = Instant::now();
            shortage.met(&kind.into(), |_| unreachable!("nothing has run out")).await;
            assert_eq!(began.elapsed(), pause, "{kind}");
        }
    }
}
