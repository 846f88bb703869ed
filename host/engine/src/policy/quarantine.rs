//! Stops a policy that keeps missing its deadline from holding threads: its
//! `on-error` applies at once, until it behaves again.
//!
//! Only misses in a row count, so that a client with a slow request cannot shut
//! others out while they are served in between. While a policy is quarantined, one
//! request at a time is its probe, each after a longer pause; the first probe that
//! answers in time ends the quarantine.

use crate::limits::{QUARANTINE_AFTER, QUARANTINE_MAX, QUARANTINE_MIN};
use crate::metrics::Metrics;
use crate::policy::failure::Failure;
use crate::reason::HostReason;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Misses in a row in the upper 16 bits, in the lower 48 the time (ms since
/// 1970) until which a quarantined policy is not asked. 0 is a healthy policy,
/// and all that a check of one reads.
#[derive(Debug, Default)]
pub(super) struct Quarantine(AtomicU64);

/// The standing of a check that was let through: of a policy that is not
/// quarantined, or a probe of one that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    Healthy,
    Probe,
}

impl Quarantine {
    /// Whether the policy is quarantined.
    pub(super) fn is_on(&self) -> bool {
        State::of(self.0.load(Ordering::Relaxed)).is_quarantined()
    }

    /// Whether a check may run. The time is the request's, so that tests and
    /// replays decide alike.
    pub(super) fn admit(&self, now: Duration) -> Result<Admission, Failure> {
        let word = self.0.load(Ordering::Relaxed);
        let state = State::of(word);
        if !state.is_quarantined() {
            return Ok(Admission::Healthy);
        }
        let now_ms = millis(now);
        let left = state.until_ms.saturating_sub(now_ms);
        // A clock that was set back must not make it longer.
        let is_due = left == 0 || left > millis(QUARANTINE_MAX);
        let probed = State { until_ms: now_ms + state.pause_ms(), ..state }.word();
        if is_due && self.0.compare_exchange(word, probed, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            return Ok(Admission::Probe);
        }
        Err(Failure::new(HostReason::Quarantined, "it kept missing its deadline, and was not asked"))
    }

    /// Learns how a check ended.
    pub(super) fn note<T>(
        &self,
        admission: Admission,
        now: Duration,
        result: &Result<T, Failure>,
        policy: &str,
        metrics: &dyn Metrics,
    ) {
        let missed = matches!(result, Err(failure) if failure.reason == HostReason::DeadlineExceeded);
        if !missed && admission == Admission::Healthy && self.0.load(Ordering::Relaxed) == 0 {
            return;
        }
        let update = |word| State::of(word).after(admission, now, missed).map(State::word);
        let Ok(before) = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, update) else { return };
        let is_quarantined = update(before).is_some_and(|word| State::of(word).is_quarantined());
        if is_quarantined != State::of(before).is_quarantined() {
            metrics.quarantine(policy, is_quarantined);
            if is_quarantined {
                tracing::warn!(policy, "the policy keeps missing its deadline and is quarantined");
            } else {
                tracing::info!(policy, "the policy answers in time again and is no longer quarantined");
            }
        }
    }
}

#[derive(Clone, Copy)]
struct State {
    misses: u16,
    until_ms: u64,
}

impl State {
    const UNTIL_BITS: u32 = 48;
    const HEALTHY: Self = Self { misses: 0, until_ms: 0 };

    fn of(word: u64) -> Self {
        let misses = u16::try_from(word >> Self::UNTIL_BITS).unwrap_or(u16::MAX);
        Self { misses, until_ms: word & ((1 << Self::UNTIL_BITS) - 1) }
    }

    fn word(self) -> u64 {
        u64::from(self.misses) << Self::UNTIL_BITS | self.until_ms.min((1 << Self::UNTIL_BITS) - 1)
    }

    fn is_quarantined(self) -> bool {
        self.misses >= QUARANTINE_AFTER
    }

    /// The state that follows, if it changes.
    fn after(self, admission: Admission, now: Duration, missed: bool) -> Option<Self> {
        match (admission, self.is_quarantined()) {
            // It began before the quarantine did, or before another probe
            // ended it: that is known better now.
            (Admission::Healthy, true) | (Admission::Probe, false) => None,
            _ if !missed => Some(Self::HEALTHY),
            _ => {
                let next = Self { misses: self.misses.saturating_add(1), ..self };
                let until_ms = if next.is_quarantined() { millis(now) + next.pause_ms() } else { 0 };
                Some(Self { until_ms, ..next })
            }
        }
    }

    /// Doubles with each probe that failed.
    fn pause_ms(self) -> u64 {
        let probes_failed = u32::from(self.misses.saturating_sub(QUARANTINE_AFTER)).min(32);
        (millis(QUARANTINE_MIN) << probes_failed).min(millis(QUARANTINE_MAX))
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::metrics::NoMetrics;

    const START: Duration = Duration::from_secs(1_700_000_000);

    /// One check at `now` that ends so, and as what it was let through.
    fn check(quarantine: &Quarantine, now: Duration, missed: bool) -> Option<Admission> {
        let admission = quarantine.admit(now).ok()?;
        quarantine.note(admission, now, &ended(missed), "p", &NoMetrics);
        Some(admission)
    }

    fn ended(missed: bool) -> Result<(), Failure> {
        if missed { Err(Failure::new(HostReason::DeadlineExceeded, "")) } else { Ok(()) }
    }

    /// Quarantined at [`START`].
    fn quarantined() -> Quarantine {
        let quarantine = Quarantine::default();
        for _ in 0..QUARANTINE_AFTER {
            assert_eq!(check(&quarantine, START, true), Some(Admission::Healthy));
        }
        assert_eq!(check(&quarantine, START, false), None);
        quarantine
    }

    #[test]
    fn misses_must_be_in_a_row() {
        let quarantine = Quarantine::default();
        for round in 0..10 * QUARANTINE_AFTER {
            let missed = round % QUARANTINE_AFTER != 0;
            assert_eq!(check(&quarantine, START, missed), Some(Admission::Healthy), "round {round}");
        }
    }

    #[test]
    fn other_failures_do_not_count() {
        let quarantine = Quarantine::default();
        for _ in 0..2 * QUARANTINE_AFTER {
            let admission = quarantine.admit(START).unwrap();
            let trapped = Err::<(), _>(Failure::new(HostReason::PolicyTrapped, ""));
            quarantine.note(admission, START, &trapped, "p", &NoMetrics);
        }
        assert_eq!(check(&quarantine, START, false), Some(Admission::Healthy));
    }

    #[test]
    fn one_probe_at_a_time_and_the_first_that_behaves_ends_it() {
        let quarantine = quarantined();
        let due = START + QUARANTINE_MIN;
        assert_eq!(quarantine.admit(due - Duration::from_millis(1)).ok(), None);
        assert_eq!(quarantine.admit(due).ok(), Some(Admission::Probe));
        assert_eq!(quarantine.admit(due).ok(), None);
        quarantine.note(Admission::Probe, due, &ended(false), "p", &NoMetrics);
        assert_eq!(check(&quarantine, due, false), Some(Admission::Healthy));
    }

    #[test]
    fn each_probe_that_fails_doubles_the_pause_up_to_its_bound() {
        let quarantine = quarantined();
        let (mut now, mut pause) = (START, QUARANTINE_MIN);
        for _ in 0..20 {
            assert_eq!(check(&quarantine, now + pause - Duration::from_millis(1), true), None);
            now += pause;
            assert_eq!(check(&quarantine, now, true), Some(Admission::Probe));
            pause = (2 * pause).min(QUARANTINE_MAX);
        }
        assert_eq!(check(&quarantine, now + pause, false), Some(Admission::Probe));
        assert_eq!(check(&quarantine, now + pause, false), Some(Admission::Healthy));
    }

    #[test]
    fn a_lost_probe_is_followed_by_another() {
        let quarantine = quarantined();
        let due = START + QUARANTINE_MIN;
        // Its caller went away: nobody says how it ended.
        assert_eq!(quarantine.admit(due).ok(), Some(Admission::Probe));
        assert_eq!(check(&quarantine, due + QUARANTINE_MIN, false), Some(Admission::Probe));
    }

    #[test]
    fn checks_that_began_before_neither_end_nor_prolong_it() {
        let quarantine = quarantined();
        for missed in [true, false, true, true] {
            quarantine.note(Admission::Healthy, START, &ended(missed), "p", &NoMetrics);
        }
        assert_eq!(check(&quarantine, START, false), None);
        assert_eq!(check(&quarantine, START + QUARANTINE_MIN, false), Some(Admission::Probe));
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_prolong_it() {
        let quarantine = quarantined();
        let hour = Duration::from_secs(3_600);
        assert_eq!(check(&quarantine, START - hour, false), Some(Admission::Probe));
    }
}
