//! More requests than can be decided: the line in front of the gate has an
//! end, and whoever stands behind it is told so at once.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests")]

mod common;

use barmkin_host::limits::UNDECIDED_MAX;
use barmkin_host::*;
use common::{ENGINE, head, route, spec};
use std::pin::Pin;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// Keeps the first who asks for the time until it is told to go on.
struct Held(Mutex<Option<(Sender<()>, Receiver<()>)>>);

impl Clock for Held {
    fn now(&self) -> Duration {
        let first = self.0.lock().unwrap().take();
        if let Some((entered, go_on)) = first {
            entered.send(()).unwrap();
            go_on.recv().unwrap();
        }
        Duration::from_secs(1_700_000_000)
    }
}

type Decision<'g> = Pin<Box<dyn Future<Output = Verdict> + Send + 'g>>;

fn ask(gate: &Gate) -> Decision<'_> {
    Box::pin(gate.decide_in_turn(gate.intake(head("/r", &[])), Body::NotCarried))
}

fn poll(decision: &mut Decision<'_>) -> Poll<Verdict> {
    decision.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

fn finish(mut decision: Decision<'_>) -> Verdict {
    loop {
        if let Poll::Ready(verdict) = poll(&mut decision) {
            return verdict;
        }
    }
}

#[test]
fn whoever_finds_the_line_full_is_told_so_at_once() {
    let (entered, has_entered) = channel();
    let (let_go, go_on) = channel();
    let mut open = route("r", &[]);
    open.public = true;
    let mut services = Services::new(MemoryStore::default());
    services.clock = Arc::new(Held(Mutex::new(Some((entered, go_on)))));
    let generation = Generation::build(&ENGINE, &spec(Vec::new(), vec![open], 10), &KeyRing::default(), services);
    let gate = Gate::new(generation.unwrap());
    std::thread::scope(|scope| {
        let first = scope.spawn(|| finish(ask(&gate)));
        has_entered.recv().unwrap();

        let mut line = Vec::new();
        let refused = loop {
            let mut next = ask(&gate);
            match poll(&mut next) {
                Poll::Pending => line.push(next),
                Poll::Ready(Verdict::Deny(denial)) => break denial,
                // Where there are many threads, a few need not wait.
                Poll::Ready(Verdict::Allow(_)) => assert!(line.is_empty()),
            }
        };
        assert_eq!(line.len(), UNDECIDED_MAX - 1);
        assert_eq!(refused.reason().as_str(), "overloaded");
        let response = refused.response();
        assert_eq!(response.status(), http::StatusCode::SERVICE_UNAVAILABLE);
        assert!(response.headers().contains_key("retry-after"));

        let_go.send(()).unwrap();
        assert!(matches!(first.join().unwrap(), Verdict::Allow(_)));
        // Who goes away leaves the line, who waits is decided.
        line.truncate(10);
        assert!(line.into_iter().map(finish).all(|verdict| matches!(verdict, Verdict::Allow(_))));
        assert!(matches!(finish(ask(&gate)), Verdict::Allow(_)));
    });
}
