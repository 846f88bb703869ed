//! A policy that keeps missing its deadline.

use std::sync::atomic::Ordering;
use std::time::Duration;

use barmkin_host::limits::{QUARANTINE_AFTER, QUARANTINE_MIN};
use barmkin_host::*;
use barmkin_tests::hostile::{program, spec};

use crate::door::{ENGINE, Trial, after, reason};

fn spinning(on_error: OnError) -> PolicySpec {
    PolicySpec { on_error, deadline: Duration::from_millis(1), ..program("spins_in_check") }
}

fn quarantined(on_error: OnError) -> Trial {
    let trial = Trial::of(spinning(on_error), 2).unwrap();
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
fn a_gate_that_begins_asks_it() {
    let trial = quarantined(OnError::Deny);
    let next = Trial::of(program("behaves"), 2).unwrap();
    assert_eq!(reason(&next.check("/hostile", true)), "allow");
    assert_eq!(reason(&trial.check("/hostile", false)), "quarantined");
}

/// Has a gate take `spec`, as a reload does.
fn reload(trial: &Trial, spec: &Spec) {
    let next = trial.gate.generation().next(&ENGINE, spec, &KeyRing::default()).unwrap();
    trial.gate.swap(next);
}

#[test]
fn a_reload_of_something_else_leaves_it_there() {
    let trial = quarantined(OnError::Deny);
    let mut other = spec(spinning(OnError::Deny), 2);
    other.routes[1].name = "renamed".to_owned();
    other.policies.insert("good".to_owned(), program("keeps_state"));
    reload(&trial, &other);
    assert_eq!(reason(&trial.check("/hostile", false)), "quarantined");
    assert!(trial.counts.quarantined.load(Ordering::Relaxed));
    // Its `on-error` does not change how it behaves.
    reload(&trial, &spec(spinning(OnError::Abstain), 2));
    let verdict = trial.check("/hostile", false);
    assert_eq!(verdict.steps().first().map(|step| &step.outcome), Some(&Outcome::Failed(HostReason::Quarantined)));
    // It still comes back by itself, and by the pause that it had.
    trial.clock.set_unix_ms(after(QUARANTINE_MIN));
    assert_eq!(reason(&trial.check("/hostile", false)), "allow");
    assert!(!trial.counts.quarantined.load(Ordering::Relaxed));
}

#[test]
fn misses_in_a_row_are_counted_across_reloads() {
    let trial = Trial::of(spinning(OnError::Deny), 2).unwrap();
    for _ in 0..QUARANTINE_AFTER {
        assert_eq!(reason(&trial.check("/hostile", true)), "deadline-exceeded");
        reload(&trial, &spec(spinning(OnError::Deny), 2));
    }
    assert_eq!(reason(&trial.check("/hostile", true)), "quarantined");
}

#[test]
fn another_component_other_settings_grants_or_deadline_begin_anew() {
    type Change = (&'static str, fn(&mut PolicySpec));
    let changed: [Change; 5] = [
        // An empty section, whose name is `a`.
        ("component", |policy| policy.component = [&policy.component[..], &[0, 2, 1, b'a']].concat().into()),
        ("settings", |policy| policy.settings = program("panics").settings),
        ("grants", |policy| drop(policy.grants.quotas.insert("quota".to_owned(), vec!["others".to_owned()]))),
        ("deadline", |policy| policy.deadline *= 2),
        ("memory", |policy| policy.memory_bytes *= 2),
    ];
    for (what, change) in changed {
        let trial = quarantined(OnError::Deny);
        let mut policy = spinning(OnError::Deny);
        change(&mut policy);
        let mut spec = spec(policy, 2);
        spec.quotas.extend(spec.quotas.get("units").cloned().map(|units| ("others".to_owned(), units)));
        reload(&trial, &spec);
        assert!(!trial.counts.quarantined.load(Ordering::Relaxed), "{what}: it is told of");
        assert_eq!(reason(&trial.check("/hostile", false)), "allow", "{what}");
    }
}

#[test]
fn a_policy_that_is_gone_is_not_quarantined() {
    let trial = quarantined(OnError::Deny);
    let mut without = spec(spinning(OnError::Deny), 2);
    without.policies.remove("hostile");
    without.routes.remove(0);
    reload(&trial, &without);
    assert!(!trial.counts.quarantined.load(Ordering::Relaxed));
}
