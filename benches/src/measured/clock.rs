use std::time::Instant;

/// The wall clock.
#[expect(clippy::disallowed_methods, reason = "the one place that reads it")]
pub(super) fn now() -> Instant {
    Instant::now()
}
