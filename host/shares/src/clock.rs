//! The one place here that reads the clock: marks are compared with each other
//! only.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Time since some moment of this process.
#[expect(clippy::disallowed_methods, reason = "a monotonic clock, for comparisons within this crate")]
pub(crate) fn now() -> Duration {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}
