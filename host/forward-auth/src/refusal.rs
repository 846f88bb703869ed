//! Calls that the gate is not asked about.

use crate::dialect::Dialect;
use http::{HeaderName, StatusCode};
use std::net::IpAddr;

/// A call that the gate is not asked about, or whose permit the proxy could
/// not carry out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It does not come from a trusted proxy.
    UntrustedCaller(Option<IpAddr>),
    /// The proxy does not say what the request was about: all that is not
    /// said. The operator must act.
    Missing(Vec<HeaderName>),
    /// It says it twice, so that one of them may be the client's.
    Ambiguous(HeaderName),
    /// A field of another dialect says something else.
    Contradiction(HeaderName),
    /// Its value cannot be read.
    Malformed(HeaderName),
    /// The path does not begin with the prefix that the proxy puts there.
    WithoutPrefix,
    /// A field that the gate sets came with the call, so the proxy does not
    /// remove the client's. The operator must act.
    NotRemoved(HeaderName),
    /// The client spelt one of the gate's fields in a way that only servers
    /// which read `_` as `-` understand, and this proxy cannot remove it.
    ForgedField(HeaderName),
    /// The client asks for a protocol behind which nobody would ask the gate.
    Upgrade,
    /// The route does not forward a part of the query, which this proxy cannot
    /// take out. The operator must act.
    QueryChanged,
}

impl Refusal {
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::UntrustedCaller(_) | Self::NotRemoved(_) | Self::ForgedField(_) | Self::Upgrade => {
                StatusCode::FORBIDDEN
            }
            Self::Contradiction(_) => StatusCode::BAD_REQUEST,
            Self::Missing(_) | Self::WithoutPrefix | Self::Ambiguous(_) | Self::Malformed(_) | Self::QueryChanged => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
        }
    }

    /// The stable reason code.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::UntrustedCaller(_) => "untrusted-caller",
            Self::Missing(_) | Self::WithoutPrefix => "missing-original-request",
            Self::Ambiguous(_) | Self::Malformed(_) => "malformed-original-request",
            Self::Contradiction(_) => "contradicting-original-request",
            Self::NotRemoved(_) => "field-not-removed",
            Self::ForgedField(_) => "forged-field",
            Self::Upgrade => "upgrade-refused",
            Self::QueryChanged => "query-not-removed",
        }
    }

    /// The cause in one line, and the setting or the line to write.
    pub(crate) fn detail(&self, dialect: &Dialect) -> String {
        match self {
            Self::UntrustedCaller(Some(address)) => format!(
                "calls from {address} are not trusted: if the proxy is there, write `trusted-proxies = [\"{address}\"]` \
                 in the listener's section"
            ),
            Self::UntrustedCaller(None) => "the caller has no address that could be trusted".to_owned(),
            Self::Missing(fields) => {
                let names: Vec<_> = fields.iter().map(|field| format!("`{field}`")).collect();
                let lines: Vec<_> = fields.iter().map(|field| dialect.line_that_sends(field)).collect();
                format!("the call lacks {}: {}{}", names.join(", "), lines.join(", "), whole(dialect))
            }
            Self::WithoutPrefix => "the path does not begin with the proxy's `path_prefix`".to_owned(),
            Self::Ambiguous(field) => format!(
                "`{field}` came twice, so one may be the client's: the proxy must replace it: {}{}",
                dialect.line_that_sends(field),
                whole(dialect)
            ),
            Self::Contradiction(field) => format!(
                "`{field}` says something else than the proxy does: the proxy must remove the client's{}",
                whole(dialect)
            ),
            Self::Malformed(field) => format!("`{field}` cannot be read"),
            Self::NotRemoved(field) => format!(
                "a client's `{field}` came with the call, so the proxy does not remove it: write {}{}",
                dialect.line_that_removes(field),
                whole(dialect)
            ),
            Self::ForgedField(field) => format!("`{field}` is another spelling of a field that the gate sets"),
            Self::QueryChanged => {
                "a key in the query would reach the upstream, since a proxy that asks by forward-auth \
                                   forwards the query as it came: serve the route by another kind of listener"
                    .to_owned()
            }
            Self::Upgrade => "the client asks for a protocol that `upgrades` of the listener does not list".to_owned(),
        }
    }
}

fn whole(dialect: &Dialect) -> String {
    dialect.printed_for().map_or_else(String::new, |name| format!("; `barmkin check --for {name}` prints all lines"))
}
