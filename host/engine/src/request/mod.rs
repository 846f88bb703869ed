//! Turns what a proxy received into the one [`Request`] that all policies see.
//!
//! A request is normalized once, here. If two policies read a path
//! differently, an attacker could satisfy each with a different reading of it.

mod address;
mod authority;
mod body;
mod head;
mod id;
mod path;
mod query;

pub use address::ClientAddress;
pub use body::{Body, BodyNeed};
pub use head::{Client, Head};
pub use id::RequestId;
pub(crate) use id::RequestIds;

use crate::limits;
use crate::reason::HostReason;
use http::header::{ACCESS_CONTROL_REQUEST_METHOD, CONTENT_TYPE, ORIGIN};
use http::{HeaderMap, Method};
use path::CanonicalPath;
pub(crate) use path::is_canonical;

/// A request that can be read in one way only (law 5).
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) head: Head,
    pub(crate) id: RequestId,
    /// Unique, whatever the id: who holds claims.
    pub(crate) serial: u128,
    /// Lower case, without port; empty when the client named no host.
    pub(crate) host: String,
    path: CanonicalPath,
}

/// A head that is refused before any route is looked for.
#[derive(Debug)]
pub(crate) struct RefusedHead {
    pub(crate) reason: HostReason,
    pub(crate) head: Head,
    pub(crate) id: RequestId,
}

impl Request {
    /// Checks `head` against the limits and law 5.
    ///
    /// A refused head is handed back with the reason, since the answer may
    /// depend on it (a gRPC client gets a gRPC status).
    pub(crate) fn normalize(head: Head, id: RequestId, serial: u128) -> Result<Self, Box<RefusedHead>> {
        match check(&head) {
            Ok((host, path)) => Ok(Self { head, id, serial, host, path }),
            Err(reason) => Err(Box::new(RefusedHead { reason, head, id })),
        }
    }

    /// The path in canonical form, without the query.
    pub(crate) fn path(&self) -> &str {
        self.path.as_str(&self.head.target)
    }

    /// What follows the first `?` of the target.
    pub(crate) fn query(&self) -> Option<&str> {
        self.head.target.split_once('?').map(|(_, query)| query)
    }

    /// The values of query parameter `name`, percent-decoded.
    pub(crate) fn query_values(&self, name: &str) -> Result<Vec<String>, HostReason> {
        query::values(self.query().unwrap_or_default(), name)
    }
}

/// How an answer to this request must be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Http,
    /// gRPC over HTTP/2: the status goes into `grpc-status`.
    Grpc,
}

impl Form {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let grpc = headers.get(CONTENT_TYPE).is_some_and(|value| {
            let value = value.as_bytes();
            // grpc-web is answered as plain HTTP: its clients read the status.
            value.strip_prefix(b"application/grpc").is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';')))
        });
        if grpc { Self::Grpc } else { Self::Http }
    }
}

/// Whether this is a CORS preflight (Fetch standard, section 3.3.2).
pub(crate) fn is_preflight(head: &Head) -> bool {
    head.method == Method::OPTIONS
        && head.headers.contains_key(ORIGIN)
        && head.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

fn check(head: &Head) -> Result<(String, CanonicalPath), HostReason> {
    if head.method == Method::CONNECT {
        return Err(HostReason::ConnectRefused);
    }
    check_size(&head.headers)?;
    let host = authority::host(head)?;
    let path = path::canonical(&head.target)?;
    Ok((host, path))
}

fn check_size(headers: &HeaderMap) -> Result<(), HostReason> {
    if headers.len() > limits::HEADERS_MAX {
        return Err(HostReason::TooManyHeaders);
    }
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if bytes > limits::HEADERS_BYTES_MAX {
        return Err(HostReason::HeadersTooLarge);
    }
    Ok(())
}
