//! Three gates on one Redis, hammered while it is stopped, paused and restarted.

use super::senders::{self, Reached, deliver, reason};
use super::{Scenario, Verdict};
use crate::harness::{Barmkin, ListenerKind, Redis, Request, Tool, Upstream};
use anyhow::{Context, Result, ensure};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Deliveries in each of the calm times, in a whole run and in a short one.
const DELIVERIES: [u64; 2] = [1_500, 150];

/// Times that Redis is paused, and killed and restarted.
const FAULTS: [usize; 2] = [6, 2];

/// Requests a day on the route that is counted: fewer than are sent.
const COUNTED: [u64; 2] = [2_000, 200];

/// Longer than a gate may take to find its Redis again.
const RECOVERY: Duration = Duration::from_secs(10);

pub(super) fn run(short: bool) -> Result<Verdict> {
    let pick = usize::from(short);
    let program = Tool::Redis.find("soak fleet").context("there is no Redis here")?;
    // It has written all that it has answered: nothing is lost by a kill.
    let mut redis = Redis::start(&program, &["--appendonly", "yes", "--appendfsync", "always"]);
    let upstream = Upstream::start();
    // A busy machine is not the store's fault: an answer that is late leaves
    // its nonce used, and then nobody lets the delivery in.
    let section = format!("kind = \"redis\"\nurl = \"{}\"\ntimeout = \"1s\"", redis.url());
    let rules = senders::rules(&section, COUNTED[pick]);
    let listeners = [("edge", ListenerKind::ReverseProxy(upstream.address()))];
    let gates: Vec<Barmkin> = (0..3).map(|_| Barmkin::serve(&rules, &senders::SECRETS, &listeners)).collect();
    let addresses: Vec<SocketAddr> = gates.iter().map(|gate| gate.address("edge")).collect();
    let fleet = Fleet { addresses, next: AtomicU64::new(0) };
    let mut verdict = Verdict::of(Scenario::Fleet);
    let mut reached = Reached::default();

    let mut calm = fleet.send(DELIVERIES[pick])?;
    let mut slowest = Duration::ZERO;
    let (mut strict, mut lenient) = (0, 0);
    for _ in 0..FAULTS[pick] {
        redis.signal("STOP");
        let (denied, passed) = fleet.ask_without_redis()?;
        (strict, lenient) = (strict + denied, lenient + passed);
        redis.signal("CONT");
        slowest = slowest.max(fleet.recover()?);
        // Load goes on while it dies and comes back.
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let load = scope.spawn(|| fleet.send_until(&stop));
            redis.kill();
            let asked = fleet.ask_without_redis();
            redis.restart();
            let recovered = fleet.recover();
            stop.store(true, Ordering::SeqCst);
            ensure!(load.join().is_ok(), "a sender panicked");
            let (denied, passed) = asked?;
            (strict, lenient) = (strict + denied, lenient + passed);
            slowest = slowest.max(recovered?);
            anyhow::Ok(())
        })?;
        calm = calm.and(fleet.send(DELIVERIES[pick])?);
        reached.add(&upstream);
    }
    fleet.use_up(4 * COUNTED[pick])?;
    reached.add(&upstream);

    verdict.note("deliveries", fleet.next.load(Ordering::SeqCst));
    verdict.require("accepted", calm.once, calm.once > DELIVERIES[pick] / 2, "there must be something to repeat");
    verdict.require("accepted_not_once", calm.otherwise, calm.otherwise == 0, "of three gates one lets it in");
    verdict.require("accepted_twice", reached.repeated(), reached.repeated() == 0, "each delivery is let in once");
    verdict.note("quota", COUNTED[pick]);
    let what = "a quota is one quota, whoever is asked";
    verdict.require("quota_admitted", reached.counted, reached.counted <= COUNTED[pick], what);
    let asked = FAULTS[pick] * 2 * 3;
    verdict.require("denied_without_redis", strict, strict == asked, "on-error = deny denies, with its reason");
    verdict.require("passed_without_redis", lenient, lenient == asked, "on-error = abstain abstains");
    let slowest = u64::try_from(slowest.as_millis())?;
    verdict.require("slowest_recovery_ms", slowest, slowest < 5_000, "without a restart, soon");
    Ok(verdict)
}

struct Fleet {
    addresses: Vec<SocketAddr>,
    next: AtomicU64,
}

/// How many deliveries were let in by one of the gates, and how many were not.
#[derive(Default)]
struct Calm {
    once: u64,
    otherwise: u64,
}

impl Calm {
    fn and(self, other: Self) -> Self {
        Self { once: self.once + other.once, otherwise: self.otherwise + other.otherwise }
    }
}

impl Fleet {
    /// Sends new deliveries, each to all gates at once.
    fn send(&self, deliveries: u64) -> Result<Calm> {
        let mut calm = Calm::default();
        for _ in 0..deliveries {
            let times = self.race()?;
            if times == 1 {
                calm.once += 1;
            } else {
                calm.otherwise += 1;
            }
        }
        Ok(calm)
    }

    /// Sends until it is told to stop; what comes of it, the upstream counts.
    fn send_until(&self, stop: &AtomicBool) {
        while !stop.load(Ordering::SeqCst) {
            // A gate that has no store says so.
            let _ = self.race();
        }
    }

    /// Sends a new delivery to all gates at once, and counts who let it in. One
    /// request that is counted goes with each.
    fn race(&self) -> Result<usize> {
        let delivery = self.next.fetch_add(1, Ordering::SeqCst);
        std::thread::scope(|scope| {
            let send = |address| {
                move || -> std::io::Result<bool> {
                    let let_in = deliver(address, delivery)?.status == 200;
                    Request::new("GET", "/counted", "gate.test").send(address)?;
                    Ok(let_in)
                }
            };
            let senders: Vec<_> = self.addresses.iter().map(|address| scope.spawn(send(*address))).collect();
            senders.into_iter().try_fold(0, |times, sender| {
                let sent = sender.join();
                ensure!(sent.is_ok(), "a sender panicked");
                Ok(times + usize::from(sent.unwrap_or(Ok(false))?))
            })
        })
    }

    /// Asks each gate while Redis does not answer: how many denied where an
    /// error denies, and how many passed where it abstains.
    fn ask_without_redis(&self) -> Result<(usize, usize)> {
        let (mut denied, mut passed) = (0, 0);
        for address in &self.addresses {
            let answer = Request::new("GET", "/counted", "gate.test").send(*address)?;
            denied += usize::from(answer.status == 503 && reason(&answer) == "store-unavailable");
            passed += usize::from(Request::new("GET", "/lenient", "gate.test").send(*address)?.status == 200);
        }
        Ok((denied, passed))
    }

    /// Waits until each gate decides again, and says how long that took.
    fn recover(&self) -> Result<Duration> {
        #[expect(clippy::disallowed_methods, reason = "how long it takes is a result")]
        let began = Instant::now();
        for address in &self.addresses {
            loop {
                let answer = Request::new("GET", "/counted", "gate.test").send(*address)?;
                if matches!(answer.status, 200 | 429) {
                    break;
                }
                ensure!(began.elapsed() < RECOVERY, "a gate does not come back: {}", reason(&answer));
            }
        }
        Ok(began.elapsed())
    }

    /// Asks for more than there is.
    fn use_up(&self, requests: u64) -> Result<()> {
        for number in 0..requests {
            let address = self.addresses[usize::try_from(number)? % self.addresses.len()];
            Request::new("GET", "/counted", "gate.test").send(address)?;
        }
        Ok(())
    }
}
