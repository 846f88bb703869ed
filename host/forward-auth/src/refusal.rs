//! Calls that the gate is not asked about.

use http::{HeaderName, StatusCode};

/// A call that the gate is not asked about, or whose permit the proxy could
/// not carry out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It does not come from a trusted proxy.
    UntrustedCaller,
    /// The proxy does not say what the request was about. The operator must
    /// act.
    Missing(HeaderName),
    /// It says it twice, so that one of them may be the client's.
    Ambiguous(HeaderName),
    /// What it says cannot be read.
    Malformed(HeaderName),
    /// The path does not begin with the prefix that the proxy puts there.
    WithoutPrefix,
    /// The client spelt one of the gate's fields in a way that only servers
    /// which read `_` as `-` understand, and this proxy cannot remove it.
    ForgedField(HeaderName),
}

impl Refusal {
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::UntrustedCaller | Self::ForgedField(_) => StatusCode::FORBIDDEN,
            Self::Missing(_) | Self::WithoutPrefix | Self::Ambiguous(_) | Self::Malformed(_) => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
        }
    }

    /// The stable reason code.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::UntrustedCaller => "untrusted-caller",
            Self::Missing(_) | Self::WithoutPrefix => "missing-original-request",
            Self::Ambiguous(_) | Self::Malformed(_) => "malformed-original-request",
            Self::ForgedField(_) => "forged-field",
        }
    }
}
