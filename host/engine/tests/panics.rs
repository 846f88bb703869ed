//! Reports of a policy that dies, and who gets them.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests")]

mod common;

use barmkin_host::*;
use common::*;
use std::sync::{Arc, Mutex};
use tracing_subscriber::fmt::MakeWriter;

fn gate_for(for_authors: bool) -> Gate {
    let key = Key::new(Algorithm::HmacSha256).with_secret("test", SECRET, None).unwrap();
    let spec = spec(vec![("p", scripted(0, true, OnError::Deny))], vec![route("r", &[policy("p")])], 100);
    let services = Services { for_authors, ..Services::new(MemoryStore::default()) };
    Gate::new(Generation::build(&ENGINE, &spec, &KeyRing::default().with("signing", key), services).unwrap())
}

fn check(gate: &Gate, script: &[&str]) -> Verdict {
    let fields: Vec<_> = script.iter().map(|line| act(0, *line)).collect();
    gate.check_now(head("/r", &fields), Body::NotCarried).unwrap()
}

fn denied(gate: &Gate, script: &str) -> Box<Denial> {
    match check(gate, &[script]) {
        Verdict::Deny(denial) => denial,
        Verdict::Allow(_) => panic!("allowed"),
    }
}

/// All that is logged on this thread.
#[derive(Clone, Default)]
struct Logged(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Logged {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'w> MakeWriter<'w> for Logged {
    type Writer = Self;

    fn make_writer(&'w self) -> Self {
        self.clone()
    }
}

#[test]
fn where_it_panicked_is_told_to_all_and_what_it_said_to_its_author() {
    let logged = Logged::default();
    let log = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(logged.clone());
    tracing::subscriber::with_default(log.finish(), || {
        let denial = denied(&gate_for(false), "panic:the token is t0ps3cret");
        assert_eq!(denial.reason().as_str(), "policy-trapped");
        let place = denial.detail().strip_prefix("it panicked at ").unwrap();
        assert!(place.contains("src/lib.rs:") && !place.contains(' '), "{place}");
        let (steps, answer) = (format!("{denial:?}"), format!("{:?}", denial.response()));
        assert!(!steps.contains("t0ps3cret") && !answer.contains("t0ps3cret"));
    });
    let logged = String::from_utf8(logged.0.lock().unwrap().clone()).unwrap();
    assert!(!logged.contains("t0ps3cret"), "{logged}");

    let told = denied(&gate_for(true), "panic:the token is t0ps3cret");
    assert!(told.detail().ends_with(": the token is t0ps3cret"), "{}", told.detail());
    let answer = format!("{:?}", told.response());
    assert!(!answer.contains("t0ps3cret") && !answer.contains("panicked"), "{answer}");
}

#[test]
fn the_next_check_knows_nothing_of_it() {
    let gate = gate_for(true);
    assert!(denied(&gate, "panic:first").detail().ends_with("first"));
    assert_eq!(denied(&gate, "trap").detail(), "wasm trap: wasm `unreachable` instruction executed");
}

/// A message is cut off where a line of the log is, and cannot forge one.
#[test]
fn what_it_says_is_bounded_and_clean() {
    let said = denied(&gate_for(true), &format!("panic:{}", "long".repeat(1_000)));
    let (_, message) = said.detail().split_once(": ").unwrap();
    assert_eq!(message, "long".repeat(limits::LOG_MESSAGE_BYTES_MAX / 4));
    let said = denied(&gate_for(true), "panic:a\tb");
    assert!(said.detail().ends_with(": a\u{fffd}b"), "{}", said.detail());
}

#[test]
fn a_stack_that_runs_out_is_named() {
    for for_authors in [false, true] {
        let denial = denied(&gate_for(for_authors), "deep");
        let detail = denial.detail();
        assert!(detail.contains("out of bounds memory access"), "{detail}");
        assert!(detail.contains("often the stack, which has 16384 bytes"), "{detail}");
        assert!(detail.contains("`stack` under `[package.metadata.barmkin]`"), "{detail}");
    }
}

#[test]
fn configure_says_why_it_panicked() {
    let mut spec = spec(vec![("p", scripted(0, true, OnError::Deny))], vec![route("r", &[policy("p")])], 100);
    let settings = &mut spec.policies.get_mut("p").unwrap().settings;
    settings.as_object_mut().unwrap().insert("panic".to_owned(), "no table".into());
    let Err(errors) = build(&spec, MemoryStore::default()) else { panic!("it was configured") };
    let errors: Vec<_> = errors.errors().iter().map(ToString::to_string).collect();
    let [error] = errors.as_slice() else { panic!("{errors:?}") };
    assert!(error.contains("configuring the component failed: policy-trapped (it panicked at "), "{error}");
    assert!(error.ends_with(": no table)"), "{error}");
}

#[test]
fn authors_learn_what_a_check_took() {
    let took =
        |for_authors, script: &[&str]| check(&gate_for(for_authors), script).steps().first().unwrap().took.clone();
    assert_eq!(took(false, &["abstain"]), None);
    let one = took(true, &["abstain"]).unwrap();
    assert!(one.memory_bytes >= 64 * 1024 && one.memory_bytes.is_multiple_of(64 * 1024), "{one:?}");
    assert!(!one.time.is_zero());
    let grown = took(true, &["grow-a-little", "abstain"]).unwrap();
    assert!(grown.memory_bytes >= one.memory_bytes + 256 * 1024, "{grown:?}");
}

#[test]
fn a_generation_says_how_its_policies_were_loaded() {
    let spec = spec(vec![("p", scripted(0, true, OnError::Deny))], vec![route("r", &[policy("p")])], 100);
    let generation = build(&spec, MemoryStore::default()).unwrap();
    let loaded: Vec<_> = generation.policies().collect();
    let [Loaded { name, manifest, memory_bytes, not_renewed }] = loaded.as_slice() else { panic!("{loaded:?}") };
    assert_eq!((*name, *not_renewed), ("p", None));
    assert!(*memory_bytes >= 64 * 1024 && manifest.vouches());
    assert_eq!(manifest.parts().collect::<Vec<_>>(), ["principal", "facts"]);
}
