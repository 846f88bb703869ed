//! The rule, on the native double of the host.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use barmkin_guest::abstain;
use barmkin_guest::test::{Policy, Request};
use barmkin_guest::types::{Decision, DuplicateTreatment, Facts};
use barmkin_replay_window::ReplayWindow;
use proptest::prelude::*;

const NOW_UNIX_MS: u64 = 1_700_000_000_000;
const MINUTE_MS: u64 = 60_000;

#[test]
fn a_delivery_is_taken_once() {
    let policy = configure("{}").unwrap();
    assert_eq!(policy.check(&signed_at(NOW_UNIX_MS)), abstain());
    let Decision::Deny(denial) = policy.check(&signed_at(NOW_UNIX_MS)) else { panic!("it was taken twice") };
    assert_eq!((denial.status, denial.code.as_str()), (409, "replayed"));
}

#[test]
fn it_is_remembered_for_as_long_as_it_would_be_taken() {
    let policy = configure(r#"{ "window": "5m" }"#).unwrap();
    let signed = NOW_UNIX_MS - 2 * MINUTE_MS;
    assert_eq!(policy.check(&signed_at(signed)), abstain());
    assert_eq!(policy.claims()[0].valid_until_unix_ms, signed + 6 * MINUTE_MS);

    let unsigned = Request::post("/").at(NOW_UNIX_MS).delivery("another");
    assert_eq!(policy.check(&unsigned), abstain());
    assert_eq!(policy.claims()[1].valid_until_unix_ms, NOW_UNIX_MS + 6 * MINUTE_MS);
}

#[test]
fn a_duplicate_is_treated_as_the_operator_wants() {
    let check_twice = |treatment| {
        let policy = configure("{}").unwrap().with_nonces("deliveries", treatment);
        assert_eq!(policy.check(&signed_at(NOW_UNIX_MS)), abstain());
        policy.check(&signed_at(NOW_UNIX_MS))
    };
    let Decision::Deny(acknowledged) = check_twice(DuplicateTreatment::Acknowledge) else { panic!("it was forwarded") };
    assert_eq!((acknowledged.status, acknowledged.code.as_str()), (200, "duplicate-acknowledged"));
    let marked = check_twice(DuplicateTreatment::Mark);
    assert_eq!(marked, abstain().set("barmkin-duplicate", "?1"));
}

#[test]
fn one_that_is_held_is_asked_to_come_back() {
    let policy = configure("{}").unwrap().with_claim_in_progress("deliveries", b"one");
    let Decision::Deny(denial) = policy.check(&signed_at(NOW_UNIX_MS)) else {
        panic!("it was taken while another request holds it")
    };
    assert_eq!((denial.status, denial.code.as_str()), (503, "in-progress"));
    let [header] = denial.headers.as_slice() else { panic!("{:?}", denial.headers) };
    assert_eq!((header.name.as_str(), header.value.as_str()), ("retry-after", "1"));
}

#[test]
fn what_nobody_verified_is_refused() {
    let policy = configure("{}").unwrap();
    let request = Request::post("/").at(NOW_UNIX_MS);
    assert_eq!(policy.check(&request).code(), Some("unidentified-delivery"));
}

#[test]
fn a_window_has_bounds() {
    for (window, accepted) in [("10s", true), ("9s", false), ("7d", true), ("169h", false)] {
        let settings = format!(r#"{{ "window": "{window}" }}"#);
        match configure(&settings) {
            Ok(_) => assert!(accepted, "{window}"),
            Err(problems) => {
                assert!(!accepted, "{window}");
                assert_eq!(problems[0].setting, "window");
                assert!(problems[0].problem.contains("from 10s to 7d"), "{problems:?}");
                assert!(!problems[0].help.is_empty());
            }
        }
    }
}

proptest! {
    #[test]
    fn a_delivery_is_taken_within_the_window_and_not_beyond(offset_ms in 0..1_200_000_u64, late in any::<bool>()) {
        let policy = configure("{}").unwrap();
        let signed = if late { NOW_UNIX_MS - offset_ms } else { NOW_UNIX_MS + offset_ms };
        let stale = policy.check(&signed_at(signed)).code() == Some("stale-delivery");
        prop_assert_eq!(stale, offset_ms > 10 * MINUTE_MS);
        prop_assert_eq!(policy.claims().is_empty(), stale);
    }
}

fn signed_at(unix_ms: u64) -> Request {
    let facts = Facts { message_id: None, signed_at_unix_ms: Some(unix_ms), key_id: None };
    Request::post("/").at(NOW_UNIX_MS).delivery("one").facts(facts)
}

fn configure(settings: &str) -> Result<Policy<ReplayWindow>, Vec<barmkin_guest::types::SettingProblem>> {
    Policy::configure(settings)
}
