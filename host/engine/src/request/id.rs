//! Names one request in logs, in answers, and for the upstream.

use crate::request::Head;
use bytes::Bytes;
use http::HeaderValue;
use http::header::InvalidHeaderValue;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes of a request id that a trusted proxy may bring.
const GIVEN_BYTES_MAX: usize = 128;

/// The id of one request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RequestId {
    /// Made by this gate: 32 hexadecimal digits.
    Own(u128),
    /// Taken over from a trusted proxy.
    Given(Box<str>),
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own(id) => crate::write_hex::<32>(f, &id.to_be_bytes()),
            Self::Given(id) => f.write_str(id),
        }
    }
}

impl RequestId {
    /// The value of a field that says it.
    pub(crate) fn as_field(&self) -> Result<HeaderValue, InvalidHeaderValue> {
        match self {
            Self::Own(_) => HeaderValue::from_maybe_shared(Bytes::from(self.to_string())),
            Self::Given(id) => HeaderValue::from_str(id),
        }
    }
}

/// Makes request ids: unique, and cheap. They are not secret.
#[derive(Debug)]
pub(crate) struct RequestIds {
    process: u64,
    next: AtomicU64,
}

impl RequestIds {
    pub(crate) fn new() -> Self {
        let mut seed = [0; 8];
        // Without entropy ids could repeat after a restart: harmless.
        let _ = getrandom::fill(&mut seed);
        Self { process: u64::from_le_bytes(seed), next: AtomicU64::new(0) }
    }

    /// A number that no other request has.
    pub(crate) fn serial(&self) -> u128 {
        let count = self.next.fetch_add(1, Ordering::Relaxed);
        (u128::from(self.process) << 64) | u128::from(count)
    }

    /// The id of `head`: its own where a trusted proxy gave it a usable one.
    pub(crate) fn of(head: &Head, serial: u128) -> RequestId {
        if head.client.trusted
            && let Some(given) = head.headers.get("x-request-id").and_then(|id| id.to_str().ok())
            && (1..=GIVEN_BYTES_MAX).contains(&given.len())
            && given.bytes().all(|byte| byte.is_ascii_graphic())
        {
            return RequestId::Given(given.into());
        }
        RequestId::Own(serial)
    }
}
