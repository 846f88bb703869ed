//! The rule, on the native double of the host.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use barmkin_guest::abstain;
use barmkin_guest::test::{Policy, Request, TestQuota};
use barmkin_guest::types::{Decision, Denial};
use barmkin_rate_quota::RateQuota;

#[test]
fn a_request_costs_what_the_settings_say() {
    let policy = policy(r#"{ "cost": 2 }"#, TestQuota::new(5, 1_000));
    assert_eq!(policy.check(&Request::get("/")), abstain());
    assert_eq!(policy.check(&Request::get("/")), abstain());
    assert_eq!(policy.check(&Request::get("/")).code(), Some("over-quota"));
    assert_eq!(policy.takes().iter().map(|take| take.cost).collect::<Vec<_>>(), [2, 2, 2]);
}

#[test]
fn who_is_over_the_quota_is_told_when_to_come_back() {
    for (wait_ms, seconds) in [(1, "1"), (1_000, "1"), (1_001, "2")] {
        let policy = policy("{}", TestQuota::new(1, wait_ms));
        assert_eq!(policy.check(&Request::get("/")), abstain());
        let denial = denial(policy.check(&Request::get("/")));
        assert_eq!(denial.status, 429);
        assert_eq!(header(&denial, "retry-after"), Some(seconds));
        assert_eq!(header(&denial, "x-ratelimit-limit"), Some("1"));
        assert_eq!(header(&denial, "x-ratelimit-remaining"), Some("0"));
        assert_eq!(header(&denial, "x-ratelimit-reset"), Some(seconds));
    }
}

#[test]
fn nobody_is_told_to_wait_for_what_can_never_be() {
    let policy = policy(r#"{ "cost": 6 }"#, TestQuota::new(5, 1_000));
    let denial = denial(policy.check(&Request::get("/")));
    assert_eq!(header(&denial, "retry-after"), None);
}

#[test]
fn a_caller_that_nobody_knows_is_refused() {
    let policy = policy("{}", TestQuota::new(5, 1_000));
    let request = Request::get("/").from_address(None);
    assert_eq!(policy.check(&request).code(), Some("unidentified-caller"));
}

#[test]
fn a_cost_of_nothing_is_a_problem() {
    let problems = Policy::<RateQuota>::configure(r#"{ "cost": 0 }"#).unwrap_err();
    assert_eq!(problems[0].setting, "cost");
}

fn policy(settings: &str, quota: TestQuota) -> Policy<RateQuota> {
    Policy::configure(settings).unwrap().with_quota("quota", quota)
}

fn denial(decision: Decision) -> Denial {
    match decision {
        Decision::Deny(denial) => denial,
        other => panic!("{other:?}"),
    }
}

fn header<'d>(denial: &'d Denial, name: &str) -> Option<&'d str> {
    denial.headers.iter().find(|header| header.name == name).map(|header| header.value.as_str())
}
