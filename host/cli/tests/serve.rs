//! `barmkin serve`, from its start to a signal.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use serde_json::Value;
use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStderr, Command, Stdio};
use support::{barmkin, run, with_a_caller};
use tempfile::TempDir;

const LISTENERS: &str = r#"
[listen.edge]
kind = "reverse-proxy"
address = "127.0.0.1:0"
upstream = "http://127.0.0.1:1"

[listen.envoy]
kind = "ext-authz"
address = "unix:authz.sock"
"#;

/// A gate that serves, and its log.
struct Serving {
    process: Child,
    log: Lines<BufReader<ChildStderr>>,
}

impl Serving {
    fn start(folder: &TempDir) -> Self {
        let mut command = barmkin(folder.path(), &["serve", "--log-json"]);
        let mut process = command.stdout(Stdio::null()).stderr(Stdio::piped()).env_remove("RUST_LOG").spawn().unwrap();
        let log = BufReader::new(process.stderr.take().unwrap()).lines();
        Self { process, log }
    }

    /// The fields of the next line of the log with that message. Ends with the
    /// process at the latest.
    fn wait_for(&mut self, message: &str) -> Value {
        for line in self.log.by_ref() {
            let line: Value = serde_json::from_str(&line.unwrap()).unwrap();
            if line.pointer("/fields/message") == Some(&message.into()) {
                return line.pointer("/fields").unwrap().clone();
            }
        }
        panic!("the log ended without `{message}`");
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([format!("-{name}"), self.process.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

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
