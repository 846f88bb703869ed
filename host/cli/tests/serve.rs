//! `barmkin serve`, from its start to a signal.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;
use support::serving::Serving;
use support::{run, with_a_caller};
use tempfile::TempDir;

const LISTENERS: &str = r#"
[shutdown]
drain = "0s"

[listen.edge]
kind = "reverse-proxy"
address = "127.0.0.1:0"
upstream = "http://127.0.0.1:1"

[listen.envoy]
kind = "ext-authz"
address = "unix:authz.sock"
"#;

fn configured() -> (TempDir, String) {
    let (folder, key) = with_a_caller();
    let file = folder.path().join("barmkin.toml");
    let text = std::fs::read_to_string(&file).unwrap() + LISTENERS;
    std::fs::write(&file, text).unwrap();
    (folder, key)
}

fn ask(address: &str, path: &str, key: &str) -> String {
    let mut connection = TcpStream::connect(address).unwrap();
    write!(connection, "GET {path} HTTP/1.1\r\nhost: a\r\nx-api-key: {key}\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn it_answers_logs_denies_without_secrets_and_ends_when_told() {
    for signal in ["TERM", "INT"] {
        let (folder, key) = configured();
        let mut serving = Serving::start(&folder);
        let forgets = "the store is in memory: a restart forgets which deliveries came, and what quotas were used";
        serving.wait_for(forgets);
        let edge = serving.wait_for("listening");
        assert_eq!(edge.pointer("/listener"), Some(&"edge".into()));
        let address = edge.pointer("/address").and_then(Value::as_str).unwrap().to_owned();
        assert_eq!(serving.wait_for("listening").pointer("/listener"), Some(&"envoy".into()));

        let answer = ask(&address, "/v1", "bk_wrong");
        assert!(answer.starts_with("HTTP/1.1 401 ") && answer.contains("barmkin-reason: unknown-api-key"), "{answer}");
        let denied = serving.wait_for("denied");
        assert_eq!(denied.pointer("/reason"), Some(&"unknown-api-key".into()));
        assert_eq!(denied.pointer("/route"), Some(&"api".into()));
        assert!(denied.pointer("/request").is_some() && !denied.to_string().contains("bk_wrong"), "{denied}");
        let forwarded = ask(&address, "/v1", &key);
        assert!(forwarded.starts_with("HTTP/1.1 502 "), "the upstream is not there: {forwarded}");

        serving.signal(signal);
        assert_eq!(serving.process.wait().unwrap().code(), Some(0), "{signal}");
    }
}

/// `1` logs every request that is let in; without the setting there is no line.
#[test]
fn who_is_let_in_is_logged_where_the_route_says_so() {
    let (folder, key) = configured();
    let file = folder.path().join("barmkin.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("chain = [\"callers\"]", "chain = [\"callers\"]\nlog-allowed = 1")).unwrap();
    let mut serving = Serving::start(&folder);
    let edge = serving.wait_for("listening");
    let address = edge.pointer("/address").and_then(Value::as_str).unwrap().to_owned();
    ask(&address, "/", "");
    ask(&address, "/v1", &key);
    let allowed = serving.wait_for("allowed");
    for (field, value) in [("route", "api"), ("principal", "partner-a"), ("by", "api-key"), ("key", "partner-a")] {
        assert_eq!(allowed.get(field), Some(&value.into()), "{allowed}");
    }
    let log = serving.stop();
    assert_eq!(log.matches("\"allowed\"").count(), 1, "{log}");
    assert!(!log.contains(&key), "{log}");
}

#[test]
fn nothing_is_served_by_a_configuration_with_an_error() {
    let (folder, _) = configured();
    std::fs::remove_file(folder.path().join("pepper")).unwrap();
    let refused = run(folder.path(), &["serve"]);
    assert_eq!(refused.code, Some(2));
    assert!(refused.err.contains("barmkin.toml:5:31: secret file `pepper` cannot be read"), "{}", refused.err);
}

#[test]
fn a_configuration_without_listeners_is_not_served() {
    let (folder, _) = with_a_caller();
    let refused = run(folder.path(), &["serve"]);
    assert_eq!(refused.code, Some(2));
    assert!(refused.err.contains("`barmkin.toml` declares no listener"), "{}", refused.err);
}
