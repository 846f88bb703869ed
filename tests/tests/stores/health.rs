//! The operators' view of a store that goes away from a running gate.

use crate::subjects::block_on;
use barmkin_admin::Answer;
use barmkin_tests::harness::{Barmkin, ListenerKind, Redis, Request, Tool};
use std::time::{Duration, Instant};

const RULES: &str = r#"version = 1

[admin]
address = "unix:admin.sock"

[quotas.calls]
rate = "1000/s"
key = "route"

[[routes]]
name = "all"
public = true
chain = ["stock:rate-quota"]
"#;

/// A gate by [`RULES`] whose store is at `server`, and may take `timeout` to answer.
fn serve(server: &Redis, timeout: &str) -> Barmkin {
    let store = format!("kind = \"redis\"\nurl = \"{}\"\ntimeout = \"{timeout}\"", server.url());
    let rules = format!("{RULES}\n[store]\n{store}\n");
    let gate = Barmkin::serve(&rules, &[], &[("gate", ListenerKind::ForwardAuth("caddy"))]);
    // Operators come last.
    soon("operators are answered", || ask(&gate, "/readyz").is_some_and(|answer| answer.status.is_success()));
    gate
}

fn ask(gate: &Barmkin, target: &str) -> Option<Answer> {
    let admin = format!("unix:{}", gate.socket("admin").display());
    block_on(barmkin_admin::ask(&admin, http::Method::GET, target)).ok()
}

/// Tries until it is so.
fn soon(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(20), "{what}");
        std::thread::yield_now();
    }
}

/// The value of a metric.
fn metric(gate: &Barmkin, name: &str) -> u64 {
    let metrics = String::from_utf8(ask(gate, "/metrics").unwrap().body.to_vec()).unwrap();
    let value = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.unwrap_or_else(|| panic!("`{name}` is not in:\n{metrics}")).parse().unwrap()
}

/// Why a call is denied; `None` if it is not.
fn call(gate: &Barmkin) -> Option<String> {
    let call = Request::new("GET", "/", "gate").with("x-forwarded-method", "GET").with("x-forwarded-uri", "/");
    let call = call.with("x-forwarded-host", "app").with("x-forwarded-proto", "https");
    call.send(gate.address("gate")).unwrap().field("barmkin-reason").map(str::to_owned)
}

#[test]
fn metrics_tell_of_a_store_that_goes_away_and_comes_back() {
    let Some(program) = Tool::Redis.find("a gate whose Redis goes away") else { return };
    let mut server = Redis::start(&program, &[]);
    server.kill();
    let gate = serve(&server, "250ms");
    assert_eq!(metric(&gate, "barmkin_store_failing"), 1, "it is told at the start");
    for _ in 0..2 {
        let unavailable = r#"barmkin_store_calls_total{call="take",answer="unavailable"}"#;
        let before = metric(&gate, unavailable);
        assert_eq!(call(&gate).as_deref(), Some("store-unavailable"));
        assert_eq!(metric(&gate, unavailable), before + 1);
        assert_eq!(metric(&gate, "barmkin_store_failing"), 1);
        server.restart();
        // With one of the next connections.
        soon("it comes back", || {
            call(&gate).is_none_or(|reason| {
                assert_eq!(reason, "store-unavailable");
                false
            })
        });
        assert_eq!(metric(&gate, "barmkin_store_failing"), 0);
        server.kill();
    }
    assert_eq!(metric(&gate, r#"barmkin_store_calls_total{call="take",answer="ok"}"#), 2);
}

#[test]
fn metrics_tell_of_checks_that_hold_a_place_in_the_pool() {
    let Some(program) = Tool::Redis.find("a gate whose Redis is slow") else { return };
    let server = Redis::start(&program, &[]);
    let gate = serve(&server, "10s");
    assert_eq!(call(&gate), None);
    assert_eq!(metric(&gate, "barmkin_pool_checks"), 0);
    server.signal("STOP");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| call(&gate));
        // It is under way from when Redis is asked until it answers.
        while metric(&gate, "barmkin_pool_checks") == 0 {
            assert!(!waiting.is_finished(), "it waits for its store");
        }
        assert_eq!(metric(&gate, "barmkin_pool_checks"), 1);
        server.signal("CONT");
        assert_eq!(waiting.join().unwrap(), None);
    });
    assert_eq!(metric(&gate, "barmkin_pool_checks"), 0);
    assert!(metric(&gate, "barmkin_pool_checks_max") > 1);
}
