//! The host functions that guests can call.
//!
//! Each capability is written once, as if it could wait. With a local store
//! none does, and it is linked as a plain function; with a remote one the
//! guest is suspended while it waits.

mod identity;
pub(super) mod keys;
mod quota;
mod replay;
mod unverified;

use crate::limits;
use crate::now_or_never;
use crate::pieces::Breaks;
use crate::policy::bindings::barmkin::keys::keys::{Candidate, Part};
use crate::policy::bindings::barmkin::log::log::Level;
use crate::policy::failure::Failure;
use crate::policy::log;
use crate::policy::sandbox::{Panic, Sandbox};
use crate::policy::session::Session;
use crate::reason::HostReason;
use crate::store::{StoreError, Take};
use std::time::Duration;
use wasmtime::component::Linker;
use wasmtime::{Result, StoreContextMut};

type Cx<'a> = StoreContextMut<'a, Sandbox>;

/// Links a function that asks the store: suspending, or at once.
macro_rules! asking {
    ($linker:expr, $suspends:expr, $name:literal, |$sandbox:ident, $args:tt: $params:ty| $call:expr) => {
        if $suspends {
            $linker.func_wrap_async($name, move |mut cx: Cx<'_>, $args: $params| {
                Box::new(async move {
                    let $sandbox = cx.data_mut();
                    let answer = $call.await?;
                    $sandbox.look()?;
                    Ok((answer,))
                })
            })
        } else {
            $linker.func_wrap($name, move |mut cx: Cx<'_>, $args: $params| {
                at_once(&mut cx, |$sandbox| {
                    let suspended = || Failure::new(HostReason::StoreUnavailable, "it suspended where nothing can");
                    now_or_never($call).ok_or_else(suspended)?
                })
            })
        }
    };
}

/// Links every capability. Those that ask the store or hash the body suspend
/// the guest if `suspends`.
pub(super) fn add_to_linker(linker: &mut Linker<Sandbox>, suspends: bool) -> Result<()> {
    let breaks = if suspends { Breaks::BetweenPieces } else { Breaks::None };
    // Interfaces of types only, for guests that name them.
    linker.instance("barmkin:policy/types@0.1.0")?;
    linker.instance("barmkin:keys/types@0.1.0")?;

    let mut keys = linker.instance("barmkin:keys/keys@0.1.0")?;
    asking!(keys, suspends, "verify", |sandbox, (key, base, candidates): (u32, Vec<Part>, Vec<Candidate>)| {
        sandbox.verify(key, base, candidates, breaks)
    })?;
    keys.func_wrap("keyed-hash", |mut cx: Cx<'_>, (key, data): (u32, Vec<u8>)| {
        at_once(&mut cx, |sandbox| sandbox.keyed_hash(key, &data))
    })?;

    let mut log = linker.instance("barmkin:log/log@0.1.0")?;
    log.func_wrap("write", |mut cx: Cx<'_>, (level, message, pairs): (Level, String, Vec<(String, String)>)| {
        at_once(&mut cx, |sandbox| sandbox.log(level, &message, &pairs)).map(|((),)| ())
    })?;

    let mut replay = linker.instance("barmkin:replay/replay@0.1.0")?;
    asking!(replay, suspends, "claim-delivery", |sandbox, (space, until): (u32, u64)| {
        sandbox.claim_delivery(space, until, breaks)
    })?;
    asking!(replay, suspends, "claim-nonce", |sandbox, (space, nonce, until): (u32, Vec<u8>, u64)| {
        sandbox.claim_nonce(space, nonce, until)
    })?;
    replay.func_wrap("on-duplicate", |mut cx: Cx<'_>, (space,): (u32,)| {
        at_once(&mut cx, |sandbox| sandbox.on_duplicate(space))
    })?;

    let mut quota = linker.instance("barmkin:quota/quota@0.1.0")?;
    asking!(quota, suspends, "take", |sandbox, (quota, cost): (u32, u32)| sandbox.take(quota, None, cost))?;
    asking!(quota, suspends, "take-for", |sandbox, (quota, subject, cost): (u32, String, u32)| {
        sandbox.take(quota, Some(subject), cost)
    })?;
    type OfTake = (&'static str, fn(&Take) -> u64);
    let of_take: [OfTake; 3] = [
        ("retry-after-ms", |take| take.retry_after.map_or(0, millis_up)),
        ("remaining", |take| take.remaining),
        ("reset-after-ms", |take| millis_up(take.reset_after)),
    ];
    for (name, read) in of_take {
        quota.func_wrap(name, move |mut cx: Cx<'_>, (quota,): (u32,)| {
            at_once(&mut cx, |sandbox| sandbox.last_take(quota, read))
        })?;
    }
    quota.func_wrap("limit", |mut cx: Cx<'_>, (quota,): (u32,)| {
        at_once(&mut cx, |sandbox| sandbox.quota_limit(quota))
    })?;
    Ok(())
}

/// Does work for the guest that needs no waiting, then looks at the time.
fn at_once<T>(cx: &mut Cx<'_>, work: impl FnOnce(&mut Sandbox) -> Result<T, Failure>) -> Result<(T,)> {
    let sandbox = cx.data_mut();
    let answer = work(sandbox)?;
    sandbox.look()?;
    Ok((answer,))
}

/// In milliseconds, rounded up: what is waited for must be over.
fn millis_up(span: Duration) -> u64 {
    u64::try_from(span.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

impl Sandbox {
    /// Counts a call, and gives it the request it is for.
    fn begin_call(&mut self) -> Result<&mut Session, Failure> {
        if !self.may_call() {
            return Err(Failure::new(HostReason::HostCallsExceeded, "it calls the host without end"));
        }
        self.session()
    }

    /// The request that is decided.
    fn session(&mut self) -> Result<&mut Session, Failure> {
        self.session
            .as_deref_mut()
            .ok_or_else(|| Failure::new(HostReason::ContractViolation, "`configure` called an import"))
    }

    /// As [`begin_call`](Self::begin_call), for a call that asks the store.
    fn begin_store_call(&mut self) -> Result<&mut Session, Failure> {
        if !self.may_ask_store() {
            return Err(Failure::new(HostReason::HostCallsExceeded, "it asks the store without end"));
        }
        self.begin_call()
    }

    fn log(&mut self, level: Level, message: &str, pairs: &[(String, String)]) -> Result<(), Failure> {
        let level = match level {
            Level::Debug => log::Level::Debug,
            Level::Info => log::Level::Info,
            Level::Warn => log::Level::Warn,
            Level::Error => log::Level::Error,
        };
        let place = pairs.iter().find(|(name, _)| level == log::Level::Error && name == PANIC).map(|(_, place)| place);
        // `configure` panics, too, and has no request.
        let subject = match place {
            Some(_) if self.may_call() => None,
            _ => Some(self.begin_call()?.subject.clone()),
        };
        let bytes = pairs.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>() + message.len();
        self.charge_copied(bytes, pairs.len())?;
        self.charge(limits::LOG_LINE_NS)?;
        match (subject, place) {
            (Some(subject), _) => {
                self.log.write(&self.policy, &subject.request.id, subject.now, level, message, pairs);
            }
            // For what is said of the failure, and not for the log: a message may
            // hold parts of the request.
            (None, place) => {
                self.panic = Some(Panic {
                    place: log::clean(place.map_or("", String::as_str), limits::LOG_VALUE_BYTES_MAX),
                    message: log::clean(message, limits::LOG_MESSAGE_BYTES_MAX),
                });
            }
        }
        Ok(())
    }
}

/// The name of the pair that makes a line of the log the last words of a
/// policy. Its value is where it panicked.
const PANIC: &str = "panic";

fn no_such(kind: &str, index: u32) -> Failure {
    Failure::new(HostReason::ContractViolation, format!("its manifest declares no {kind} {index}"))
}

fn store_failed(error: StoreError) -> Failure {
    Failure::new(HostReason::StoreUnavailable, error.to_string())
}
