//! Every byte, percent-encoded once and twice, at every place where it could
//! matter of every path that is guarded, by a route or by a role.

use super::{Caller, STACKS, Site, report, request};

/// A guarded path, and who may not have it.
const GUARDED: [(&str, Caller); 4] = [
    ("/admin", Caller::Nobody),
    ("/keys:rotate", Caller::Nobody),
    ("/v1/users:delete", Caller::Reader),
    ("/v1/@me/data", Caller::Reader),
];

#[test]
fn flask_on_werkzeug() {
    no_encoding_reaches_what_is_guarded(0);
}

#[test]
fn flask_on_wsgiref() {
    no_encoding_reaches_what_is_guarded(1);
}

#[test]
fn flask_on_waitress() {
    no_encoding_reaches_what_is_guarded(2);
}

#[test]
fn django_on_uvicorn() {
    no_encoding_reaches_what_is_guarded(3);
}

#[test]
fn django_on_hypercorn() {
    no_encoding_reaches_what_is_guarded(4);
}

fn no_encoding_reaches_what_is_guarded(stack: usize) {
    let stack = STACKS.into_iter().nth(stack).expect("a stack");
    let Some(site) = Site::start(stack) else { return };
    let mut gate = site.gate();
    let mut failures = Vec::new();
    let mut tried = 0;
    for (path, caller) in GUARDED {
        for target in spellings(path) {
            tried += 1;
            let Some(answer) = gate.send(&request("GET", &target, caller, "")) else { continue };
            if caller.may_not_have(&answer) {
                failures.push(format!("GET {target} by {caller:?} is {}", answer.field("x-view").unwrap_or_default()));
            }
        }
    }
    assert!(tried > 9_000, "only {tried} were tried");
    report(site.stack, tried, &failures);
}

/// Spellings of `path`: each byte in place of itself and beside everything else.
fn spellings(path: &str) -> Vec<String> {
    let mut spellings = Vec::new();
    for byte in 0..=u8::MAX {
        for encoded in encodings(byte) {
            let places = path.bytes().enumerate().filter(|(_, own)| *own == byte).map(|(at, _)| at);
            spellings.extend(places.map(|at| spliced(path, at, 1, &encoded)));
            let before_last = path.rfind('/').unwrap_or_default() + 1;
            for at in [1, before_last, path.len() - 1, path.len()] {
                spellings.push(spliced(path, at, 0, &encoded));
            }
        }
    }
    // As a whole, and every byte but the slashes.
    spellings.push(path.bytes().map(|byte| if byte == b'/' { "/".into() } else { format!("%{byte:02x}") }).collect());
    spellings.push(path.bytes().map(|byte| if byte == b'/' { "/".into() } else { format!("%25{byte:02x}") }).collect());
    spellings.dedup();
    spellings
}

/// A byte encoded once, and in the ways in which that can be encoded again.
fn encodings(byte: u8) -> [String; 4] {
    let digits = format!("{byte:02X}");
    let again: String = digits.bytes().map(|digit| format!("%{digit:02X}")).collect();
    [format!("%{digits}"), format!("%{}", digits.to_lowercase()), format!("%25{digits}"), format!("%25{again}")]
}

fn spliced(path: &str, at: usize, removed: usize, inserted: &str) -> String {
    let (before, rest) = path.split_at(at);
    let (_, after) = rest.split_at(removed);
    format!("{before}{inserted}{after}")
}
