//! Deliveries, who sends them, and what reached the upstream.

use crate::harness::{Request, Response, Upstream, github_signature};
use anyhow::{Result, ensure};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{Scope, ScopedJoinHandle};

/// The secret of every delivery.
pub(super) const SECRET: &str = "It's a Secret to Everybody";

/// Keys, nonces and routes of all gates: `/hook` takes each delivery once, and
/// `/counted` takes `counted` requests a day.
pub(super) fn rules(store: &str, counted: u64) -> String {
    format!(
        r#"version = 1

[store]
{store}

[keys.github]
algorithm = "hmac-sha256"
secrets = [{{ id = "1", from = "file:secrets/github" }}]

# Nothing is free again: whatever happens to a gate or its store, no delivery gets
# in twice.
[nonces.deliveries]
retain = "24h"
keep = "always"

[quotas.day]
algorithm = "fixed-window"
rate = "{counted}/day"
key = "route"

[quotas.at-most]
rate = "{counted}/day"
key = "route"

[policies.signature]
component = "stock:webhook-signature"
settings = {{ provider = "github" }}
grants = {{ keys = {{ signing = "github" }}, vouch = true }}

[policies.dated]
component = "stock:webhook-signature"
settings = {{ provider = "stripe" }}
grants = {{ keys = {{ signing = "github" }}, vouch = true }}

[policies.counted]
component = "stock:rate-quota"
grants = {{ quotas = {{ quota = ["day", "at-most"] }} }}

[policies.lenient]
component = "stock:rate-quota"
grants = {{ quotas = {{ quota = "day" }} }}
on-error = "abstain"

[[routes]]
name = "hook"
match = {{ path.exact = "/hook" }}
chain = ["signature", "stock:replay-window"]

[[routes]]
name = "dated"
match = {{ path.exact = "/dated" }}
chain = ["dated", "stock:replay-window"]

[[routes]]
name = "counted"
match = {{ path.exact = "/counted" }}
public = true
chain = ["counted"]

[[routes]]
name = "lenient"
match = {{ path.exact = "/lenient" }}
public = true
chain = ["lenient"]
"#
    )
}

/// The secrets that every gate finds below `secrets/`.
pub(super) const SECRETS: [(&str, &str); 1] = [("github", SECRET)];

/// The body of a delivery, which is all that is signed of it.
pub(super) fn body(delivery: u64) -> Vec<u8> {
    format!("{{\"delivery\":{delivery}}}\u{0}\n").into_bytes()
}

/// Sends a delivery, and gives its answer if there is one.
pub(super) fn deliver(address: SocketAddr, delivery: u64) -> std::io::Result<Response> {
    let body = body(delivery);
    let signature = github_signature(SECRET, &body);
    let request = Request::new("POST", "/hook", "gate.test").with("x-hub-signature-256", signature);
    request.with("x-delivery", delivery.to_string()).with_body(body).send(address)
}

/// The reason of an answer by the gate.
pub(super) fn reason(response: &Response) -> &str {
    response.field("barmkin-reason").unwrap_or_default()
}

/// How often each delivery reached the upstream, and how many requests that are
/// counted.
#[derive(Default)]
pub(super) struct Reached {
    pub(super) deliveries: HashMap<u64, u64>,
    pub(super) counted: u64,
}

impl Reached {
    /// Adds what has arrived since the last time.
    pub(super) fn add(&mut self, upstream: &Upstream) {
        for received in upstream.take_received() {
            match received.target.as_str() {
                "/counted" => self.counted += 1,
                "/lenient" => {}
                _ => {
                    let delivery = received.fields.get("x-delivery").and_then(|id| id.to_str().ok()?.parse().ok());
                    *self.deliveries.entry(delivery.unwrap_or(u64::MAX)).or_default() += 1;
                }
            }
        }
    }

    /// Deliveries that were let in more than once.
    pub(super) fn repeated(&self) -> usize {
        self.deliveries.values().filter(|times| **times > 1).count()
    }
}

/// The state that senders share while they send.
#[derive(Default)]
pub(super) struct Sending {
    pub(super) next: AtomicU64,
}

/// The results of sending.
#[derive(Default)]
pub(super) struct Sent {
    /// Let in.
    pub(super) accepted: Vec<u64>,
    /// Sent, and nobody knows.
    pub(super) unknown: Vec<u64>,
    pub(super) requests: u64,
    /// Refused for another reason than that nothing is left of the quota.
    pub(super) refused: u64,
}

impl Sent {
    pub(super) fn and(mut self, other: Self) -> Self {
        self.accepted.extend(other.accepted);
        self.unknown.extend(other.unknown);
        self.requests += other.requests;
        self.refused += other.refused;
        self
    }
}

impl Sending {
    /// Starts `senders` threads, which send new deliveries and requests that
    /// are counted until the gate is gone.
    pub(super) fn start<'s>(
        &'s self,
        scope: &'s Scope<'s, '_>,
        senders: usize,
        address: SocketAddr,
    ) -> Vec<ScopedJoinHandle<'s, Sent>> {
        (0..senders).map(|_| scope.spawn(move || self.send(address))).collect()
    }

    fn send(&self, address: SocketAddr) -> Sent {
        let mut sent = Sent::default();
        loop {
            let delivery = self.next.fetch_add(1, Ordering::SeqCst);
            sent.requests += 2;
            match deliver(address, delivery) {
                Ok(response) if response.status == 200 => sent.accepted.push(delivery),
                Ok(_) => sent.refused += 1,
                Err(_) => {
                    sent.unknown.push(delivery);
                    return sent;
                }
            }
            let counted = Request::new("GET", "/counted", "gate.test").send(address);
            sent.refused += u64::from(counted.is_ok_and(|response| !matches!(response.status, 200 | 429)));
        }
    }
}

/// All of it.
pub(super) fn join(senders: Vec<ScopedJoinHandle<'_, Sent>>) -> Result<Sent> {
    senders.into_iter().try_fold(Sent::default(), |all, sender| {
        let sent = sender.join();
        ensure!(sent.is_ok(), "a sender panicked");
        Ok(all.and(sent.unwrap_or_default()))
    })
}

/// Random enough to choose moments and bits, and the same for the same seed.
pub(super) struct Random(pub(super) u64);

impl Random {
    /// Below `bound`.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        // xorshift64* (Vigna 2016).
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % bound.max(1)
    }
}
