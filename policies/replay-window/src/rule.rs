//! When a delivery is fresh, and what becomes of one that comes again.

use barmkin_guest::settings::Duration;
use barmkin_guest::types::{Decision, DuplicateTreatment};
use barmkin_guest::{Problems, abstain};

use crate::reason::{DUPLICATE_ACKNOWLEDGED, REPLAYED};

/// The header that marks a duplicate, where the operator wants it forwarded. Its
/// value is a structured field's true (RFC 9651, section 3.3.6).
pub(crate) const MARK: &str = "barmkin-duplicate";

/// Shorter than the clocks of two machines agree, a window refuses at random.
const SHORTEST: Duration = Duration::from_s(10);

/// A store keeps every claim for as long as the window.
const LONGEST: Duration = Duration::from_s(7 * 86_400);

/// By how much the clocks of two machines may differ.
const SKEW_MS: u64 = 60_000;

/// The time in which a delivery is taken, once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    length_ms: u64,
}

impl Window {
    pub(crate) fn of(length: Duration) -> Self {
        Self { length_ms: length.ms() }
    }

    pub(crate) fn default_length() -> Duration {
        Duration::from_s(600)
    }

    /// Whether a delivery is taken now. One without a verified signing time is
    /// not bound to any; the claim alone has to stop it from coming again.
    pub(crate) fn holds(self, signed_at_unix_ms: Option<u64>, now_unix_ms: u64) -> bool {
        signed_at_unix_ms.is_none_or(|signed_at| now_unix_ms.abs_diff(signed_at) <= self.length_ms)
    }

    /// Until when it must be remembered: as long as it would be taken again,
    /// on any machine of the fleet.
    pub(crate) fn valid_until_unix_ms(self, signed_at_unix_ms: Option<u64>, now_unix_ms: u64) -> u64 {
        let start = signed_at_unix_ms.unwrap_or(now_unix_ms);
        start.saturating_add(self.length_ms).saturating_add(SKEW_MS)
    }
}

pub(crate) fn judge(window: Duration) -> Result<(), Problems> {
    if (SHORTEST..=LONGEST).contains(&window) {
        return Ok(());
    }
    let help = if window < SHORTEST {
        "clocks drift: most providers sign with a tolerance of `5m`"
    } else {
        "claims are stored for as long: choose the time for which the sender repeats a delivery"
    };
    let problem = format!("the window is `{window}`, but a replay window must be from {SHORTEST} to {LONGEST}");
    Err(Problems::one("window", problem, help))
}

pub(crate) fn duplicate(treatment: DuplicateTreatment) -> Decision {
    match treatment {
        DuplicateTreatment::Deny => REPLAYED.deny(),
        DuplicateTreatment::Acknowledge => DUPLICATE_ACKNOWLEDGED.deny(),
        DuplicateTreatment::Mark => abstain().set(MARK, "?1"),
    }
}
