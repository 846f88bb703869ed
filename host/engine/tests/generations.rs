//! One generation after another: what is taken over, and what is not.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "tests")]

mod common;

use barmkin_host::*;
use bytes::Bytes;
use common::{ENGINE, SECRET, act, head, policy, route, scripted, spec};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

const BODY: &[u8] = b"a body";

fn two_policies() -> Spec {
    let mut policies = vec![("first", scripted(0, true, OnError::Deny)), ("second", scripted(1, true, OnError::Deny))];
    policies[0].1.settings["body"] = true.into();
    spec(policies, vec![route("r", &[policy("first"), policy("second")])], 10)
}

fn key(secrets: &[(&str, &[u8])]) -> Key {
    let key = Key::new(Algorithm::HmacSha256);
    secrets.iter().fold(key, |key, (id, secret)| key.with_secret(id, secret, None).unwrap())
}

fn ring(key: Key) -> KeyRing {
    KeyRing::default().with("signing", key)
}

/// The reason of a request that is signed with `secret` and takes `units`.
fn ask(gate: &Gate, secret: &[u8], units: u32) -> Option<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).unwrap();
    mac.update(BODY);
    let signature = hex::encode(mac.finalize().into_bytes());
    let fields = [act(0, format!("verify:{signature}")), act(0, format!("take:{units}")), act(0, "allow")];
    let verdict = gate.check_now(head("/r", &fields), Body::Whole(Bytes::from_static(BODY))).unwrap();
    verdict.reason().map(ToString::to_string)
}

#[test]
fn a_rotated_key_compiles_nothing_and_leaves_quotas_as_they_are() {
    let spec = two_policies();
    let gate = Gate::new(common::build(&spec, MemoryStore::default()).unwrap());
    assert_eq!(gate.generation().compiled(), 2);
    assert_eq!(ask(&gate, SECRET, 6), None);

    let mut rotated = key(&[("new", b"another secret"), ("test", SECRET)]);
    let next = gate.generation().next(&ENGINE, &spec, &ring(rotated.clone())).unwrap();
    assert_eq!(next.compiled(), 0);
    assert_eq!(next.configuration(), gate.generation().configuration());
    assert_ne!(next.digest(), gate.generation().digest());
    gate.swap(next);
    assert_eq!(ask(&gate, b"another secret", 2), None);
    assert_eq!(ask(&gate, SECRET, 6).as_deref(), Some("over-quota"));

    rotated.withdraw("test");
    gate.swap(gate.generation().next(&ENGINE, &spec, &ring(rotated)).unwrap());
    assert_eq!(ask(&gate, SECRET, 1).as_deref(), Some("signature-mismatch"));
    assert_eq!(ask(&gate, b"another secret", 2), None);
    gate.swap(gate.generation().next(&ENGINE, &spec, &ring(key(&[]))).unwrap());
    assert_eq!(ask(&gate, b"another secret", 1).as_deref(), Some("no-usable-key"));
}

#[test]
fn an_end_is_never_put_off() {
    let spec = two_policies();
    let gate = Gate::new(common::build(&spec, MemoryStore::default()).unwrap());
    let now = std::time::Duration::from_millis(common::NOW_UNIX_MS);
    let mut ended = key(&[("test", SECRET)]);
    for until in [now, now * 2] {
        ended.end("test", until);
        gate.swap(gate.generation().next(&ENGINE, &spec, &ring(ended.clone())).unwrap());
        assert_eq!(ask(&gate, SECRET, 1).as_deref(), Some("no-usable-key"));
    }
}

#[test]
fn only_what_changed_is_compiled_and_a_bad_generation_changes_nothing() {
    let mut spec = two_policies();
    let first = common::build(&spec, MemoryStore::default()).unwrap();
    let keys = ring(key(&[("test", SECRET)]));
    spec.policies.get_mut("second").unwrap().settings["position"] = 7.into();
    spec.policies.get_mut("first").unwrap().deadline *= 2;
    let second = first.next(&ENGINE, &spec, &keys).unwrap();
    assert_eq!(second.compiled(), 1);
    assert_ne!(second.configuration(), first.configuration());

    let bad = PolicySpec::new(*b"no component");
    spec.policies.insert("bad".to_owned(), bad);
    let errors = second.next(&ENGINE, &spec, &keys).err().unwrap();
    assert!(errors.to_string().starts_with("policy `bad`: "), "{errors}");
    assert_eq!(ask(&Gate::new(second), SECRET, 1), None);
}
