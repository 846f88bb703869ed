//! A gate that loads something slow, and what must not wait for it.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs, reason = "tests")]

use barmkin_tests::harness::{Barmkin, ListenerKind, free_address};
use barmkin_tests::loading::{Guest, padded};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::time::{Duration, Instant};

const NEW: &str = "the new secret of the sender";
const OLD: &str = "the old secret of the sender";

const RULES: &str = r#"version = 1

[admin]
address = "unix:admin.sock"

[keys.github]
algorithm = "hmac-sha256"
secrets = [
    { id = "new", from = "file:secrets/new" },
    { id = "old", from = "file:secrets/old" },
]

[policies.github]
component = "stock:webhook-signature"
settings = { provider = "github" }
grants = { keys = { signing = "github" }, vouch = true }

[[routes]]
name = "hooks"
match = { path.prefix = "/first" }
chain = ["github"]
"#;

/// It takes seconds, also on an idle machine.
const SLOW_GUEST: Guest = Guest { name: "slow", code_bytes: 600_000, largest_bytes: 30_000 };

/// Another policy, which takes seconds to load.
const SLOW: &str = r#"
[policies.slow]
component = "file:slow.wasm"
settings = { provider = "github" }
grants = { keys = { signing = "github" }, vouch = true }

[[routes]]
name = "slow"
match = { path.prefix = "/slow" }
chain = ["slow"]
"#;

#[expect(clippy::disallowed_methods, reason = "how long a real gate takes")]
fn now() -> Instant {
    Instant::now()
}

/// Asks until `is_so`, and says how long that took.
fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) -> Duration {
    let began = now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(300), "waited for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
    began.elapsed()
}

struct Gate {
    barmkin: Barmkin,
    rules: String,
}

impl Gate {
    fn start() -> Self {
        let edge = ListenerKind::ReverseProxy(free_address());
        let barmkin = Barmkin::serve(RULES, &[("new", NEW), ("old", OLD)], &[("edge", edge)]);
        let rules = std::fs::read_to_string(barmkin.folder().join("barmkin.toml")).unwrap();
        Self { barmkin, rules }
    }

    fn replace(&self, name: &str, contents: &[u8]) {
        let path = self.barmkin.folder().join(name);
        let aside = path.with_extension("aside");
        std::fs::write(&aside, contents).unwrap();
        std::fs::set_permissions(&aside, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::rename(&aside, &path).unwrap();
    }

    /// Has the gate load something that takes it seconds.
    fn load_slowly(&self) {
        let stock = barmkin_stock::get("webhook-signature").unwrap().component;
        self.replace("slow.wasm", &padded(stock, &SLOW_GUEST));
        self.replace("barmkin.toml", format!("{}{SLOW}", self.rules).as_bytes());
        wait_until("the load to begin", || self.is_loading());
        // It waits for quiet, reads, and then compiles.
        std::thread::sleep(Duration::from_millis(500));
        assert!(self.is_loading());
    }

    fn ask(&self, method: &str, target: &str) -> Value {
        let mut connection = UnixStream::connect(self.barmkin.folder().join("admin.sock")).unwrap();
        write!(connection, "{method} {target} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        serde_json::from_str(body).unwrap()
    }

    fn status(&self) -> Value {
        self.ask("GET", "/status")
    }

    fn is_loading(&self) -> bool {
        self.status()["loading"].is_object()
    }

    fn number(&self) -> Value {
        self.status()["generation"]["number"].clone()
    }

    /// Has `rules` serve, as generation `number`.
    fn change(&self, rules: &str, number: u64) {
        self.replace("barmkin.toml", rules.as_bytes());
        wait_until("the next generation", || self.number() == number);
    }

    /// Whether a delivery signed with `secret` goes through.
    fn takes(&self, path: &str, secret: &str) -> bool {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(b"{}");
        let signature = hex::encode(mac.finalize().into_bytes());
        let mut connection = TcpStream::connect(self.barmkin.address("edge")).unwrap();
        write!(
            connection,
            "POST {path} HTTP/1.1\r\nhost: a\r\nx-hub-signature-256: sha256={signature}\r\n\
             content-length: 2\r\nconnection: close\r\n\r\n{{}}"
        )
        .unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        // A request that is let through finds no upstream.
        answer.contains("barmkin-reason: upstream-unreachable")
    }
}

#[test]
fn a_secret_that_is_removed_while_something_loads_stops_verifying_within_a_second() {
    let gate = Gate::start();
    assert!(gate.takes("/first", OLD));
    gate.load_slowly();
    std::fs::remove_file(gate.barmkin.folder().join("secrets/old")).unwrap();
    let took = wait_until("the secret to go", || !gate.takes("/first", OLD));
    assert!(gate.is_loading(), "nothing was loaded meanwhile");
    assert!(took < Duration::from_secs(1), "{took:?}");
    assert!(gate.takes("/first", NEW));
    let began = now();
    assert_eq!(gate.status()["keys"]["github"], serde_json::json!(["new"]));
    assert!(began.elapsed() < Duration::from_millis(500), "{:?}", began.elapsed());

    // Nor does what was loaded bring it back, which had read it before.
    wait_until("the load to end", || {
        assert!(!gate.takes("/first", OLD));
        !gate.is_loading()
    });
    assert!(!gate.takes("/first", OLD) && !gate.takes("/slow", OLD));
    assert!(gate.takes("/first", NEW));
}

#[test]
fn a_rollback_goes_before_loading_and_compiles_nothing() {
    let gate = Gate::start();
    let with =
        |path: &str, settings: &str| gate.rules.replace("/first", path).replace("{ provider = \"github\" }", settings);
    // Each has a policy of its own, and so something to compile.
    gate.change(&with("/second", "{ provider = \"shopify\" }"), 2);
    gate.change(&with("/third", "{ provider = \"slack\" }"), 3);
    gate.load_slowly();
    let began = now();
    let answer = gate.ask("POST", "/rollback?to=1");
    let took = began.elapsed();
    assert_eq!((&answer["number"], &answer["compiled"]), (&1.into(), &0.into()), "{answer}");
    assert!(took < Duration::from_secs(1), "{took:?}");
    assert!(gate.is_loading(), "nothing was loaded meanwhile");
    assert!(gate.takes("/first", NEW));

    // A load that was asked for before replaces nothing when it is done,
    wait_until("the load to end", || !gate.is_loading());
    assert_eq!(gate.number(), 1);
    assert!(gate.takes("/first", NEW) && !gate.takes("/slow", NEW));
    assert!(gate.status()["generation"]["rolled-back-from"].is_string());
    // and what is asked for later does.
    let answer = gate.ask("POST", "/reload");
    assert_eq!(answer["outcome"], "loaded", "{answer}");
    assert!(gate.takes("/slow", NEW));
}

#[test]
fn a_secret_that_becomes_something_else_than_a_file_is_gone_and_nothing_hangs() {
    let gate = Gate::start();
    let secret = gate.barmkin.folder().join("secrets/old");
    std::fs::remove_file(&secret).unwrap();
    assert!(Command::new("mkfifo").args(["-m", "600"]).arg(&secret).status().unwrap().success());
    let took = wait_until("the secret to go", || !gate.takes("/first", OLD));
    assert!(took < Duration::from_secs(1), "{took:?}");
    let problem = "secrets/old` cannot be read: it is a FIFO, not a regular file";
    wait_until("the problem", || gate.status()["problem"].as_str().is_some_and(|found| found.contains(problem)));

    // Others can be withdrawn after it, and it can be put right.
    assert!(gate.takes("/first", NEW));
    std::fs::remove_file(gate.barmkin.folder().join("secrets/new")).unwrap();
    wait_until("the other to go", || !gate.takes("/first", NEW));
    gate.replace("secrets/new", NEW.as_bytes());
    std::fs::remove_file(&secret).unwrap();
    gate.replace("secrets/old", OLD.as_bytes());
    wait_until("both to be back", || gate.takes("/first", NEW) && gate.takes("/first", OLD));
}
