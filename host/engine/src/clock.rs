//! Time, by argument.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Where the gate reads the time. It is read once per request.
pub trait Clock: Send + Sync {
    /// Time since 1970-01-01T00:00:00Z.
    fn now(&self) -> Duration;
}

/// The clock of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
    fn now(&self) -> Duration {
        // Before 1970 every signature is from the future, and is refused.
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
    }
}

/// A clock that stands still until it is set: for tests, and for deciding a
/// recorded request again.
#[derive(Debug, Default)]
pub struct FixedClock(std::sync::atomic::AtomicU64);

impl FixedClock {
    /// A clock that shows `unix_ms` milliseconds since 1970.
    pub fn at_unix_ms(unix_ms: u64) -> Self {
        Self(unix_ms.into())
    }

    /// Sets it, forwards or backwards.
    pub fn set_unix_ms(&self, unix_ms: u64) {
        self.0.store(unix_ms, std::sync::atomic::Ordering::SeqCst);
    }
}

impl Clock for FixedClock {
    fn now(&self) -> Duration {
        Duration::from_millis(self.0.load(std::sync::atomic::Ordering::SeqCst))
    }
}

/// For measuring how long something took; no decision depends on it.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the monotonic clock")]
pub(crate) fn monotonic() -> Instant {
    Instant::now()
}
