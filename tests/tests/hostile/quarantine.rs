//! A policy that keeps missing its deadline.

use std::sync::atomic::Ordering;
use std::time::Duration;

use barmkin_host::limits::{QUARANTINE_AFTER, QUARANTINE_MIN};
use barmkin_host::*;
use barmkin_tests::hostile::program;

use crate::door::{Trial, after, reason};

fn quarantined(on_error: OnError) -> Trial {
    let mut policy = program("spins_in_check");
    policy.on_error = on_error;
    policy.deadline = Duration::from_millis(1);
    let trial = Trial::of(policy, 2).unwrap();
    for _ in 0..QUARANTINE_AFTER {
        assert!(!trial.counts.quarantined.load(Ordering::Relaxed));
        assert_ne!(reason(&trial.check("/hostile", true)), "quarantined");
    }
    assert!(trial.counts.quarantined.load(Ordering::Relaxed));
    trial
}

#[test]
fn it_is_not_asked_and_its_on_error_applies_at_once() {
    let trial = quarantined(OnError::Deny);
    // Whatever it would do.
    for misbehave in [true, false] {
        let verdict = trial.check("/hostile", misbehave);
        assert_eq!(reason(&verdict), "quarantined");
        let Verdict::Deny(denial) = verdict else { panic!("allowed") };
        let response = denial.response();
        assert_eq!(response.status(), http::StatusCode::SERVICE_UNAVAILABLE);
        assert!(response.headers().contains_key("retry-after"));
    }
    assert_eq!(reason(&trial.check("/good", false)), "allow");
}

#[test]
fn on_error_abstain_applies_too() {
    let trial = quarantined(OnError::Abstain);
    let verdict = trial.check("/hostile", true);
    assert_eq!(reason(&verdict), "allow");
    assert_eq!(verdict.steps().first().map(|step| &step.outcome), Some(&Outcome::Failed(HostReason::Quarantined)));
}

#[test]
fn it_comes_back_by_itself_when_it_behaves() {
    let trial = quarantined(OnError::Deny);
    trial.clock.set_unix_ms(after(QUARANTINE_MIN));
    // The probe fails: the pause is twice as long now.
    assert_eq!(reason(&trial.check("/hostile", true)), "deadline-exceeded");
    trial.clock.set_unix_ms(after(2 * QUARANTINE_MIN));
    assert_eq!(reason(&trial.check("/hostile", false)), "quarantined");
    trial.clock.set_unix_ms(after(3 * QUARANTINE_MIN));
    assert_eq!(reason(&trial.check("/hostile", false)), "allow");
    assert!(!trial.counts.quarantined.load(Ordering::Relaxed));
    // As before it: one miss is one miss.
    assert_eq!(reason(&trial.check("/hostile", true)), "deadline-exceeded");
    assert_eq!(reason(&trial.check("/hostile", false)), "allow");
}

#[test]
fn a_new_generation_asks_it_again() {
    let trial = quarantined(OnError::Deny);
    let next = Trial::of(program("behaves"), 2).unwrap();
    assert_eq!(reason(&next.check("/hostile", true)), "allow");
    assert_eq!(reason(&trial.check("/hostile", false)), "quarantined");
}
