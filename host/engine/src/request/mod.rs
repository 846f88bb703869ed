//! Turns what a proxy received into the one [`Request`] that all policies see.
//!
//! A request is normalized once, here. If two policies read a path
//! differently, an attacker could satisfy each with a different reading of it.

mod address;
mod authority;
mod body;
mod characters;
mod folding;
mod framing;
mod head;
mod id;
mod overrides;
mod path;
mod query;

pub use address::ClientAddress;
pub use body::{Body, BodyNeed};
pub use head::{Client, Head, Sees};
pub use id::RequestId;
pub(crate) use id::RequestIds;

pub(crate) use authority::canonical_host;
pub(crate) use framing::connection_options;
pub(crate) use overrides::{METHOD_OVERRIDES, TARGET_OVERRIDES, is_override};
pub(crate) use path::{Excepted, of_route};
pub(crate) use query::{without as without_query, written as written_in_query};

use crate::generation::spec::BackendFolding;
use crate::limits;
use crate::reason::{HostReason, Refusal};
use authority::Authority;
use http::header::{ACCESS_CONTROL_REQUEST_METHOD, CONTENT_TYPE, ORIGIN};
use http::{HeaderMap, Method, Version};
use path::CanonicalPath;

/// A request that can be read in one way only.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) head: Head,
    pub(crate) id: RequestId,
    /// Unique, whatever the id: who holds claims.
    pub(crate) serial: u128,
    /// Whether a route or a policy of its chain looks at the method.
    pub(crate) method_decides: bool,
    authority: Option<Authority>,
    path: CanonicalPath,
}

/// A head that is refused before any route is looked for.
#[derive(Debug)]
pub(crate) struct RefusedHead {
    pub(crate) refusal: Refusal,
    pub(crate) head: Head,
    pub(crate) id: RequestId,
}

impl Request {
    /// Checks `head` against the limits, and that it has one reading. With `exceptions`
    /// a path may have several, for its route to judge.
    ///
    /// A refused head is handed back with the reason, since the answer may
    /// depend on it (a gRPC client gets a gRPC status).
    pub(crate) fn normalize(
        head: Head,
        id: RequestId,
        serial: u128,
        exceptions: bool,
    ) -> Result<Self, Box<RefusedHead>> {
        match check(&head, exceptions) {
            Ok((authority, path)) => Ok(Self { head, id, serial, method_decides: false, authority, path }),
            Err(refusal) => Err(Box::new(RefusedHead { refusal, head, id })),
        }
    }

    /// The host in canonical form; empty when the client named none.
    pub(crate) fn host(&self) -> &str {
        self.authority.as_ref().map_or("", Authority::host)
    }

    /// The host, and the port where it is not the scheme's own.
    pub(crate) fn authority(&self) -> Option<&str> {
        self.authority.as_ref().map(Authority::as_str)
    }

    /// The path in canonical form, without the query.
    pub(crate) fn path(&self) -> &str {
        self.path.as_str(&self.head.target)
    }

    /// The parts of the path that may be read in several ways. [`path`](Self::path) is
    /// then the reading of a backend that decodes and merges all of it.
    pub(crate) fn excepted(&self) -> Option<&Excepted> {
        self.path.excepted()
    }

    /// Refuses what may be read in several ways in the path, where no route excepts it.
    pub(crate) fn ambiguous_path(&self) -> Refusal {
        path::explain(HostReason::AmbiguousPath, &self.head.target)
    }

    /// The path with everything folded that some backend may fold, except the
    /// case of ASCII letters.
    pub(crate) fn folded_path(&self) -> &str {
        self.path.folded(&self.head.target)
    }

    /// Whether a backend that folds as `foldings` say serves something else
    /// under this path.
    pub(crate) fn is_folded_by(&self, foldings: &[BackendFolding]) -> bool {
        !foldings.is_empty() && folding::is_folded(self.path(), foldings)
    }

    /// Whether the query names another method, as frameworks read it that take
    /// methods from forms.
    pub(crate) fn overrides_method(&self) -> bool {
        self.head.method == Method::POST && self.query().is_some_and(overrides::names_method)
    }

    /// Whether the client named no host although it had to: HTTP/1.0 needs
    /// none, unless routes tell hosts apart.
    pub(crate) fn lacks_host(&self, routes_name_hosts: bool) -> bool {
        self.authority.is_none() && (routes_name_hosts || self.head.version > Version::HTTP_10)
    }

    /// The part of the target after the first `?`.
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
    /// gRPC needs HTTP/2: over HTTP/1.1 its content type is a client's whim,
    /// and its answer an empty 200.
    pub(crate) fn of(head: &Head) -> Self {
        let grpc = head.version >= Version::HTTP_2
            && head.headers.get(CONTENT_TYPE).is_some_and(|value| {
                let value = value.as_bytes();
                // grpc-web is answered as plain HTTP: its clients read the status.
                value
                    .strip_prefix(b"application/grpc")
                    .is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';')))
            });
        if grpc { Self::Grpc } else { Self::Http }
    }
}

/// Whether this is a CORS preflight (Fetch standard, section 3.3.2).
pub(crate) fn is_preflight(head: &Head) -> bool {
    head.method == Method::OPTIONS
        && head.headers.contains_key(ORIGIN)
        && head.headers.get(ACCESS_CONTROL_REQUEST_METHOD).is_some_and(|method| !method.is_empty())
}

fn check(head: &Head, exceptions: bool) -> Result<(Option<Authority>, CanonicalPath), Refusal> {
    if head.method == Method::CONNECT {
        return Err(HostReason::ConnectRefused.into());
    }
    if head.method.as_str().bytes().any(|byte| byte.is_ascii_lowercase()) {
        return Err(HostReason::MethodNotUppercase.because(format!("the method is `{}`", head.method)));
    }
    check_size(&head.headers)?;
    framing::check_codings(&head.headers)?;
    let authority = Authority::of(head)?;
    let path = CanonicalPath::of(&head.target);
    let path = if exceptions { path.or_else(|reason| CanonicalPath::of_excepted(&head.target, reason)) } else { path };
    let path = path.map_err(|reason| path::explain(reason, &head.target))?;
    Ok((authority, path))
}

fn check_size(headers: &HeaderMap) -> Result<(), Refusal> {
    if headers.len() > limits::HEADERS_MAX {
        return Err(HostReason::TooManyHeaders.because(format!("{} fields", headers.len())));
    }
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if bytes > limits::HEADERS_BYTES_MAX {
        return Err(HostReason::HeadersTooLarge.because(format!("{bytes} bytes of fields")));
    }
    Ok(())
}
