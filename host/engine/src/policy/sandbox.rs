//! What a running guest is given: its limits, and one request.

use crate::effects::Journal;
use crate::generation::spec::{Keep, NonceSpace, QuotaKey};
use crate::keys::Key;
use crate::limits;
use crate::policy::deadline::Deadline;
use crate::policy::log::LogBudget;
use crate::principal::{Facts, Principal};
use crate::request::{Body, Request};
use crate::store::{Draw, Take};
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;
use wasmtime::{ResourceLimiter, StoreContextMut, UpdateDeadline};

/// The request that a chain decides, and when.
#[derive(Debug)]
pub(crate) struct Subject {
    pub(crate) request: Request,
    pub(crate) body: Body,
    /// Time since 1970: one reading for the whole chain (law 4).
    pub(crate) now: Duration,
    pub(crate) route: Arc<str>,
}

impl Subject {
    /// The body, where it is whole.
    pub(crate) fn body(&self) -> Option<&Bytes> {
        match &self.body {
            Body::Whole(bytes) => Some(bytes),
            Body::NotCarried | Body::Truncated | Body::TooLarge | Body::NoRoom => None,
        }
    }
}

/// What earlier policies established (law 9).
#[derive(Clone, Debug, Default)]
pub(crate) struct Established {
    pub(crate) principal: Option<Arc<Principal>>,
    pub(crate) facts: Option<Arc<Facts>>,
    /// What was signed: the identity of the delivery.
    pub(crate) signed: Option<Arc<[SignedPart]>>,
}

/// A part of a verified signature base.
#[derive(Clone, Debug)]
pub(crate) enum SignedPart {
    Bytes(Vec<u8>),
    Body,
}

/// One request on its way through a chain. It moves from sandbox to sandbox.
pub(crate) struct Session {
    pub(crate) subject: Arc<Subject>,
    pub(crate) established: Established,
    pub(crate) journal: Journal,
    /// Put before the name of every space and quota: shadows have their own.
    pub(crate) name_space: &'static str,
}

impl Session {
    /// `name` in this session's name space.
    pub(super) fn scoped(&self, name: &Arc<str>) -> Arc<str> {
        if self.name_space.is_empty() { name.clone() } else { format!("{}{name}", self.name_space).into() }
    }
}

/// What a policy was granted, by the index of its manifest.
#[derive(Debug, Default)]
pub(crate) struct Granted {
    pub(crate) keys: Vec<Key>,
    pub(crate) nonces: Vec<(Arc<str>, NonceSpace)>,
    pub(crate) quotas: Vec<GrantedQuotas>,
}

/// The quotas that a policy was granted under one name.
#[derive(Debug)]
pub(crate) struct GrantedQuotas {
    pub(crate) key: QuotaKey,
    pub(crate) draws: Vec<Draw>,
    /// When a take from each stays.
    pub(crate) keeps: Vec<Keep>,
}

/// The host's side of one instance.
pub(super) struct Sandbox {
    pub(super) policy: Arc<str>,
    pub(super) granted: Arc<Granted>,
    /// None between checks, and while the policy is configured: capabilities
    /// then fail.
    pub(super) session: Option<Box<Session>>,
    pub(super) log: LogBudget,
    /// The last take of each quota.
    pub(super) takes: Vec<Option<Take>>,
    deadline: Deadline,
    calls_left: u32,
    memory_bytes_max: usize,
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
        deadline: Duration,
        memory_bytes_max: usize,
    ) -> Self {
        Self {
            policy,
            granted,
            session: None,
            log,
            takes: Vec::new(),
            deadline: Deadline::new(deadline),
            calls_left: limits::HOST_CALLS_MAX,
            memory_bytes_max,
            memory_refused: false,
            has_grown: false,
        }
    }

    /// Begins a check, with all that one may use.
    pub(super) fn begin(&mut self, session: Box<Session>) {
        self.session = Some(session);
        self.log.restart();
        self.takes.clear();
        self.deadline.restart();
        self.calls_left = limits::HOST_CALLS_MAX;
        self.memory_refused = false;
        self.has_grown = false;
    }

    /// Ends a check, and gives its session back.
    pub(super) fn end(&mut self) -> Box<Session> {
        // INVARIANT (session): it keeps what `begin` gave it.
        #[expect(clippy::expect_used, reason = "session")]
        self.session.take().expect("a check that began has a session")
    }

    /// Counts one host call, and says whether it is within the limit.
    pub(super) fn may_call(&mut self) -> bool {
        let left = self.calls_left.checked_sub(1);
        self.calls_left = left.unwrap_or_default();
        left.is_some()
    }

    /// Gives the snapshotter the room it takes besides the guest's memory.
    pub(super) fn add_memory_headroom(&mut self, bytes: usize) {
        self.memory_bytes_max += bytes;
    }

    /// A fresh budget.
    pub(super) fn restart_deadline(&mut self) {
        self.deadline.restart();
    }
}

impl ResourceLimiter for Sandbox {
    fn memory_growing(&mut self, _current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        let allowed = desired <= self.memory_bytes_max && maximum.is_none_or(|maximum| desired <= maximum);
        self.memory_refused |= !allowed;
        self.has_grown |= allowed;
        Ok(allowed)
    }

    fn table_growing(&mut self, _current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        let allowed = desired <= limits::TABLE_ELEMENTS_MAX && maximum.is_none_or(|maximum| desired <= maximum);
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

fn tick(mut store: StoreContextMut<'_, Sandbox>, go_on: UpdateDeadline) -> wasmtime::Result<UpdateDeadline> {
    if store.data_mut().deadline.has_time() {
        return Ok(go_on);
    }
    Ok(UpdateDeadline::Interrupt)
}
