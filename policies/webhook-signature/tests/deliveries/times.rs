//! Times as RFC 3339 writes them, in a scheme.

use crate::support::{BODY, Webhooks, decide, mac, policy};
use barmkin_guest::types::Decision;
use proptest::prelude::*;
use serde_json::json;

/// The decision on a delivery that was signed at `time`, as it is written.
fn signed_at(time: &str) -> Decision {
    thread_local!(static POLICY: Webhooks = policy(&json!({ "provider": "twitch" })));
    let signature = format!("sha256={}", hex::encode(mac(&format!("id{time}{BODY}"))));
    let headers = [
        ("twitch-eventsub-message-id", "id"),
        ("twitch-eventsub-message-timestamp", time),
        ("twitch-eventsub-message-signature", &signature),
    ];
    POLICY.with(|policy| decide(policy, &headers))
}

/// Now is 2023-11-14T22:13:20Z, and the tolerance ten minutes.
#[test]
fn it_is_held_against_now() {
    let code = |time: &str| signed_at(time).code().unwrap_or("ok").to_owned();
    for time in [
        "2023-11-14T22:13:20Z",
        "2023-11-14T22:13:20.123456789Z",
        "2023-11-14T23:13:20+01:00",
        "2023-11-14t18:43:20-03:30",
        "2023-11-14T22:03:20Z",
        "2023-11-14T22:23:20.000Z",
    ] {
        assert_eq!(code(time), "ok", "{time}");
    }
    assert_eq!(code("2023-11-14T22:03:19.999Z"), "timestamp-too-old");
    assert_eq!(code("2023-11-14T22:23:20.001Z"), "timestamp-too-new");
    assert_eq!(code("2023-11-14T22:13:20+01:00"), "timestamp-too-old");
    for time in ["1700000000", "2023-11-14T22:13:60Z", "2023-11-14 22:13:20Z", "2023-11-14T22:13:20"] {
        assert_eq!(code(time), "malformed-timestamp", "{time}");
    }
    let Decision::Allow(allowance) = signed_at("2023-11-14T23:13:20.5+01:00") else { panic!("it was denied") };
    assert_eq!(allowance.facts.unwrap().signed_at_unix_ms, Some(1_700_000_000_500));
}

proptest! {
    /// The id, the time and the body stand one after the other: no other
    /// boundaries among the same text make a time.
    #[test]
    fn boundaries_do_not_move(from in 0usize..4, to in 18usize..40) {
        let time = "2023-11-14T22:13:20.5+01:00";
        let text = format!("id{time}{BODY}");
        if let Some(other) = text.get(from..to).filter(|other| *other != time) {
            let decision = signed_at(other);
            prop_assert_eq!(decision.code(), Some("malformed-timestamp"), "{}", other);
        }
    }
}
