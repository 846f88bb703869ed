//! The work that a policy can have the host do is bounded, whatever it asks
//! for.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "tests")]

mod common;
#[path = "host_work/direct.rs"]
mod direct;

use barmkin_host::*;
use bytes::Bytes;
use common::{fixture, head, policy, route, spec};
use rustix::time::{ClockId, clock_gettime};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

static DEMANDING: LazyLock<Arc<[u8]>> = LazyLock::new(|| fixture("demanding"));

/// The most that hashing a byte may cost in a build without optimizations,
/// beside other tests.
const HASHED_BYTE: Duration = Duration::from_nanos(20);

/// The last call was within the budget when it began: the most that one can
/// have the host copy and hash.
const ONE_CALL: Duration = Duration::from_millis(80);

const BODY_BYTES: usize = 1024 * 1024;

fn keys() -> KeyRing {
    let key = |algorithm, secret: &[u8]| Key::new(algorithm).with_secret("test", secret, None).unwrap();
    // RFC 8032 section 7.1, TEST 1.
    let public = hex::decode("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a").unwrap();
    KeyRing::default()
        .with("signing", key(Algorithm::HmacSha256, b"secret"))
        .with("public", key(Algorithm::Ed25519, &public))
        .with("lookup", key(Algorithm::KeyedHashSha256, b"pepper"))
}

fn demanding() -> PolicySpec {
    let mut policy = PolicySpec::new(DEMANDING.clone());
    policy.memory_bytes = 16 * 1024 * 1024;
    let same = |name: &str| (name.to_owned(), name.to_owned());
    policy.grants.keys = ["signing", "public", "lookup"].map(same).into();
    policy.grants.nonces = [same("nonces")].into();
    policy.grants.quotas = [("quota".to_owned(), vec!["quota".to_owned()])].into();
    policy
}

fn gate() -> Gate {
    let mut route = route("r", &[policy("demanding")]);
    route.public = true;
    let spec = spec(vec![("demanding", demanding())], vec![route], 1_000_000);
    let services = Services::new(MemoryStore::default());
    Gate::new(Generation::build(&common::ENGINE, &spec, &keys(), services).unwrap())
}

fn ask(gate: &Gate, what: &str) -> String {
    let fields = [("x-demand".to_owned(), what.to_owned())];
    let body = Bytes::from(vec![b'a'; BODY_BYTES]);
    let verdict = gate.check_now(head("/r", &fields), Body::Whole(body)).unwrap();
    verdict.reason().map_or("allow", Reason::as_str).to_owned()
}

/// CPU time of this thread.
fn cpu() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap()
}

/// Peak memory of this process, in bytes.
fn peak_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<usize>().unwrap() * 1024
}

#[test]
fn no_host_function_gives_more_than_the_deadline_and_the_body_cost() {
    let gate = gate();
    ask(&gate, "nothing");
    let peak = peak_bytes();
    // Each key hashes the body once, a public key for each of a few candidates.
    let body = HASHED_BYTE * BODY_BYTES as u32 * (1 + limits::PUBLIC_KEY_CANDIDATES as u32);
    let bound = limits::DEADLINE_DEFAULT + 2 * Duration::from_millis(4) + body + ONE_CALL;
    for (what, expected) in [
        ("body under an hmac key", "deadline-exceeded"),
        ("body under a public key", "deadline-exceeded"),
        ("body many times under an hmac key", "host-calls-exceeded"),
        ("body many times under a public key", "host-calls-exceeded"),
        ("much under an hmac key", "deadline-exceeded"),
        ("much under a public key", "deadline-exceeded"),
        ("long candidates", "deadline-exceeded"),
        ("many public key signatures", "deadline-exceeded"),
        ("many parts", "host-calls-exceeded"),
        ("keyed hashes", "deadline-exceeded"),
        ("long log lines", "deadline-exceeded"),
        ("many log pairs", "policy-trapped"),
        ("long nonces", "host-calls-exceeded"),
        ("nonces", "host-calls-exceeded"),
        ("deliveries", "host-calls-exceeded"),
        ("treatments", "allow"),
        ("long subjects", "host-calls-exceeded"),
        ("subjects", "host-calls-exceeded"),
        ("takes", "host-calls-exceeded"),
        ("readings", "host-calls-exceeded"),
        ("a long answer", "long"),
        ("many fields", "contract-violation"),
    ] {
        let began = cpu();
        let reason = ask(&gate, what);
        let took = cpu() - began;
        println!("{what}: {reason} after {took:?}");
        assert_eq!(reason, expected, "{what}");
        assert!(took <= bound, "{what} took {took:?} of {bound:?}");
        // In between it behaves, or it would be quarantined.
        assert_eq!(ask(&gate, "nothing"), "allow");
    }
    let grown = peak_bytes().saturating_sub(peak);
    assert!(grown < 64 * 1024 * 1024, "the process grew by {grown} bytes");
}

#[test]
fn nothing_that_is_called_in_a_row_gives_more_than_the_deadline() {
    for direct in &direct::CALLS {
        let mut route = route("r", &[policy("direct")]);
        route.public = true;
        let spec = spec(vec![("direct", direct.policy())], vec![route], 1_000_000);
        let services = Services::new(MemoryStore::default());
        let gate = Gate::new(Generation::build(&common::ENGINE, &spec, &keys(), services).unwrap());
        let began = cpu();
        let verdict = gate.check_now(head("/r", &[]), Body::NotCarried).unwrap();
        let took = cpu() - began;
        let reason = verdict.reason().map_or("allow", Reason::as_str);
        println!("{} in a row: {reason} after {took:?}", direct.function);
        assert!(["deadline-exceeded", "host-calls-exceeded"].contains(&reason), "{}: {reason}", direct.function);
        let bound = limits::DEADLINE_DEFAULT + 2 * Duration::from_millis(4) + ONE_CALL;
        assert!(took <= bound, "{} took {took:?}", direct.function);
    }
}
