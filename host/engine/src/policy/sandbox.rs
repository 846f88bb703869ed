//! The host's side of a running guest: its limits, and the request it decides.

use crate::clock::monotonic;
use crate::generation::spec::{Keep, NonceSpace, QuotaKey};
use crate::keys::{Algorithm, Key};
use crate::limits;
use crate::policy::deadline::{Deadline, Look, Meter, Pause};
use crate::policy::failure::Failure;
use crate::policy::log::LogBudget;
use crate::policy::session::Session;
use crate::pulse::{FAST_TICK, Pulse};
use crate::reason::HostReason;
use crate::store::{Draw, Pot, Take};
use std::hash::RandomState;
use std::sync::Arc;
use std::time::Duration;
use wasmtime::{ResourceLimiter, StoreContextMut, Trap, UpdateDeadline};

/// The grants of a policy, by the index in its manifest.
#[derive(Debug, Default)]
pub(crate) struct Granted {
    /// With the operator's name of each.
    pub(crate) keys: Vec<(Arc<str>, Key)>,
    pub(crate) nonces: Vec<(Pot, NonceSpace)>,
    pub(crate) quotas: Vec<GrantedQuotas>,
    /// Whether its manifest declares a need of the body.
    pub(crate) body: bool,
    /// Makes the digests by which logs tell bodies apart.
    pub(crate) body_tags: RandomState,
}

/// The quotas that a policy was granted under one name.
#[derive(Debug)]
pub(crate) struct GrantedQuotas {
    pub(crate) key: QuotaKey,
    pub(crate) draws: Vec<Draw>,
    /// When a take from each stays.
    pub(crate) keeps: Vec<Keep>,
}

/// The last words of a policy.
pub(super) struct Panic {
    pub(super) place: String,
    pub(super) message: String,
}

/// The host's side of one instance.
pub(super) struct Sandbox {
    pub(super) policy: Arc<str>,
    pub(super) granted: Arc<Granted>,
    /// None between checks, and while the policy is configured: capabilities
    /// then fail.
    pub(super) session: Option<Box<Session>>,
    pub(super) log: LogBudget,
    /// The message of its panic, if it panicked.
    pub(super) panic: Option<Panic>,
    /// Whether failures tell that, as a whole: it may hold parts of a request.
    tells_panics: bool,
    /// Bytes of its stack, where running out of it leaves memory.
    stack_bytes: Option<u32>,
    /// The last take of each quota.
    pub(super) takes: Vec<Option<Take>>,
    pulse: Arc<Pulse>,
    ticks_before: u64,
    deadline: Deadline,
    calls_left: u32,
    store_calls_left: u32,
    /// The keys of the manifest under which the body was hashed.
    hashed_body: Vec<u32>,
    /// Of all its memories together.
    memory_bytes_max: usize,
    memory_bytes: usize,
    memories: usize,
    table_elements: usize,
    /// Whether memory was refused: tells running out of it from other traps.
    pub(super) memory_refused: bool,
    /// Whether a memory or a table grew since the check began.
    pub(super) has_grown: bool,
}

impl Sandbox {
    pub(super) fn new(
        policy: Arc<str>,
        granted: Arc<Granted>,
        log: LogBudget,
        pulse: Arc<Pulse>,
        deadline: Duration,
        memory_bytes_max: usize,
    ) -> Self {
        pulse.begin();
        Self {
            policy,
            granted,
            session: None,
            log,
            panic: None,
            tells_panics: false,
            stack_bytes: None,
            takes: Vec::new(),
            ticks_before: pulse.ticks(),
            pulse,
            deadline: Deadline::new(deadline, monotonic()),
            calls_left: limits::HOST_CALLS_MAX,
            store_calls_left: limits::STORE_CALLS_MAX,
            hashed_body: Vec::new(),
            memory_bytes_max,
            memory_bytes: 0,
            memories: 0,
            table_elements: 0,
            memory_refused: false,
            has_grown: false,
        }
    }

    /// As one whose failures say what its author wants to know.
    pub(super) fn told(mut self, tells_panics: bool, stack_bytes: Option<u32>) -> Self {
        (self.tells_panics, self.stack_bytes) = (tells_panics, stack_bytes);
        self
    }

    /// The detail to report for a trap.
    pub(super) fn of_trap(&self, trap: Trap) -> String {
        match (trap, &self.panic, self.stack_bytes) {
            (Trap::MemoryOutOfBounds, _, Some(bytes)) => format!(
                "{trap}: often the stack, which has {bytes} bytes; give it more with `stack` under \
                 `[package.metadata.barmkin]` of its Cargo.toml"
            ),
            (_, Some(Panic { place, message }), _) if self.tells_panics => format!("it panicked at {place}: {message}"),
            (_, Some(Panic { place, .. }), _) => format!("it panicked at {place}"),
            _ => trap.to_string(),
        }
    }

    /// Begins a check, with all that one may use.
    pub(super) fn begin(&mut self, session: Box<Session>) {
        self.pulse.begin();
        self.ticks_before = self.pulse.ticks();
        self.deadline.restart(session.began);
        self.session = Some(session);
        self.log.restart();
        self.panic = None;
        self.takes.clear();
        self.hashed_body.clear();
        self.calls_left = limits::HOST_CALLS_MAX;
        self.store_calls_left = limits::STORE_CALLS_MAX;
        self.memory_refused = false;
        self.has_grown = false;
    }

    /// The meter of a check that begins here and can be suspended.
    pub(super) fn measured(&mut self) -> Arc<Meter> {
        self.deadline.restart_measured(monotonic())
    }

    /// Ends a check, and gives its session back.
    pub(super) fn end(&mut self) -> Box<Session> {
        // INVARIANT (session): it keeps what `begin` gave it.
        #[expect(clippy::expect_used, reason = "session")]
        let mut session = self.session.take().expect("a check that began has a session");
        session.memory_bytes = self.memory_bytes;
        session
    }

    /// Whether it took many times its deadline. Where no tick came, it did not.
    pub(super) fn was_missed(&mut self) -> bool {
        self.pulse.ticks() != self.ticks_before && self.deadline.was_missed()
    }

    /// Charges work that the host does for the guest.
    pub(super) fn charge(&mut self, nanoseconds: u64) -> Result<(), Failure> {
        if self.deadline.charge(Duration::from_nanos(nanoseconds)) {
            return Ok(());
        }
        Err(Failure::new(HostReason::DeadlineExceeded, "it has the host work for longer than its deadline"))
    }

    /// Charges bytes that the host copied out of the guest.
    pub(super) fn charge_copied(&mut self, bytes: usize, items: usize) -> Result<(), Failure> {
        self.charge(cost(bytes, limits::COPY_NS_PER_KIB).saturating_add(limits::ITEM_NS * items as u64))
    }

    /// Charges bytes that the host hashes for a key.
    pub(super) fn charge_hashed(&mut self, bytes: usize, algorithm: Algorithm) -> Result<(), Failure> {
        self.charge(cost(bytes, algorithm.hash_ns_per_kib()))
    }

    /// Looks at the time where a tick came, when the host did something for the
    /// guest.
    pub(super) fn look(&mut self) -> Result<(), Failure> {
        if self.pulse.ticks() == self.ticks_before || self.deadline.has_time() {
            return Ok(());
        }
        Err(Failure::new(HostReason::DeadlineExceeded, "it did not answer in time"))
    }

    /// Whether this is the first time that the body is hashed under a key.
    pub(super) fn is_first_with_body(&mut self, key: u32) -> bool {
        let is_first = !self.hashed_body.contains(&key);
        if is_first {
            self.hashed_body.push(key);
        }
        is_first
    }

    /// Begins work that has a bound of its own; see [`Deadline::pause`].
    pub(super) fn pause(&mut self) -> Pause {
        self.deadline.pause()
    }

    /// That work is done.
    pub(super) fn resume(&mut self, pause: Pause) {
        self.deadline.resume(pause);
    }

    /// Counts one call that asks the store, and says whether it is within the
    /// limit.
    pub(super) fn may_ask_store(&mut self) -> bool {
        let left = self.store_calls_left.checked_sub(1);
        self.store_calls_left = left.unwrap_or_default();
        left.is_some()
    }

    /// Counts one host call, and says whether it is within the limit.
    pub(super) fn may_call(&mut self) -> bool {
        let left = self.calls_left.checked_sub(1);
        self.calls_left = left.unwrap_or_default();
        left.is_some()
    }

    /// Gives the snapshotter the room it takes besides each of the guest's
    /// memories.
    pub(super) fn add_memory_headroom(&mut self, bytes: usize) {
        self.memory_bytes_max += bytes * self.memories;
    }

    /// A fresh budget.
    pub(super) fn restart_deadline(&mut self) {
        self.deadline.restart(monotonic());
    }
}

/// Nanoseconds for `bytes` at a price for each KiB.
fn cost(bytes: usize, per_kib: u64) -> u64 {
    (bytes as u64).saturating_mul(per_kib) / 1024
}

impl ResourceLimiter for Sandbox {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        let all = self.memory_bytes.saturating_add(desired.saturating_sub(current));
        let allowed = all <= self.memory_bytes_max && maximum.is_none_or(|maximum| desired <= maximum);
        if allowed {
            self.memory_bytes = all;
            self.memories += usize::from(current == 0);
        }
        self.memory_refused |= !allowed;
        self.has_grown |= allowed;
        Ok(allowed)
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        let all = self.table_elements.saturating_add(desired.saturating_sub(current));
        let allowed = all <= limits::TABLE_ELEMENTS_MAX && maximum.is_none_or(|maximum| desired <= maximum);
        if allowed {
            self.table_elements = all;
        }
        self.memory_refused |= !allowed;
        self.has_grown |= allowed;
        Ok(allowed)
    }
}

/// Gives `store` its limits: memory, time, and what the host copies for it.
pub(super) fn limit(store: &mut wasmtime::Store<Sandbox>, suspends: bool) {
    store.limiter(|sandbox| sandbox);
    store.set_hostcall_fuel(limits::HOSTCALL_BYTES_MAX);
    store.set_epoch_deadline(1);
    if suspends {
        store.epoch_deadline_callback(|store| tick(store, UpdateDeadline::Yield(1)));
    } else {
        store.epoch_deadline_callback(|store| tick(store, UpdateDeadline::Continue(1)));
    }
}

/// A tick has come in the middle of a check, and most are about to end: only one
/// that has gone on for a while lets others on, if it can.
fn tick(mut store: StoreContextMut<'_, Sandbox>, go_on: UpdateDeadline) -> wasmtime::Result<UpdateDeadline> {
    let sandbox = store.data_mut();
    let Look { used, left } = sandbox.deadline.look();
    if left.is_zero() {
        return Ok(UpdateDeadline::Interrupt);
    }
    sandbox.pulse.found(left);
    Ok(if used < FAST_TICK { UpdateDeadline::Continue(1) } else { go_on })
}
