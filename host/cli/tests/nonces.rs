//! Operators look into nonce spaces, and repair them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use serde_json::Value;
use support::webhooks::{NEW, Webhooks};

#[test]
fn a_delivery_that_was_forgotten_is_let_in_once_more() {
    let gate = Webhooks::start();
    let nonce = |arguments: &[&str]| {
        let all: Vec<&str> = ["nonce"].into_iter().chain(arguments.iter().copied()).collect();
        gate.command(&[&all[..], &["--admin", "unix:admin.sock"]].concat())
    };
    assert_eq!(gate.deliver("/hooks", NEW, "1"), None);
    assert_eq!(gate.deliver("/hooks", NEW, "1").as_deref(), Some("replayed"));
    let listed: Value = serde_json::from_str(&nonce(&["list", "deliveries", "--json"]).out).unwrap();
    assert_eq!((&listed["all"], listed["nonces"].as_array().unwrap().len()), (&true.into(), 1));
    assert_eq!(listed["nonces"][0]["state"], "used");
    let digest = listed["nonces"][0]["digest"].as_str().unwrap();

    let forgotten = nonce(&["forget", "deliveries", digest]);
    assert_eq!(forgotten.code, Some(0), "{}", forgotten.err);
    assert_eq!(gate.deliver("/hooks", NEW, "1"), None);

    let other = "0".repeat(64);
    for (arguments, problem) in [
        (&["forget", "deliveries", other.as_str()][..], "`deliveries` has no such nonce"),
        (&["list", "delivreies"], "there is no nonce space `delivreies`"),
        (&["forget", "deliveries", "abc"], "`abc` is not a digest"),
    ] {
        let refused = nonce(arguments);
        assert_ne!(refused.code, Some(0), "{arguments:?}");
        assert!(refused.err.contains(problem), "{arguments:?}: {}", refused.err);
    }
}
