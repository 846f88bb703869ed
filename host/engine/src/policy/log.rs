//! Log lines of guests for the operator: bounded, cleaned, rate-limited.

use crate::limits;
use crate::metrics::Metrics;
use crate::text::misleads;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How urgent a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    Debug,
    Info,
    Warn,
    Error,
}

/// Lines that may still be logged in this second: the second is in the upper
/// half, the lines logged in it in the lower.
#[derive(Debug, Default)]
pub(crate) struct LogRate(AtomicU64);

impl LogRate {
    pub(crate) fn admit(&self, now: Duration) -> bool {
        let second = now.as_secs() & u64::from(u32::MAX);
        let admit = |seen: u64| {
            let lines = if seen >> 32 == second { seen & u64::from(u32::MAX) } else { 0 };
            (lines < u64::from(limits::LOG_LINES_PER_SECOND)).then_some((second << 32) | (lines + 1))
        };
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, admit).is_ok()
    }
}

/// The log lines that one check may still write.
pub(super) struct LogBudget {
    rate: Arc<LogRate>,
    metrics: Arc<dyn Metrics>,
    lines_left: u32,
}

impl LogBudget {
    pub(super) fn new(rate: Arc<LogRate>, metrics: Arc<dyn Metrics>) -> Self {
        Self { rate, metrics, lines_left: limits::LOG_LINES_MAX }
    }

    /// As many lines again.
    pub(super) fn restart(&mut self) {
        self.lines_left = limits::LOG_LINES_MAX;
    }

    /// Writes a line, or drops and counts it.
    pub(super) fn write(
        &mut self,
        policy: &str,
        request: &dyn std::fmt::Display,
        now: Duration,
        level: Level,
        message: &str,
        pairs: &[(String, String)],
    ) {
        if self.lines_left == 0 || !self.rate.admit(now) {
            self.metrics.log_dropped(policy);
            return;
        }
        self.lines_left -= 1;
        let message = clean(message, limits::LOG_MESSAGE_BYTES_MAX);
        let pairs: Vec<_> = pairs
            .iter()
            .take(limits::LOG_PAIRS_MAX)
            .map(|(name, value)| (clean(name, limits::LOG_NAME_BYTES_MAX), clean(value, limits::LOG_VALUE_BYTES_MAX)))
            .collect();
        macro_rules! event {
            ($level:ident) => {
                tracing::$level!(target: "barmkin::policy", policy, request = %request, ?pairs, "{message}")
            };
        }
        match level {
            Level::Debug => event!(debug),
            Level::Info => event!(info),
            Level::Warn => event!(warn),
            Level::Error => event!(error),
        }
    }
}

/// `text` cut to `bytes_max`, with characters replaced that [mislead](misleads):
/// a guest must not forge log lines.
pub(super) fn clean(text: &str, bytes_max: usize) -> String {
    let mut clean = String::with_capacity(text.len().min(bytes_max));
    for char in text.chars().map(|char| if misleads(char) { '\u{fffd}' } else { char }) {
        if clean.len() + char.len_utf8() > bytes_max {
            break;
        }
        clean.push(char);
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_cannot_be_forged_and_end_at_their_bound() {
        assert_eq!(clean("a\r\nb\u{1b}", 64), "a\u{fffd}\u{fffd}b\u{fffd}");
        assert_eq!(clean("a\u{202e}b\u{200b}", 64), "a\u{fffd}b\u{fffd}");
        assert_eq!(clean("aé", 2), "a");
        assert_eq!(clean("aé", 3), "aé");
    }

    #[test]
    fn a_policy_logs_so_many_lines_a_second() {
        let rate = LogRate::default();
        let admitted =
            |second| (0..2 * limits::LOG_LINES_PER_SECOND).filter(|_| rate.admit(Duration::from_secs(second))).count();
        assert_eq!(admitted(7), 100);
        assert_eq!(admitted(8), 100);
    }
}
