//! Signing times, and how far they may be from now.

use barmkin_guest::settings::Duration;

use crate::reason::{MALFORMED_TIMESTAMP, Reason, Refusal, TIMESTAMP_TOO_NEW, TIMESTAMP_TOO_OLD};
use crate::rfc3339;
use crate::scheme::{Timestamp, Unit};

/// Reads a time and holds it against now, in the scheme's own unit: an age that
/// equals the tolerance is accepted. Milliseconds since 1970-01-01 00:00 UTC.
pub(crate) fn fresh_unix_ms(timestamp: &Timestamp, text: &str, now_unix_ms: u64) -> Result<u64, Refusal> {
    let (signed_at, unit_ms) = match timestamp.unit {
        Unit::Seconds => (decimal(text).and_then(|seconds| seconds.checked_mul(1_000)), 1_000),
        Unit::Milliseconds => (decimal(text), 1),
        Unit::Rfc3339 => (rfc3339::unix_ms(text), 1),
    };
    let signed_at = signed_at.ok_or(Reason::Wrong(MALFORMED_TIMESTAMP))?;
    let now = now_unix_ms - now_unix_ms % unit_ms;
    let off = |how: &str| {
        let off = Duration::from_ms(signed_at.abs_diff(now));
        format!("signed {off} {how}, and up to {} are allowed", timestamp.tolerance)
    };
    if signed_at < now.saturating_sub(timestamp.tolerance.ms()) {
        return Err(Reason::Stale(TIMESTAMP_TOO_OLD).because(off("ago")));
    }
    if signed_at > now.saturating_add(timestamp.tolerance.ms()) {
        return Err(Reason::Stale(TIMESTAMP_TOO_NEW).because(off("ahead of the gate's clock")));
    }
    Ok(signed_at)
}

/// The one way of writing a number: a time that can be written in two ways can
/// be read in two ways.
fn decimal(text: &str) -> Option<u64> {
    let canonical = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if canonical { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use barmkin_guest::settings::Duration;
    use proptest::prelude::*;

    use super::*;

    const NOW_UNIX_MS: u64 = 1_700_000_000_999;

    fn seconds(tolerance_s: u32) -> Timestamp {
        let tolerance = Duration::from_s(tolerance_s);
        Timestamp { header: None, item: Some("t=".to_owned()), unit: Unit::Seconds, tolerance }
    }

    #[test]
    fn the_tolerance_itself_is_accepted_on_both_sides() {
        let read = |text| fresh_unix_ms(&seconds(300), text, NOW_UNIX_MS).map_err(|refusal| refusal.reason);
        assert_eq!(read("1699999700"), Ok(1_699_999_700_000));
        assert_eq!(read("1699999699"), Err(Reason::Stale(TIMESTAMP_TOO_OLD)));
        assert_eq!(read("1700000300"), Ok(1_700_000_300_000));
        assert_eq!(read("1700000301"), Err(Reason::Stale(TIMESTAMP_TOO_NEW)));
    }

    #[test]
    fn the_operator_learns_how_far_off_a_time_is() {
        let detail = |text| fresh_unix_ms(&seconds(300), text, NOW_UNIX_MS).unwrap_err().detail;
        assert_eq!(detail("1699999580"), "signed 7m ago, and up to 5m are allowed");
        assert_eq!(detail("1700000301"), "signed 301s ahead of the gate's clock, and up to 5m are allowed");
    }

    proptest! {
        #[test]
        fn only_one_text_is_read_as_a_time(text in "[0-9+. -]{0,22}") {
            if let Ok(unix_ms) = fresh_unix_ms(&seconds(u32::MAX), &text, NOW_UNIX_MS) {
                prop_assert_eq!((unix_ms / 1_000).to_string(), text);
            }
        }

        #[test]
        fn no_text_panics(text in any::<String>(), now in any::<u64>()) {
            let _ = fresh_unix_ms(&seconds(300), &text, now);
        }
    }
}
