//! `barmkin api-key new`, and the file of keys.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use serde_json::Value;
use support::{CALLERS, folder, run, with_a_caller};

#[test]
fn a_key_is_another_each_time_and_never_under_an_empty_pepper() {
    let (folder, first) = with_a_caller();
    let again = run(folder.path(), &["api-key", "new", "--id", "partner-a"]);
    assert!(again.code == Some(0) && !again.out.contains(&first));
    std::fs::write(folder.path().join("pepper"), "\n").unwrap();
    let refused = run(folder.path(), &["api-key", "new", "--id", "a"]);
    assert_eq!((refused.code, refused.out.as_str()), (Some(2), ""));
    assert!(refused.err.contains("pepper"), "{}", refused.err);
}

/// Keys that are appended are let in, whatever the pepper's encoding; the gate
/// needs nothing but the file that the command wrote.
#[test]
fn appended_keys_are_let_in() {
    let configuration = CALLERS
        .replace("settings = { keys = [KEYS] }", "tables = { keys = \"file:keys.jsonl\" }")
        .replace("algorithm = \"keyed-hash-sha256\"", "algorithm = \"keyed-hash-sha256\"\nencoding = \"base64\"");
    let folder = folder(&[("barmkin.toml", &configuration), ("pepper", "cGVwcGVyIG9mIHRoZSB0ZXN0cw==")]);
    let make = |arguments: &[&str]| {
        let command = [&["api-key", "new", "--append", "keys.jsonl", "--json"], arguments].concat();
        let made = run(folder.path(), &command);
        assert_eq!(made.code, Some(0), "{}", made.err);
        serde_json::from_str::<Value>(&made.out).unwrap()
    };
    let first = make(&["--id", "acme-1", "--principal", "acme", "--tenant", "t", "--role", "reader", "--scope", "a:b"]);
    let second = make(&["--id", "acme-2", "--principal", "acme", "--expires", "2999-01-01T00:00:00Z"]);
    let past = make(&["--id", "acme-3", "--expires", "2020-01-01T00:00:00Z", "--attribute", "plan=gold"]);
    let verdict = |made: &Value| {
        let field = format!("--header=x-api-key: {}", made.pointer("/key").unwrap().as_str().unwrap());
        let asked = run(folder.path(), &["eval", "--url", "https://h/v1/items", &field, "--json"]);
        serde_json::from_str::<Value>(&asked.out).unwrap_or_else(|_| panic!("{}{}", asked.out, asked.err))
    };
    for made in [&first, &second] {
        assert_eq!(verdict(made).pointer("/principal"), Some(&"acme".into()), "{}", verdict(made));
    }
    assert_eq!(verdict(&past).pointer("/reason"), Some(&"expired-api-key".into()));
    assert_eq!(first.pointer("/entry/tenant"), Some(&"t".into()));

    let lines = std::fs::read_to_string(folder.path().join("keys.jsonl")).unwrap();
    assert_eq!(lines.lines().count(), 3);
    for made in [&first, &second, &past] {
        assert!(!lines.contains(made.pointer("/key").unwrap().as_str().unwrap()), "a key is on disk");
    }
    // A key that nobody has seen is not known.
    let unseen = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = support::barmkin(folder.path(), &["api-key", "new", "--append", "keys.jsonl", "--id", "unseen"]);
    assert_eq!(command.stdout(unseen).stderr(std::process::Stdio::null()).status().unwrap().code(), Some(2));
    assert_eq!(std::fs::read_to_string(folder.path().join("keys.jsonl")).unwrap(), lines);
    let twice = run(folder.path(), &["api-key", "new", "--append", "keys.jsonl", "--id", "acme-2"]);
    assert_eq!((twice.code, twice.out.as_str()), (Some(2), ""));
    assert!(twice.err.starts_with("keys.jsonl:2: there is a key `acme-2` already"), "{}", twice.err);
}

#[test]
fn what_the_policy_would_refuse_is_refused() {
    let (folder, _) = with_a_caller();
    for arguments in [
        &["--id", ""][..],
        &["--id", "a", "--principal", ""],
        &["--id", "a", "--expires", "tomorrow"],
        &["--id", "a", "--expires", "2026-12-31"],
        &["--id", "a", "--attribute", "key-id=b"],
        &["--id", "a", "--policy", "nobody"],
        &["--id", "a", "--prefix", "a b"],
        &["--id", "a\nb"],
        &["--id", "a", "--not-before", "2030-01-01T00:00:00Z", "--expires", "2029-01-01T00:00:00Z"],
        &["--id", "a", "--append", "nowhere/keys.jsonl"],
        &["--id", "a", "--append", "-"],
    ] {
        let made = run(folder.path(), &[&["api-key", "new"], arguments].concat());
        assert_eq!((made.code, made.out.as_str()), (Some(2), ""), "{arguments:?}: {}", made.err);
    }
}
