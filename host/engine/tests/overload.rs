//! More requests than can be decided: the queue in front of the gate is bounded,
//! and a request that finds it full is refused at once.

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

/// Keeps the first ones who ask for the time until they are told to go on.
struct Held(Mutex<Vec<(Sender<()>, Receiver<()>)>>);

impl Clock for Held {
    fn now(&self) -> Duration {
        let next = self.0.lock().unwrap().pop();
        if let Some((entered, go_on)) = next {
            entered.send(()).unwrap();
            go_on.recv().unwrap();
        }
        Duration::from_secs(1_700_000_000)
    }
}

type Decision<'g> = Pin<Box<dyn Future<Output = Verdict> + Send + 'g>>;

fn ask(gate: &Gate) -> Decision<'_> {
    Box::pin(gate.decide(gate.intake(head("/r", &[])), Body::NotCarried))
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
    // As many as there are threads are decided at once, and keep them busy.
    let busy = std::thread::available_parallelism().map_or(1, usize::from);
    let (entered, has_entered) = channel();
    let (let_go, held): (Vec<_>, Vec<_>) = (0..busy)
        .map(|_| {
            let (let_go, go_on) = channel();
            (let_go, (entered.clone(), go_on))
        })
        .unzip();
    let mut open = route("r", &[]);
    open.public = true;
    let mut services = Services::new(MemoryStore::default());
    services.clock = Arc::new(Held(Mutex::new(held)));
    let generation = Generation::build(&ENGINE, &spec(Vec::new(), vec![open], 10), &KeyRing::default(), services);
    let gate = Gate::new(generation.unwrap());
    std::thread::scope(|scope| {
        let first: Vec<_> = (0..busy).map(|_| scope.spawn(|| finish(ask(&gate)))).collect();
        (0..busy).for_each(|_| has_entered.recv().unwrap());

        let mut line = Vec::new();
        let refused = loop {
            let mut next = ask(&gate);
            match poll(&mut next) {
                Poll::Pending => line.push(next),
                Poll::Ready(Verdict::Deny(denial)) => break denial,
                Poll::Ready(Verdict::Allow(_)) => panic!("it did not wait"),
            }
        };
        assert_eq!(line.len(), UNDECIDED_MAX - busy);
        assert_eq!(refused.reason().as_str(), "overloaded");
        let response = refused.response();
        assert_eq!(response.status(), http::StatusCode::SERVICE_UNAVAILABLE);
        assert!(response.headers().contains_key("retry-after"));

        // Every way of deciding has that bound but the one that says otherwise.
        let request = || head("/r", &[]);
        assert!(is_overloaded(&gate.check_now(request(), Body::NotCarried).unwrap()));
        assert!(is_overloaded(&finish(Box::pin(gate.check(request(), Body::NotCarried)))));
        let unbounded = gate.intake(request()).decide_unbounded_now(Body::NotCarried).unwrap();
        assert!(matches!(unbounded, Verdict::Allow(_)));

        let_go.into_iter().for_each(|let_go| let_go.send(()).unwrap());
        assert!(first.into_iter().all(|first| matches!(first.join().unwrap(), Verdict::Allow(_))));
        // Who goes away leaves the line, who waits is decided.
        line.truncate(10);
        assert!(line.into_iter().map(finish).all(|verdict| matches!(verdict, Verdict::Allow(_))));
        assert!(matches!(finish(ask(&gate)), Verdict::Allow(_)));
    });
}

fn is_overloaded(verdict: &Verdict) -> bool {
    verdict.reason().is_some_and(|reason| reason.as_str() == "overloaded")
}
