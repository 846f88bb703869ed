//! A check that its executor leaves alone for a while still ends at its
//! deadline.

#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod common;

use barmkin_host::*;
use common::{act, head, policy, route, scripted, spec};
use rustix::time::{ClockId, clock_gettime};
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
    route.body_bytes_max = Some(32 * 1024 * 1024);
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

/// Work that other tasks do on the thread while it is suspended is not its own.
#[test]
fn a_check_does_not_pay_for_what_others_do_in_between() {
    let mut route = route("r", &[policy("honest")]);
    route.body_bytes_max = Some(32 * 1024 * 1024);
    route.public = true;
    let mut honest = scripted(0, true, OnError::Deny);
    honest.deadline = Duration::from_millis(100);
    let gate = common::gate(&spec(vec![("honest", honest)], vec![route], 10), MemoryStore::default());
    let mut context = Context::from_waker(Waker::noop());
    let mut check = pin!(gate.check(head("/r", &[act(0, "compute:20000000"), act(0, "allow")]), Body::NotCarried));
    let mut turns = 0;
    let verdict = loop {
        if let Poll::Ready(verdict) = check.as_mut().poll(&mut context) {
            break verdict;
        }
        turns += 1;
        if turns <= 3 {
            use_cpu(Duration::from_millis(100));
        }
    };
    assert!(turns > 0, "it was suspended");
    assert!(matches!(verdict, Verdict::Allow(_)), "{:?}", verdict.reason());
}

/// CPU time of this thread.
fn use_cpu(span: Duration) {
    let cpu = || Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap();
    let began = cpu();
    while cpu() - began < span {
        std::hint::spin_loop();
    }
}
