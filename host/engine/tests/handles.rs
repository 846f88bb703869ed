//! The parts that decide keep what bounds them, whichever handles the caller
//! drops.

#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod common;

use barmkin_host::*;
use common::{SECRET, act, head, policy, route, scripted, spec};
use std::sync::mpsc::channel;
use std::time::Duration;

fn gate() -> Gate {
    let mut route = route("r", &[policy("spin")]);
    route.public = true;
    let spec = spec(vec![("spin", scripted(0, true, OnError::Deny))], vec![route], 10);
    let keys =
        KeyRing::default().with("signing", Key::new(Algorithm::HmacSha256).with_secret("test", SECRET, None).unwrap());
    // The engine, the spec, the keys and the services end here.
    let engine = Engine::new(&EngineSettings::default()).unwrap();
    Gate::new(Generation::build(&engine, &spec, &keys, Services::new(MemoryStore::default())).unwrap())
}

/// Threads of this process that tick.
fn tickers() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let name = |task: std::io::Result<std::fs::DirEntry>| std::fs::read_to_string(task.unwrap().path().join("comm"));
    tasks.filter_map(|task| name(task).ok()).filter(|name| name.trim() == "barmkin-ticker").count()
}

/// One test, since it counts the threads of its process.
#[test]
fn a_gate_ends_its_checks_after_its_engine_was_dropped_and_its_thread_with_itself() {
    let gate = gate();
    let (send, answer) = channel();
    std::thread::spawn(move || {
        let spin = |gate: &Gate| gate.check_now(head("/r", &[act(0, "spin")]), Body::NotCarried).unwrap();
        let first = spin(&gate);
        // An intake keeps its generation when the gate has another, or is gone.
        let intake = gate.intake(head("/r", &[act(0, "spin")]));
        let ticking = tickers();
        drop(gate);
        let second = intake.decide_unbounded_now(Body::NotCarried).unwrap();
        send.send((first, second, ticking)).unwrap();
    });
    let (first, second, ticking) = answer.recv_timeout(Duration::from_secs(30)).expect("both end at their deadline");
    for verdict in [first, second] {
        assert_eq!(verdict.reason().map(Reason::as_str), Some("deadline-exceeded"));
    }
    assert_eq!(ticking, 1);
    assert_eq!(tickers(), 0, "the thread ended with the gate");
}
