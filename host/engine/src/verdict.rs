//! The verdict of a chain, and the two types that carry it to an adapter.

use crate::effects::Settlement;
use crate::metrics::Unenforced;
use crate::principal::Principal;
use crate::reason::{HostReason, Reason};
use crate::request::{Form, Head, RequestId, without_query, written_in_query};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Response, StatusCode};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Names the response field that carries the reason code.
pub const REASON_FIELD: HeaderName = HeaderName::from_static("barmkin-reason");

/// Names the field that carries the request id, to the upstream and back.
pub const REQUEST_ID_FIELD: HeaderName = HeaderName::from_static("x-request-id");

/// Digest (SHA-256) of the generation that decided: configuration, policies
/// and key names.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest(pub [u8; 32]);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        crate::write_hex::<64>(f, &self.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The outcome of a chain of policies.
#[derive(Debug)]
#[must_use = "a verdict that nobody looks at guards nothing"]
pub enum Verdict {
    /// The request may be forwarded, by way of its [`Permit`].
    Allow(Box<Permit>),
    /// It may not.
    Deny(Box<Denial>),
}

impl Verdict {
    /// The reason of a deny, `None` for an allow.
    pub fn reason(&self) -> Option<&Reason> {
        match self {
            Self::Allow(_) => None,
            Self::Deny(denial) => Some(&denial.reason),
        }
    }

    /// The decision of each policy of the chain, in the order they ran.
    pub fn steps(&self) -> &[Step] {
        match self {
            Self::Allow(permit) => &permit.steps,
            Self::Deny(denial) => &denial.steps,
        }
    }
}

/// The decision of one policy, for logs and for `barmkin eval`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The policy.
    pub policy: Arc<str>,
    /// Its decision, as it counts in the chain.
    pub outcome: Outcome,
    /// The policy's message to the operator.
    pub detail: String,
    /// The cost of its check, where
    /// [`Services::for_authors`](crate::Services::for_authors) asks for it.
    pub took: Option<Box<Took>>,
}

/// The cost of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Took {
    /// How long it was, an instance made for it included.
    pub time: Duration,
    /// Bytes of linear memory that its instance had at the end; 0 where none was
    /// asked.
    pub memory_bytes: usize,
}

/// The short form of a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It vouched.
    Allow,
    /// It did not object.
    Abstain,
    /// It denied.
    Deny(Reason),
    /// It failed, and its `on-error` is `abstain`.
    Failed(HostReason),
}

/// A change to the fields that are forwarded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Replaces every field of that name.
    Set(HeaderName, HeaderValue),
    /// Adds one.
    Append(HeaderName, HeaderValue),
    /// Removes every field of that name.
    Remove(HeaderName),
}

/// Leave to forward one request.
///
/// Only a chain can make one, and the request's fields can only be had back
/// through it: what forwards a `Permit`'s fields cannot have forgotten to ask.
#[derive(Debug)]
#[must_use = "forward the request, or drop the permit deliberately"]
pub struct Permit {
    pub(crate) head: Head,
    pub(crate) request_id: RequestId,
    pub(crate) route: Arc<str>,
    pub(crate) upstream: Option<Arc<str>>,
    pub(crate) generation: Digest,
    pub(crate) principal: Option<Arc<Principal>>,
    /// Every change, the removal of what clients forge first.
    pub(crate) changes: Vec<Change>,
    /// Query parameters that are not forwarded.
    pub(crate) removes_query: Arc<[String]>,
    pub(crate) steps: Vec<Step>,
    pub(crate) observed: Option<Box<Denial>>,
    pub(crate) settlement: Settlement,
}

impl Permit {
    /// Names the request in logs.
    pub fn request_id(&self) -> &RequestId {
        &self.request_id
    }

    /// The route that matched.
    pub fn route(&self) -> &str {
        &self.route
    }

    /// The upstream that the route names.
    pub fn upstream(&self) -> Option<&str> {
        self.upstream.as_deref()
    }

    /// The generation that decided.
    pub fn generation(&self) -> Digest {
        self.generation
    }

    /// Who is asking, if a policy or the listener said so.
    pub fn principal(&self) -> Option<&Principal> {
        self.principal.as_deref()
    }

    /// The verdict that a route which only observes would have given.
    pub fn observed(&self) -> Option<&Denial> {
        self.observed.as_deref()
    }

    /// The changes to the fields, in the order in which they apply: for
    /// proxies that are told of changes. Fields that clients must not send are
    /// removed first.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// Query parameters that must not be forwarded, since they are credentials: their
    /// names as the target has them, for proxies that are told of changes.
    pub fn removed_query_parameters(&self) -> Vec<&str> {
        if self.removes_query.is_empty() {
            return Vec::new();
        }
        written_in_query(&self.head.target, &self.removes_query)
    }

    /// The request's target and fields with all changes applied, and what settles
    /// the effects that wait for the response.
    ///
    /// Adapters that see no response drop the [`Settlement`], which keeps them.
    pub fn into_forwarded(self: Box<Self>) -> (Head, Settlement) {
        let Self { mut head, changes, removes_query, settlement, .. } = *self;
        if !removes_query.is_empty()
            && let Some(target) = without_query(&head.target, &removes_query)
        {
            head.target = target;
        }
        for change in changes {
            apply(&mut head.headers, change);
        }
        (head, settlement)
    }
}

fn apply(headers: &mut HeaderMap, change: Change) {
    match change {
        Change::Set(name, value) => drop(headers.insert(name, value)),
        Change::Append(name, value) => drop(headers.append(name, value)),
        Change::Remove(name) => drop(headers.remove(name)),
    }
}

/// A refusal of one request.
#[derive(Clone, Debug)]
pub struct Denial {
    pub(crate) status: StatusCode,
    pub(crate) reason: Reason,
    pub(crate) detail: String,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) request_id: RequestId,
    pub(crate) route: Option<Arc<str>>,
    pub(crate) policy: Option<Arc<str>>,
    pub(crate) generation: Digest,
    pub(crate) documentation: Option<Arc<str>>,
    pub(crate) own_form: Option<Arc<dyn DenialForm>>,
    pub(crate) form: Form,
    pub(crate) steps: Vec<Step>,
}

impl Denial {
    /// The status for the client. A status of 2xx acknowledges the request
    /// without forwarding it.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The stable reason code.
    pub fn reason(&self) -> &Reason {
        &self.reason
    }

    /// For the operator's log; the client never sees it.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// The policy that denied, if it was one.
    pub fn policy(&self) -> Option<&str> {
        self.policy.as_deref()
    }

    /// The route that matched, if one did.
    pub fn route(&self) -> Option<&str> {
        self.route.as_deref()
    }

    /// Names the request in logs.
    pub fn request_id(&self) -> &RequestId {
        &self.request_id
    }

    /// The generation that decided.
    pub fn generation(&self) -> Digest {
        self.generation
    }

    /// This denial on a route that only observes.
    pub(crate) fn unenforced(&self) -> Unenforced<'_> {
        Unenforced {
            route: self.route.as_deref().unwrap_or_default(),
            request: &self.request_id,
            generation: self.generation,
            policy: None,
            would: Some(&self.reason),
            did: None,
        }
    }

    /// The answer for the client: a problem document (RFC 9457), or what
    /// [`Services::denial_form`](crate::Services::denial_form) makes of it, and for
    /// a gRPC request a trailers-only response.
    ///
    /// This is the one place that turns a refusal into a response.
    pub fn response(&self) -> Response<Bytes> {
        let (status, DenialBody { content_type, bytes }) = match self.form {
            Form::Http => (self.status, self.own_body().unwrap_or_else(|| self.problem())),
            Form::Grpc => {
                let content_type = HeaderValue::from_static("application/grpc");
                (StatusCode::OK, DenialBody { content_type, bytes: Bytes::new() })
            }
        };
        let mut response = Response::new(bytes);
        *response.status_mut() = status;
        let fields = response.headers_mut();
        for (name, value) in &self.headers {
            fields.append(name, value.clone());
        }
        fields.insert(CONTENT_TYPE, content_type);
        // What one client is denied, another may have.
        fields.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Ok(reason) = HeaderValue::from_str(self.reason.as_str()) {
            if self.form == Form::Grpc {
                fields.insert("grpc-status", HeaderValue::from_static(grpc_status(self.status)));
                fields.insert("grpc-message", reason.clone());
            }
            fields.insert(REASON_FIELD, reason);
        }
        if let Ok(id) = self.request_id.as_field() {
            fields.insert(REQUEST_ID_FIELD, id);
        }
        response
    }

    fn own_body(&self) -> Option<DenialBody> {
        self.own_form.as_ref()?.body(self)
    }

    fn problem(&self) -> DenialBody {
        let kind = match &self.documentation {
            Some(base) => format!("{base}{}", self.reason),
            None => "about:blank".to_owned(),
        };
        let problem = serde_json::json!({
            "type": kind,
            "title": self.status.canonical_reason().unwrap_or("Denied"),
            "status": self.status.as_u16(),
            "reason": self.reason.as_str(),
            "request-id": self.request_id.to_string(),
        });
        let content_type = HeaderValue::from_static("application/problem+json");
        DenialBody { content_type, bytes: problem.to_string().into() }
    }
}

/// An embedder's own form of refusals. It has the body alone: the status, and the
/// fields by which clients know what to do (`www-authenticate`, `retry-after`,
/// `barmkin-reason`), are the gate's.
///
/// Functions are forms:
///
/// ```
/// use barmkin_host::{Denial, DenialBody, MemoryStore, Services};
/// use http::HeaderValue;
/// use std::sync::Arc;
///
/// fn in_words(denial: &Denial) -> Option<DenialBody> {
///     let content_type = HeaderValue::from_static("text/plain");
///     Some(DenialBody { content_type, bytes: format!("refused: {}\n", denial.reason()).into() })
/// }
///
/// let mut services = Services::new(MemoryStore::default());
/// services.denial_form = Some(Arc::new(in_words));
/// ```
pub trait DenialForm: Send + Sync {
    /// The body of the answer to `denial`; `None` for a problem document.
    fn body(&self, denial: &Denial) -> Option<DenialBody>;
}

impl<F: Fn(&Denial) -> Option<DenialBody> + Send + Sync> DenialForm for F {
    fn body(&self, denial: &Denial) -> Option<DenialBody> {
        self(denial)
    }
}

impl fmt::Debug for dyn DenialForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DenialForm")
    }
}

/// The body of the answer to a denied request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DenialBody {
    /// Its media type.
    pub content_type: HeaderValue,
    /// Its bytes.
    pub bytes: Bytes,
}

/// The gRPC status for an HTTP one, by the mapping of the gRPC project
/// (`doc/http-grpc-status-mapping.md`), with the codes that say it better.
fn grpc_status(status: StatusCode) -> &'static str {
    match status.as_u16() {
        200..=299 => "6",       // ALREADY_EXISTS: acknowledged before
        400 => "3",             // INVALID_ARGUMENT
        401 => "16",            // UNAUTHENTICATED
        404 => "12",            // UNIMPLEMENTED
        409 => "10",            // ABORTED
        413 | 429 | 431 => "8", // RESOURCE_EXHAUSTED
        502..=504 => "14",      // UNAVAILABLE
        500 => "13",            // INTERNAL
        _ => "7",               // PERMISSION_DENIED
    }
}
