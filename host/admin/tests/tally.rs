//! The counts, and that they stay within their bounds.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use barmkin_admin::{Attempt, Registry, Reloads, Tally, expose, rfc3339};
use barmkin_host::{Digest, FixedClock, HostReason, Metrics, Outcome, Reason, RequestId, Step, Unenforced, Untried};
use std::sync::Arc;
use std::time::Duration;

fn tally() -> (Arc<Tally>, Registry) {
    let tally = Arc::new(Tally::new(Arc::new(FixedClock::at_unix_ms(1_795_478_400_000))));
    let mut registry = Registry::default();
    registry.register_collector(Box::new(tally.clone()));
    (tally, registry)
}

fn code(code: &str) -> Reason {
    Reason::Policy(code.into())
}

fn step(outcome: Outcome, detail: &str) -> Step {
    Step { policy: "p".into(), outcome, detail: detail.to_owned(), took: None }
}

#[track_caller]
fn assert_has(text: &str, lines: &[&str]) {
    for line in lines {
        assert!(text.lines().any(|found| found == *line), "`{line}` is not in:\n{text}");
    }
}

#[test]
fn verdicts_are_counted_by_route_policy_and_reason() {
    let (tally, registry) = tally();
    let took = Duration::from_micros(20);
    tally.verdict(Some("r"), None, None, took);
    tally.verdict(Some("r"), Some("p"), Some(&code("no")), took);
    tally.verdict(Some("r"), Some("p"), Some(&code("no")), took);
    tally.verdict(None, None, Some(&HostReason::NoRoute.into()), took);
    tally.undo_lost();
    tally.log_dropped("p");
    assert_has(
        &expose(&registry),
        &[
            "# TYPE barmkin_verdicts_total counter",
            r#"barmkin_verdicts_total{route="r",verdict="allow",policy="",reason=""} 1"#,
            r#"barmkin_verdicts_total{route="r",verdict="deny",policy="p",reason="no"} 2"#,
            r#"barmkin_verdicts_total{route="",verdict="deny",policy="",reason="no-route"} 1"#,
            r#"barmkin_verdict_seconds_bucket{route="r",le="2.5e-05"} 3"#,
            r#"barmkin_verdict_seconds_count{route="r"} 3"#,
            "barmkin_undo_lost_total 1",
            r#"barmkin_log_lines_dropped_total{policy="p"} 1"#,
        ],
    );
    let routes = tally.routes();
    assert_eq!(serde_json::json!(routes)["r"], serde_json::json!({ "allow": 1, "deny": 2, "observed": 0 }));
}

#[test]
fn failures_of_policies_are_told_from_their_denies() {
    let (tally, registry) = tally();
    tally.step(&step(Outcome::Allow, ""));
    tally.step(&step(Outcome::Abstain, ""));
    tally.step(&step(Outcome::Deny(code("no")), ""));
    tally.step(&step(Outcome::Deny(HostReason::DuplicateHeader.into()), "by the client"));
    tally.step(&step(Outcome::Failed(HostReason::PolicyTrapped), "unreachable"));
    tally.step(&step(Outcome::Deny(HostReason::DeadlineExceeded.into()), "too slow"));
    assert_has(
        &expose(&registry),
        &[
            r#"barmkin_policy_decisions_total{policy="p",decision="allow"} 1"#,
            r#"barmkin_policy_decisions_total{policy="p",decision="abstain"} 1"#,
            r#"barmkin_policy_decisions_total{policy="p",decision="deny"} 2"#,
            r#"barmkin_policy_failures_total{policy="p",reason="policy-trapped"} 1"#,
            r#"barmkin_policy_failures_total{policy="p",reason="deadline-exceeded"} 1"#,
        ],
    );
    tally.quarantine("p", true);
    assert_has(&expose(&registry), &[r#"barmkin_policy_quarantined{policy="p"} 1"#]);
    let status = serde_json::json!(tally.policies());
    assert_eq!(status["p"]["quarantined"], true);
    let last = status["p"]["last-failure"].clone();
    let at = rfc3339(Duration::from_secs(1_795_478_400));
    assert_eq!(at, "2026-11-24T00:00:00Z");
    assert_eq!(last, serde_json::json!({ "at": at, "reason": "deadline-exceeded", "detail": "too slow" }));
}

#[test]
fn what_would_have_changed_a_verdict_is_kept_the_latest_of_it() {
    let (tally, registry) = tally();
    let no = code("no");
    let request = |number: usize| RequestId::Given(format!("request-{number}").into());
    for number in 0..200 {
        let id = request(number);
        let unenforced = |policy, would, did| Unenforced {
            route: "r",
            request: &id,
            generation: Digest([7; 32]),
            policy,
            would,
            did,
        };
        tally.unenforced(&unenforced(Some("p"), None, None));
        tally.unenforced(&unenforced(Some("p"), Some(&no), None));
        tally.unenforced(&unenforced(None, Some(&no), None));
    }
    assert_has(
        &expose(&registry),
        &[
            r#"barmkin_shadow_decisions_total{policy="p",agrees="true"} 200"#,
            r#"barmkin_shadow_decisions_total{policy="p",agrees="false"} 200"#,
            r#"barmkin_observed_denies_total{route="r"} 200"#,
            "barmkin_difference_samples 64",
        ],
    );
    tally.untried("p", Untried::NoBody);
    assert_has(&expose(&registry), &[r#"barmkin_shadow_untried_total{policy="p",why="no-body"} 1"#]);
    let kept = tally.differences();
    let last = kept.last().unwrap();
    assert_eq!((kept.len(), &last["request"], &last["shadow"]), (64, &"request-199".into(), &serde_json::Value::Null));
    assert_eq!((&last["would-deny"], &last["denied"]), (&"no".into(), &serde_json::Value::Null));
    assert_eq!(kept.first().unwrap()["shadow"], "p");
}

#[test]
fn made_up_reason_codes_do_not_make_it_grow() {
    let (tally, registry) = tally();
    for number in 0..10_000 {
        tally.verdict(Some("r"), Some("p"), Some(&code(&format!("code-{number}"))), Duration::ZERO);
    }
    let text = expose(&registry);
    let series = text.lines().filter(|line| line.starts_with("barmkin_verdicts_total{route=\"r\",verdict=\"deny\""));
    assert_eq!(series.count(), 33);
    assert_has(&text, &[r#"barmkin_verdicts_total{route="r",verdict="deny",policy="p",reason="(others)"} 9968"#]);
}

#[test]
fn a_failed_reload_shows_until_one_succeeds() {
    let reloads = Reloads::default();
    let mut registry = Registry::default();
    registry.register_collector(Box::new(reloads.clone()));
    reloads.serves_since(Duration::from_secs(5));
    reloads.ended(Attempt::Loaded);
    reloads.ended(Attempt::Refused);
    reloads.ended(Attempt::RolledBack);
    reloads.withdrew(2);
    let expected = [
        r#"barmkin_reloads_total{outcome="loaded"} 1"#,
        r#"barmkin_reloads_total{outcome="refused"} 1"#,
        r#"barmkin_reloads_total{outcome="rolled-back"} 1"#,
        "barmkin_reload_failing 1",
        "barmkin_secrets_withdrawn_total 2",
        "barmkin_generation_since_seconds 5",
    ];
    assert_has(&expose(&registry), &expected);
    reloads.ended(Attempt::Unchanged);
    assert_has(&expose(&registry), &["barmkin_reload_failing 0"]);
}
