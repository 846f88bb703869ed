//! `gcra.json`: takes from quotas, against `rate-quota` and the memory store.

use super::score::Outcome;
use anyhow::{Context, Result, ensure};
use barmkin_host::{
    Body, Claim, Client, Clock, Draw, Engine, FixedClock, Gate, Gcra, Generation, Head, Hold, Holder, Keep, KeyRing,
    LocalStore, Member, MemoryLimits, MemoryStore, NonceId, PathMatch, PolicySpec, Quota, QuotaKey, Route, RouteMatch,
    Services, Spec, StoreError, Take, Verdict,
};
use http::{HeaderMap, Method};
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The quota that all rows of a sequence take from.
const QUOTA: &str = "units";

/// A file of sequences, each on a quota of its own.
#[derive(Deserialize)]
pub(super) struct GcraVectors {
    sequences: Vec<Sequence>,
}

#[derive(Deserialize)]
struct Sequence {
    name: String,
    max_burst: u64,
    emission_interval_ms: u64,
    rows: Vec<Row>,
}

/// When, how many, and what comes of it: units left, milliseconds until the
/// quota is full and until a retry (-1 for none), and whether it was refused.
#[derive(Clone, Copy, Deserialize)]
struct Row(u64, u32, u64, u64, i64, u8);

/// Runs every row, in order.
pub(super) fn run(engine: &Engine, vectors: &GcraVectors) -> Result<Vec<Outcome>> {
    let mut outcomes = Vec::new();
    for sequence in &vectors.sequences {
        let counter = Counter::new(engine, sequence).with_context(|| format!("sequence `{}`", sequence.name))?;
        for (index, row) in sequence.rows.iter().enumerate() {
            let (accepted, take) = counter.take(row)?;
            outcomes.push(Outcome {
                case: format!("{} row {index}", sequence.name),
                normative: true,
                expected: row.5 == 0,
                accepted,
                faults: row.faults(&take),
                reasons: None,
            });
        }
    }
    Ok(outcomes)
}

/// A gate whose route `/n` takes n units from one quota, and lets everybody in
/// for whom there are enough.
struct Counter {
    gate: Gate,
    clock: Arc<FixedClock>,
    store: Watched,
    draw: Draw,
}

impl Counter {
    fn new(engine: &Engine, sequence: &Sequence) -> Result<Self> {
        // A burst of n beside the steady rate: n + 1 at once.
        let limit = sequence.max_burst + 1;
        let rate = Gcra { interval: Duration::from_millis(sequence.emission_interval_ms), limit };
        let draw = Draw { quota: QUOTA.into(), rule: rate.into() };
        let quota = Quota { rule: draw.rule, key: QuotaKey::ClientAddress, keep: Keep::OnAllow, entries_max: None };
        let mut spec = Spec { quotas: [(QUOTA.to_owned(), quota)].into(), ..Spec::default() };
        // `rate-quota` takes nothing for nothing: rows of 0 ask the store.
        let costs: BTreeSet<u32> = sequence.rows.iter().map(|row| row.1).filter(|cost| *cost > 0).collect();
        for cost in costs {
            let name = cost.to_string();
            let mut policy = PolicySpec::new(barmkin_stock::RATE_QUOTA.component);
            policy.settings = json!({ "cost": cost });
            policy.grants.quotas.insert("quota".to_owned(), vec![QUOTA.to_owned()]);
            let mut route = Route::new(name.clone());
            route.matches = RouteMatch { path: PathMatch::Exact(format!("/{cost}")), ..RouteMatch::default() };
            route.chain.push(Member::Policy(name.clone()));
            route.public = true;
            spec.policies.insert(name, policy);
            spec.routes.push(route);
        }
        let clock = Arc::new(FixedClock::default());
        let store = Watched::new(clock.clone());
        let services = Services { clock: clock.clone(), ..Services::new(store.clone()) };
        let generation = Generation::build(engine, &spec, &KeyRing::default(), services)
            .map_err(|errors| anyhow::anyhow!("{errors}"))?;
        Ok(Self { gate: Gate::new(generation), clock, store, draw })
    }

    /// Whether the row's take was admitted, and what the store said of it.
    fn take(&self, row: &Row) -> Result<(bool, Take)> {
        self.clock.set_unix_ms(row.0);
        if row.1 == 0 {
            let take = self.store.look(&self.draw)?;
            return Ok((take.admitted, take));
        }
        let head = Head {
            method: Method::GET,
            version: http::Version::HTTP_11,
            scheme: "https",
            authority: Some("example.com".to_owned()),
            target: format!("/{}", row.1),
            headers: HeaderMap::new(),
            // The one client for whom all of a sequence is counted.
            client: Client { address: Some(Ipv4Addr::LOCALHOST.into()), ..Client::default() },
        };
        let accepted = match self.gate.check_now(head, Body::NotCarried)? {
            Verdict::Allow(_) => true,
            Verdict::Deny(denial) => {
                ensure!(denial.reason().as_str() == "over-quota", "denied for `{}`", denial.reason());
                false
            }
        };
        let take = self.store.last().context("the policy took nothing")?;
        Ok((accepted, take))
    }
}

impl Row {
    fn faults(&self, take: &Take) -> Vec<String> {
        let millis = |span: Duration| i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        let retry = take.retry_after.map_or(-1, millis);
        let reset = millis(take.reset_after);
        let expected_reset = i64::try_from(self.3).unwrap_or(i64::MAX);
        let mut faults = Vec::new();
        if take.remaining != self.2 {
            faults.push(format!("{} left, not {}", take.remaining, self.2));
        }
        if reset != expected_reset {
            faults.push(format!("full after {reset} ms, not {expected_reset}"));
        }
        if retry != self.4 {
            faults.push(format!("retry after {retry} ms, not {}", self.4));
        }
        faults
    }
}

/// Who took last, and what came of it.
type Taken = (Arc<str>, Take);

/// The memory store, with a memory of the last take: rows state more than a
/// policy tells.
#[derive(Clone)]
struct Watched {
    store: Arc<MemoryStore>,
    last: Arc<Mutex<Option<Taken>>>,
}

impl Watched {
    fn new(clock: Arc<FixedClock>) -> Self {
        let store = MemoryStore::with_clock(MemoryLimits::default(), move || clock.now());
        Self { store: Arc::new(store), last: Arc::default() }
    }

    fn last(&self) -> Option<Take> {
        self.last.lock().expect("no panic under the lock").as_ref().map(|(_, take)| *take)
    }

    /// A take of nothing from the quota that was last taken from.
    fn look(&self, draw: &Draw) -> Result<Take, StoreError> {
        let subject = self.last.lock().expect("no panic under the lock").as_ref().map(|(subject, _)| subject.clone());
        self.store.take(&subject.unwrap_or_else(|| "nobody yet".into()), std::slice::from_ref(draw), 0)
    }
}

impl LocalStore for Watched {
    fn claim(&self, nonce: &NonceId, retain: Duration, hold: Option<Hold>) -> Result<Claim, StoreError> {
        self.store.claim(nonce, retain, hold)
    }

    fn renew(&self, nonce: &NonceId, holder: Holder) -> Result<(), StoreError> {
        self.store.renew(nonce, holder)
    }
    fn confirm(&self, nonce: &NonceId, holder: Holder) -> Result<(), StoreError> {
        self.store.confirm(nonce, holder)
    }

    fn release(&self, nonce: &NonceId, holder: Holder) -> Result<(), StoreError> {
        self.store.release(nonce, holder)
    }

    fn take(&self, subject: &Arc<str>, draws: &[Draw], cost: u32) -> Result<Take, StoreError> {
        let take = self.store.take(subject, draws, cost)?;
        *self.last.lock().expect("no panic under the lock") = Some((subject.clone(), take));
        Ok(take)
    }

    fn give_back(&self, subject: &Arc<str>, draw: &Draw, cost: u32, at: Duration) -> Result<(), StoreError> {
        self.store.give_back(subject, draw, cost, at)
    }
}
