//! A delivery follows its outcome: every way in, every `keep` and `on-duplicate`,
//! and everything that can go wrong behind the gate. The table that comes of it is
//! in `docs/deliveries.md`.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test ends by panicking")]

mod gate;
mod sender;
mod table;
mod tower;
mod upstream;

use barmkin_host::limits::LEASE;
use barmkin_tests::harness::{Envoy, Gate as Asked, Nginx, Tool};
use gate::Gate;
use sender::{Delivery, Seen, send};
use std::net::SocketAddr;
use std::time::Duration;
use table::{Cell, Table};
use upstream::{Fails, Upstream};

pub(crate) const KEEPS: [&str; 4] = ["unset", "on-success", "on-allow", "always"];
pub(crate) const DUPLICATES: [&str; 4] = ["unset", "acknowledge", "deny", "mark"];

/// Nobody listens there.
const CLOSED: &str = "127.0.0.1:1";

/// Where a way in is entered: in front of an upstream, and of none.
struct Front {
    way: &'static str,
    open: SocketAddr,
    closed: SocketAddr,
}

#[test]
fn a_delivery_follows_its_outcome_by_every_way_in() {
    let what = "the table of deliveries";
    let (Some(envoy), Some(nginx)) = (Tool::Envoy.find(what), Tool::Nginx.find(what)) else { return };
    let upstream = Upstream::start();
    let closed: SocketAddr = CLOSED.parse().unwrap();
    let mut gate = Gate::start(upstream.address(), closed);
    let asked = gate.address("check");
    let envoys = [upstream.address(), closed].map(|to| Envoy::start(&envoy, &Asked::Tcp(asked), to));
    let nginxes = [upstream.address(), closed].map(|to| Nginx::start_for(&nginx, gate.configuration(), "auth", to));
    let layered = tower::gate(&gate.rules());
    let towers = [upstream.address(), closed].map(|to| tower::serve(layered.clone(), to));
    let fronts = [
        Front { way: "reverse-proxy", open: gate.address("edge"), closed: gate.address("closed") },
        Front { way: "tower", open: towers[0].address(), closed: towers[1].address() },
        Front { way: "ext-authz (Envoy)", open: envoys[0].address(), closed: envoys[1].address() },
        Front { way: "forward-auth (nginx)", open: nginxes[0].address(), closed: nginxes[1].address() },
    ];

    let mut table = Table::default();
    for front in &fronts {
        for fails in Fails::ALL {
            // Each combination on a thread: nobody waits for another's time-out.
            std::thread::scope(|scope| {
                let asked: Vec<_> = combinations()
                    .map(|(keep, duplicate)| {
                        let upstream = &upstream;
                        scope.spawn(move || (keep, duplicate, one(front, upstream, fails, keep, duplicate)))
                    })
                    .collect();
                for one in asked {
                    let (keep, duplicate, cell) = one.join().unwrap();
                    table.insert(front.way, keep, duplicate, fails.name(), cell);
                }
            });
        }
    }
    for (keep, duplicate, way, cell) in killed(&mut gate, &upstream, &fronts) {
        table.insert(way, keep, duplicate, "gate killed", cell);
    }
    table.assert_nothing_is_lost_by_default();
    table.assert_documented();
}

fn combinations() -> impl Iterator<Item = (&'static str, &'static str)> {
    KEEPS.into_iter().flat_map(|keep| DUPLICATES.into_iter().map(move |duplicate| (keep, duplicate)))
}

/// A delivery that comes to this, and its sender's next attempt.
fn one(front: &Front, upstream: &Upstream, fails: Fails, keep: &str, duplicate: &str) -> Cell {
    let delivery = Delivery::new(keep, duplicate);
    match fails {
        Fails::Refused => drop(send(front.closed, &delivery, fails)),
        Fails::HangsUp => {
            sender::hang_up(front.open, &delivery, fails, || upstream.has_seen(&delivery.id));
            let again = sender::until_decided(|| send(front.open, &delivery, Fails::Nothing));
            // Whether anybody listens makes no difference to what it does.
            sender::wait_until(|| upstream.received(&delivery.id).taken);
            return Cell::of(&again, upstream, &delivery.id);
        }
        _ => drop(send(front.open, &delivery, fails)),
    }
    let again = sender::until_decided(|| send(front.open, &delivery, Fails::Nothing));
    Cell::of(&again, upstream, &delivery.id)
}

/// Deliveries under way when the gate is killed, and the attempts of their senders
/// when it is back and their leases have ended.
fn killed(
    gate: &mut Gate,
    upstream: &Upstream,
    fronts: &[Front],
) -> Vec<(&'static str, &'static str, &'static str, Cell)> {
    let by_gate: Vec<&Front> = fronts.iter().filter(|front| front.way != "tower").collect();
    let deliveries: Vec<_> = by_gate
        .iter()
        .flat_map(|front| combinations().map(move |(keep, duplicate)| (*front, Delivery::new(keep, duplicate))))
        .collect();
    std::thread::scope(|scope| {
        for (front, delivery) in &deliveries {
            scope.spawn(move || drop(send(front.open, delivery, Fails::Held)));
        }
        for (_, delivery) in &deliveries {
            sender::wait_until(|| upstream.has_seen(&delivery.id));
        }
        gate.kill();
    });
    gate.restart();
    for (front, delivery) in &deliveries {
        let again = send(front.open, delivery, Fails::Nothing).expect("an answer");
        let is_held = front.way == "reverse-proxy" && matches!(delivery.keep, "unset" | "on-success");
        assert_eq!(again.reason.as_deref() == Some("in-progress"), is_held, "{} {delivery:?} {again:?}", front.way);
    }
    std::thread::sleep(LEASE + Duration::from_secs(1));
    let cell = |(front, delivery): (&Front, Delivery)| {
        let again: Seen = send(front.open, &delivery, Fails::Nothing).expect("an answer");
        (delivery.keep, delivery.duplicate, front.way, Cell::of(&again, upstream, &delivery.id))
    };
    deliveries.into_iter().map(cell).collect()
}
