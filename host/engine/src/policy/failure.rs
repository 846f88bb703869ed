//! Why a policy gave no decision.

use crate::policy::sandbox::Sandbox;
use crate::reason::HostReason;
use wasmtime::{PoolConcurrencyLimitError, Trap};

/// Why a policy gave no decision, for the operator.
#[derive(Debug, thiserror::Error)]
#[error("{reason}: {detail}")]
pub(crate) struct Failure {
    pub(crate) reason: HostReason,
    pub(crate) detail: String,
}

/// Why there is no decision.
#[derive(Debug)]
pub(crate) enum CheckError {
    /// The request cannot be shown to the policy: the client's fault, and a
    /// deny whatever the policy's `on-error` says.
    Refused(HostReason, String),
    /// The policy failed.
    Failed(Failure),
}

impl Failure {
    pub(crate) fn new(reason: HostReason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into() }
    }
}

impl From<Failure> for CheckError {
    /// A possible replay is refused, whatever the policy's `on-error` says.
    fn from(failure: Failure) -> Self {
        match failure.reason {
            HostReason::SignedBeforeLoss | HostReason::RetentionExceeded => {
                Self::Refused(failure.reason, failure.detail)
            }
            _ => Self::Failed(failure),
        }
    }
}

/// Names what ended a guest.
pub(super) fn failure_of(sandbox: &Sandbox, error: &wasmtime::Error) -> Failure {
    if let Some(failure) = error.downcast_ref::<Failure>() {
        return Failure::new(failure.reason, failure.detail.clone());
    }
    if error.is::<PoolConcurrencyLimitError>() {
        return Failure::new(HostReason::Overloaded, "too many checks at once");
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::Interrupt) => Failure::new(HostReason::DeadlineExceeded, "it did not answer in time"),
        _ if sandbox.memory_refused => {
            Failure::new(HostReason::MemoryExceeded, "it wanted more memory than it may have")
        }
        Some(trap) => Failure::new(HostReason::PolicyTrapped, sandbox.of_trap(*trap)),
        None => Failure::new(HostReason::PolicyTrapped, error.root_cause().to_string()),
    }
}
