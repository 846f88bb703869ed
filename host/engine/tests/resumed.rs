//! A check that its executor leaves alone for a while still ends at its
//! deadline.

#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod common;

use barmkin_host::*;
use common::{act, head, policy, route, scripted, spec};
use std::pin::pin;
use std::sync::mpsc::channel;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// Longer than the engine ticks without a check that begins.
const AWAY: Duration = Duration::from_secs(2);

#[test]
fn a_check_that_is_polled_again_after_a_while_ends_at_its_deadline() {
    let mut route = route("r", &[policy("spin")]);
    // Its policies have a stack of their own, and give turns to others.
    route.body_bytes_max = 32 * 1024 * 1024;
    route.public = true;
    let spec = spec(vec![("spin", scripted(0, true, OnError::Deny))], vec![route], 10);
    let gate = common::gate(&spec, MemoryStore::default());
    let (send, reason) = channel();
    std::thread::spawn(move || {
        let mut context = Context::from_waker(Waker::noop());
        let mut check = pin!(gate.check(head("/r", &[act(0, "spin")]), Body::NotCarried));
        assert!(check.as_mut().poll(&mut context).is_pending(), "it gives others a turn at a tick");
        // Its executor is busy with something that blocks.
        std::thread::sleep(AWAY);
        let verdict = loop {
            if let Poll::Ready(verdict) = check.as_mut().poll(&mut context) {
                break verdict;
            }
        };
        send.send(verdict.reason().map(|reason| reason.as_str().to_owned())).unwrap();
    });
    let reason = reason.recv_timeout(Duration::from_secs(30)).expect("it ends");
    assert_eq!(reason.as_deref(), Some("deadline-exceeded"));
}
