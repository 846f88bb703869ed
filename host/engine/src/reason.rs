//! Why a request was denied, in one stable code.

use std::fmt;
use std::sync::Arc;

/// A stable reason code: lower case, digits and hyphens.
///
/// The client learns it, metrics count by it, tests compare it. Codes of the
/// host are listed in [`HostReason`]; a policy brings its own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// A law of the host.
    Host(HostReason),
    /// A policy's own code.
    Policy(Arc<str>),
}

impl Reason {
    /// The code.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Host(reason) => reason.as_str(),
            Self::Policy(code) => code,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<HostReason> for Reason {
    fn from(reason: HostReason) -> Self {
        Self::Host(reason)
    }
}

macro_rules! host_reasons {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $status:ident;)*) => {
        /// The reasons for which the host itself denies.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum HostReason { $($(#[$doc])* $name,)* }

        impl HostReason {
            /// All of them, for documentation and metrics.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The code.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// The status a client gets.
            pub const fn status(self) -> http::StatusCode {
                match self { $(Self::$name => http::StatusCode::$status,)* }
            }
        }
    };
}

host_reasons! {
    /// The request target is not a path.
    MalformedTarget = "malformed-target", BAD_REQUEST;
    /// The target is longer than [`TARGET_BYTES_MAX`](crate::limits::TARGET_BYTES_MAX).
    TargetTooLong = "target-too-long", URI_TOO_LONG;
    /// Backends could read the path in two ways.
    AmbiguousPath = "ambiguous-path", BAD_REQUEST;
    /// There is more than one host, or it could be read as another one.
    AmbiguousAuthority = "ambiguous-authority", BAD_REQUEST;
    /// There is no host, where the version of HTTP or a route needs one.
    MissingHost = "missing-host", BAD_REQUEST;
    /// Methods are case-sensitive and in capitals; some backends read others
    /// as if they were.
    MethodNotUppercase = "method-not-uppercase", BAD_REQUEST;
    /// The query names another method than the one that was decided about.
    MethodOverridden = "method-overridden", BAD_REQUEST;
    /// `connection` names a field that the gate or a policy reads or sets: the
    /// next server would not see what was decided about.
    ConnectionNamesField = "connection-names-field", BAD_REQUEST;
    /// The body has a transfer coding besides `chunked`, which would be lost.
    TransferCodingUnsupported = "transfer-coding-unsupported", NOT_IMPLEMENTED;
    /// CONNECT asks for a tunnel that could not be guarded.
    ConnectRefused = "connect-refused", METHOD_NOT_ALLOWED;
    /// More fields than [`HEADERS_MAX`](crate::limits::HEADERS_MAX).
    TooManyHeaders = "too-many-headers", REQUEST_HEADER_FIELDS_TOO_LARGE;
    /// More bytes than [`HEADERS_BYTES_MAX`](crate::limits::HEADERS_BYTES_MAX).
    HeadersTooLarge = "headers-too-large", REQUEST_HEADER_FIELDS_TOO_LARGE;
    /// A field that a policy takes once came twice.
    DuplicateHeader = "duplicate-header", BAD_REQUEST;
    /// A field that a policy reads is not UTF-8.
    HeaderNotUtf8 = "header-not-utf8", BAD_REQUEST;
    /// A query parameter that a policy takes once came twice.
    DuplicateQueryParameter = "duplicate-query-parameter", BAD_REQUEST;
    /// A query parameter that a policy reads is not UTF-8.
    MalformedQuery = "malformed-query", BAD_REQUEST;
    /// The body is longer than the route takes.
    BodyTooLarge = "body-too-large", PAYLOAD_TOO_LARGE;
    /// The body did not arrive whole.
    BodyTruncated = "body-truncated", BAD_REQUEST;
    /// The caller of the gate sends no bodies, but the chain needs one.
    BodyNotCarried = "body-not-carried", INTERNAL_SERVER_ERROR;
    /// No route matches.
    NoRoute = "no-route", FORBIDDEN;
    /// No policy vouched for the request.
    NobodyVouched = "nobody-vouched", FORBIDDEN;
    /// A CORS preflight on a route that does not take them.
    PreflightRefused = "preflight-refused", FORBIDDEN;
    /// A policy did something that it was not granted.
    ContractViolation = "contract-violation", INTERNAL_SERVER_ERROR;
    /// Two policies named different principals.
    PrincipalConflict = "principal-conflict", FORBIDDEN;
    /// A policy trapped.
    PolicyTrapped = "policy-trapped", INTERNAL_SERVER_ERROR;
    /// A policy did not answer in time.
    DeadlineExceeded = "deadline-exceeded", SERVICE_UNAVAILABLE;
    /// A policy kept missing its deadline, and was not asked.
    Quarantined = "quarantined", SERVICE_UNAVAILABLE;
    /// A policy wanted more memory than it may have.
    MemoryExceeded = "memory-exceeded", INTERNAL_SERVER_ERROR;
    /// A policy called the host more often, or with more, than it may.
    HostCallsExceeded = "host-calls-exceeded", INTERNAL_SERVER_ERROR;
    /// There was no instance to be had: too many checks at once.
    Overloaded = "overloaded", SERVICE_UNAVAILABLE;
    /// The store did not answer, or is full.
    StoreUnavailable = "store-unavailable", SERVICE_UNAVAILABLE;
    /// The store lost its contents, and this was signed before: it may have been
    /// used. Whatever the policy's `on-error`, it is refused.
    SignedBeforeLoss = "signed-before-loss", SERVICE_UNAVAILABLE;
    /// A policy would take this for longer than its nonce space remembers it.
    /// Whatever the policy's `on-error`, it is refused.
    RetentionExceeded = "retention-exceeded", INTERNAL_SERVER_ERROR;
}

impl HostReason {
    /// A refusal with this reason, of which the operator's log says `detail`.
    pub(crate) fn because(self, detail: impl Into<String>) -> Refusal {
        Refusal { reason: self, detail: detail.into() }
    }
}

/// A refusal by the host itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) reason: HostReason,
    /// The cause, for the operator's log only; empty where the reason says it
    /// all.
    pub(crate) detail: String,
}

impl From<HostReason> for Refusal {
    fn from(reason: HostReason) -> Self {
        reason.because("")
    }
}

impl fmt::Display for HostReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
