//! A policy that uses everything in the contract: `fixtures/everything` is
//! its source.

use crate::gate::{NOW_UNIX_MS, SIGNING, ask, gate, policy, reason};
use barmkin_host::*;
use barmkin_tests::harness::keyed_hash;
use serde_json::json;

const GRANTS: [(&str, &str); 5] =
    [("signing", "signing"), ("hashing", "hashing"), ("nonces", "nonces"), ("quota", "quota"), ("vouch", "vouch")];

fn everything(body: &str, sets: bool) -> PolicySpec {
    let fields: &[&str] = if sets { &["x-set", "x-append", "x-remove"] } else { &[] };
    policy("everything", json!({ "body": body, "more": if sets { "sets" } else { "" } }), &GRANTS, fields)
}

/// The input that it reports when it did `act`.
#[track_caller]
fn saw(body: &str, fields: &[(&str, &str)], act: &str) -> String {
    let gate = gate(vec![("everything", everything(body, false))]).unwrap();
    let fields: Vec<_> = [("x-act", act)].into_iter().chain(fields.iter().copied()).collect();
    let Verdict::Deny(denial) = ask(&gate, "POST /a/b?one=1&many=x&many=%79", &fields, b"body") else {
        panic!("it was not denied")
    };
    assert_eq!(denial.reason().as_str(), act);
    assert_eq!(denial.status(), 429);
    assert_eq!(denial.response().headers()["retry-after"], "7");
    denial.detail().to_owned()
}

#[test]
fn settings_that_it_refuses() {
    let wrong = policy("everything", json!({ "wrong": true }), &GRANTS, &[]);
    let errors = gate(vec![("everything", wrong)]).map(|_| ()).unwrap_err();
    let problems: Vec<_> = errors.into_errors().into_iter().map(|error| error.problem).collect();
    let expected = |setting: &str, help: &str| Problem::Setting {
        setting: setting.to_owned(),
        problem: "is wrong".to_owned(),
        help: help.to_owned(),
    };
    assert_eq!(problems, [expected("`a.0`", "make it right"), expected("as a whole", "")]);
}

#[test]
fn the_request() {
    assert_eq!(
        saw("", &[], "request"),
        format!(
            r#"{NOW_UNIX_MS} Some("POST") Some("https") Some("hooks.example.com") Some("/a/b") Some("one=1&many=x&many=%79") Some("/a/b?one=1&many=x&many=%79") Some("192.0.2.7") Some("route")"#
        )
    );
}

#[test]
fn headers_query_and_body() {
    let inputs = |body, fields: &[(&str, &str)]| saw(body, fields, "inputs");
    let query = r#"[Field::One("1"), Field::Many(["x", "y"])]"#;
    assert_eq!(inputs("", &[]), format!(r#"[Field::One("inputs"), Field::Absent] {query} Body::None"#));
    assert_eq!(
        inputs("on-host", &[("x-many", "1")]),
        format!(r#"[Field::One("inputs"), Field::Many(["1"])] {query} Body::None"#)
    );
    assert_eq!(
        inputs("bytes", &[("x-many", "1"), ("x-many", "2")]),
        format!(r#"[Field::One("inputs"), Field::Many(["1", "2"])] {query} Body::Bytes([98, 111, 100, 121])"#)
    );
    let digests = inputs("digests", &[]);
    let digests = digests.split_once("Body::Digests([[").unwrap().1;
    // SHA-256 and SHA-512 of `body` begin so.
    assert!(digests.starts_with("35, 13, 131, 88"), "{digests}");
    assert_eq!(digests.split("], [").map(|digest| digest.split(", ").count()).collect::<Vec<_>>(), [32, 64]);
}

#[test]
fn what_was_established_and_changed() {
    let gate = gate(vec![("everything", everything("", true))]).unwrap();
    let fields = [("x-act", "allow"), ("x-set", "forged"), ("x-append", "forged"), ("x-remove", "forged")];
    let Verdict::Allow(permit) = ask(&gate, "GET /", &fields, b"") else { panic!("denied") };
    let principal = permit.principal().unwrap().clone();
    assert_eq!((principal.id.as_str(), principal.kind), ("device-1", PrincipalKind::Device));
    assert_eq!((principal.tenant.as_deref(), principal.method.as_str()), (Some("tenant"), "everything"));
    assert_eq!((principal.roles, principal.scopes), (vec!["role".into()], vec!["scope".into(), "other".into()]));
    assert_eq!(principal.authenticated_at_unix_ms, Some(1));
    assert_eq!(principal.attributes, [("name".to_owned(), "value".to_owned())]);
    let (head, _) = permit.into_forwarded();
    let of = |name: &str| head.headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect::<Vec<_>>();
    assert_eq!((of("x-set"), of("x-append"), of("x-remove")), (vec!["1"], vec!["2", "3"], vec![]));
}

#[test]
fn what_earlier_policies_established() {
    assert_eq!(saw("", &[], "established"), "None None");
    let gate = gate(vec![("key", crate::stock::api_key()), ("everything", everything("", false))]).unwrap();
    let verdict = ask(&gate, "GET /", &[("x-act", "established"), ("x-api-key", "key")], b"");
    let Verdict::Deny(denial) = verdict else { panic!("it was not denied") };
    let expected = r#"Some(Principal { id: "reader", kind: PrincipalKind::Service"#;
    assert!(denial.detail().starts_with(expected), "{}", denial.detail());
    assert!(denial.detail().contains(r#"roles: ["reader"]"#), "{}", denial.detail());
}

#[test]
fn keys() {
    let signature = keyed_hash(SIGNING, "prefix.body");
    let saw = saw("on-host", &[("x-many", "00"), ("x-many", &signature)], "keys");
    let [verified, mismatch, no_candidate] = saw.split(" Err(").collect::<Vec<_>>()[..] else { panic!("{saw}") };
    assert_eq!(verified, r#"Ok(Verified { key-id: "2026-11" })"#);
    assert!(mismatch.starts_with(r#"Refusal { code: 0, name: "mismatch""#), "{mismatch}");
    assert!(no_candidate.starts_with(r#"Refusal { code: 1, name: "no-candidate""#), "{no_candidate}");
    let (no_candidate, remark) = no_candidate.split_once("; ").unwrap();
    assert!(no_candidate.ends_with("[32]"), "one hash of 32 bytes: {no_candidate}");
    // The host adds what it compared with what.
    assert!(remark.starts_with("compared 6 under secrets `2026-11` of key `signing`"), "{remark}");
}

#[test]
fn replay() {
    let signature = keyed_hash(SIGNING, "body");
    let seen = saw("on-host", &[("x-many", &signature)], "replay");
    let (seen, named) = seen.split_once("; ").unwrap();
    assert_eq!(
        seen,
        "Claim::Unidentified true Claim::FirstUse Claim::FirstUse Claim::Replayed DuplicateTreatment::Deny"
    );
    assert!(named.ends_with("` of `nonces`"), "{named}");
}

#[test]
fn quota() {
    assert_eq!(
        saw("", &[], "quota"),
        "limit 3, Outcome::Admitted 2 false true, Outcome::Admitted 0 false true, \
         Outcome::Refused 0 true true, Outcome::Admitted 2 false true"
    );
}

#[test]
fn log_and_abstain() {
    let gate = gate(vec![("everything", everything("", true))]).unwrap();
    assert_eq!(reason(&ask(&gate, "GET /", &[("x-act", "log")], b"")), "allow");
    let Verdict::Allow(permit) = ask(&gate, "GET /", &[("x-act", "abstain")], b"") else { panic!("denied") };
    assert!(permit.principal().is_none());
    assert_eq!(permit.into_forwarded().0.headers["x-set"], "1");
}
