//! Counts what a gate decides, within bounds.

mod expose;
mod latency;
mod status;
mod table;

use barmkin_host::{Clock, DeliveryOutcome, Metrics, Outcome, Reason, Step, Unenforced, Untried};
use latency::Latency;
use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;
use table::Table;

/// Routes, and policies, that are counted apart. A configuration has tens.
const NAMES_MAX: usize = 1_024;

/// Policies of one route that are counted apart: a chain has 32.
const DENIERS_MAX: usize = 64;

/// Reason codes of one policy on one route that are counted apart. The stock
/// policy with the most has 12.
const REASONS_MAX: usize = 32;

/// The outcomes of a delivery.
const OUTCOMES_MAX: usize = 6;

/// Differences between what was enforced and what was not that are kept.
const DIFFERENCES_MAX: usize = 64;

/// Bytes kept of what a policy said when it failed.
const DETAIL_BYTES_MAX: usize = 512;

/// Counts for the policy of a deny that no policy made.
const NO_POLICY: &str = "";

/// Counts what a gate decides: its [`Metrics`], `/metrics` and `/status`.
///
/// Memory is bounded whatever routes and policies are called over time, and
/// whatever reason codes policies make up.
pub struct Tally {
    clock: Arc<dyn Clock>,
    routes: Table<RouteCounts, NAMES_MAX>,
    policies: Table<PolicyCounts, NAMES_MAX>,
    /// By nonce space, then by outcome.
    deliveries: Table<Table<AtomicU64, OUTCOMES_MAX>, NAMES_MAX>,
    undo_lost: AtomicU64,
    differences: Mutex<VecDeque<Difference>>,
}

#[derive(Debug, Default)]
struct RouteCounts {
    allowed: AtomicU64,
    /// By policy, then by reason.
    denied: Table<Table<AtomicU64, REASONS_MAX>, DENIERS_MAX>,
    observed: AtomicU64,
    latency: Latency,
}

#[derive(Debug, Default)]
struct PolicyCounts {
    allowed: AtomicU64,
    abstained: AtomicU64,
    denied: AtomicU64,
    /// By the host's reason: it failed, whatever that counted as.
    failed: Table<AtomicU64, REASONS_MAX>,
    last_failure: Mutex<Option<Failure>>,
    quarantined: AtomicBool,
    shadow_agreed: AtomicU64,
    shadow_differed: AtomicU64,
    untried_no_body: AtomicU64,
    untried_no_room: AtomicU64,
    lines_dropped: AtomicU64,
}

#[derive(Clone, Debug)]
struct Failure {
    at: Duration,
    reason: &'static str,
    detail: String,
}

/// A decision that was not enforced and would have changed a request's outcome.
#[derive(Clone, Debug)]
struct Difference {
    at: Duration,
    route: String,
    request: String,
    generation: String,
    policy: Option<String>,
    would: Option<String>,
    did: Option<String>,
}

impl Tally {
    /// Counts nothing yet. `clock` dates what is kept.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            routes: Table::default(),
            policies: Table::default(),
            deliveries: Table::default(),
            undo_lost: AtomicU64::default(),
            differences: Mutex::default(),
        }
    }

    fn keep(&self, unenforced: &Unenforced<'_>) {
        // A request does not wait to be a sample.
        let Some(mut kept) = try_lock(&self.differences) else { return };
        if kept.len() == DIFFERENCES_MAX {
            kept.pop_front();
        }
        kept.push_back(Difference {
            at: self.clock.now(),
            route: unenforced.route.to_owned(),
            request: unenforced.request.to_string(),
            generation: unenforced.generation.to_string(),
            policy: unenforced.policy.map(str::to_owned),
            would: unenforced.would.map(ToString::to_string),
            did: unenforced.did.map(ToString::to_string),
        });
    }

    fn failed(&self, policy: &PolicyCounts, reason: &'static str, detail: &str) {
        policy.failed.with(reason, increment);
        if let Some(mut last) = try_lock(&policy.last_failure) {
            let end = detail.floor_char_boundary(DETAIL_BYTES_MAX);
            let detail = detail.get(..end).unwrap_or_default().to_owned();
            *last = Some(Failure { at: self.clock.now(), reason, detail });
        }
    }
}

impl Metrics for Tally {
    fn verdict(&self, route: Option<&str>, policy: Option<&str>, reason: Option<&Reason>, took: Duration) {
        self.routes.with(route.unwrap_or_default(), |counts| {
            match reason {
                None => increment(&counts.allowed),
                Some(reason) => {
                    counts.denied.with(policy.unwrap_or(NO_POLICY), |reasons| reasons.with(reason.as_str(), increment))
                }
            }
            counts.latency.observe(took);
        });
    }

    fn step(&self, step: &Step) {
        self.policies.with(&step.policy, |counts| match &step.outcome {
            Outcome::Allow => increment(&counts.allowed),
            Outcome::Abstain => increment(&counts.abstained),
            Outcome::Deny(Reason::Policy(_)) => increment(&counts.denied),
            // A client can cause these; the policy was not even asked.
            Outcome::Deny(Reason::Host(reason)) if reason.status().is_client_error() => increment(&counts.denied),
            Outcome::Deny(Reason::Host(reason)) | Outcome::Failed(reason) => {
                self.failed(counts, reason.as_str(), &step.detail);
            }
        });
    }

    fn unenforced(&self, unenforced: &Unenforced<'_>) {
        match unenforced.policy {
            None => self.routes.with(unenforced.route, |counts| increment(&counts.observed)),
            Some(policy) => self.policies.with(policy, |counts| {
                increment(if unenforced.agrees() { &counts.shadow_agreed } else { &counts.shadow_differed });
            }),
        }
        if !unenforced.agrees() {
            self.keep(unenforced);
        }
    }

    fn untried(&self, policy: &str, why: Untried) {
        self.policies.with(policy, |counts| {
            increment(match why {
                Untried::NoBody => &counts.untried_no_body,
                Untried::NoRoom => &counts.untried_no_room,
            });
        });
    }

    fn delivery(&self, space: &str, outcome: DeliveryOutcome) {
        self.deliveries.with(space, |outcomes| outcomes.with(outcome.as_str(), increment));
    }

    fn undo_lost(&self) {
        increment(&self.undo_lost);
    }

    fn quarantine(&self, policy: &str, is_quarantined: bool) {
        self.policies.with(policy, |counts| counts.quarantined.store(is_quarantined, Ordering::Relaxed));
    }

    fn log_dropped(&self, policy: &str) {
        self.policies.with(policy, |counts| increment(&counts.lines_dropped));
    }
}

impl fmt::Debug for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tally").finish_non_exhaustive()
    }
}

fn increment(count: &AtomicU64) {
    count.fetch_add(1, Ordering::Relaxed);
}

fn read(count: &AtomicU64) -> u64 {
    count.load(Ordering::Relaxed)
}

fn try_lock<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match mutex.try_lock() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
