//! How a gate starts and stops, in a container and at a terminal.
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods, reason = "tests")]

mod support;

use std::time::{Duration, Instant};
use support::webhooks::{NEW, RULES, Webhooks, with_rules};

fn start(drain: &str) -> Webhooks {
    let folder = with_rules();
    let rules = RULES.replace("drain = \"0s\"", &format!("drain = \"{drain}\""));
    assert_ne!(rules, RULES);
    std::fs::write(folder.path().join("barmkin.toml"), rules).unwrap();
    Webhooks::start_in(folder, "info")
}

#[test]
fn it_is_not_ready_while_it_still_serves_and_then_it_is_gone() {
    let mut gate = start("2s");
    let socket = gate.folder.path().join("admin.sock");
    assert_eq!(gate.status()["ready"], true);
    gate.serving.signal("TERM");
    gate.serving.wait_for("stopping: it is not ready any more");
    assert_eq!(gate.status()["ready"], false);
    assert_eq!(gate.deliver("/hooks", NEW, "1"), None, "it goes on");
    gate.serving.wait_for("stopping: what is under way may end");
    gate.serving.wait_for("stopped");
    assert_eq!(gate.serving.process.wait().unwrap().code(), Some(0));
    assert!(!socket.exists(), "the socket goes with the gate");
}

#[test]
fn a_second_signal_ends_it_at_once() {
    for second in ["TERM", "INT"] {
        let mut gate = start("60s");
        gate.serving.signal("TERM");
        gate.serving.wait_for("stopping: it is not ready any more");
        let began = Instant::now();
        gate.serving.signal(second);
        assert_eq!(gate.serving.process.wait().unwrap().code(), Some(0));
        assert!(began.elapsed() < Duration::from_secs(10), "{second}: {:?}", began.elapsed());
    }
}

#[test]
fn a_cache_that_cannot_be_used_costs_time_and_not_the_start() {
    let folder = with_rules();
    let rules = RULES.replace("[admin]", "[cache]\npath = \"a-file\"\n\n[admin]");
    std::fs::write(folder.path().join("barmkin.toml"), rules).unwrap();
    std::fs::write(folder.path().join("a-file"), "no folder").unwrap();
    let gate = Webhooks::start_in(folder, "info");
    assert_eq!(gate.deliver("/hooks", NEW, "1"), None);
    assert!(gate.serving.stop().contains("the cache of compiled policies is not used"));
}
