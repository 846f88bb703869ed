//! The fields that the gate or a policy reads or sets, and other names that
//! servers behind could take for them.

use crate::generation::spec::NonceSpace;
use crate::policy::Policy;
use crate::request::{METHOD_OVERRIDES, TARGET_OVERRIDES};
use crate::verdict::REQUEST_ID_FIELD;
use http::HeaderName;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::collections::{BTreeMap, BTreeSet};

/// Fields that frame a message, or are between two servers: only they set them
/// (RFC 9110, section 7.6.1; RFC 9112, section 6).
const OF_SERVERS: [&str; 11] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Fields that say where a request came from, which the gate reads, and the
/// reverse proxy writes.
const OF_PROXIES: [&str; 7] = [
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-proto",
    "x-real-ip",
    REQUEST_ID_FIELD_NAME,
];

const REQUEST_ID_FIELD_NAME: &str = "x-request-id";

/// Fields that the gate or any backend reads for what they are.
const OF_EVERYBODY: [&str; 10] = [
    "access-control-request-method",
    "authorization",
    "barmkin-reason",
    "barmkin-status",
    "content-encoding",
    "content-type",
    "cookie",
    "origin",
    "proxy-authorization",
    "range",
];

/// Fields that frame or route a message: nobody but the servers set them.
pub(crate) fn is_of_servers(name: &HeaderName) -> bool {
    OF_SERVERS.contains(&name.as_str())
}

/// Fields that no policy may set: also what says where a request came from.
pub(crate) fn is_reserved(name: &HeaderName) -> bool {
    is_of_servers(name) || OF_PROXIES.contains(&name.as_str())
}

/// Whether the principal cannot be sent in field `name`, because it already means
/// something else.
pub(super) fn is_taken(name: &HeaderName) -> bool {
    is_reserved(name) || all(&[&OF_EVERYBODY, &METHOD_OVERRIDES, &TARGET_OVERRIDES]).any(|taken| taken == name.as_str())
}

/// The fields that a gate, its policies and its listeners read or set.
#[derive(Debug)]
pub(crate) struct KnownFields {
    names: BTreeSet<Box<str>>,
    /// The same, as servers read them that tell no punctuation apart.
    folded: BTreeSet<Box<str>>,
    /// Whether some of them are folded to another name.
    has_punctuation: bool,
}

impl KnownFields {
    /// `policies` are those that decide: a field that is only read on trial is not
    /// guarded.
    pub(super) fn new<'p>(
        gate_fields: &[HeaderName],
        nonces: &BTreeMap<String, NonceSpace>,
        policies: impl Iterator<Item = &'p Policy>,
    ) -> Self {
        debug_assert_eq!(REQUEST_ID_FIELD.as_str(), REQUEST_ID_FIELD_NAME);
        let by_themselves = all(&[&OF_SERVERS, &OF_PROXIES, &OF_EVERYBODY, &METHOD_OVERRIDES, &TARGET_OVERRIDES]);
        let mut names: BTreeSet<Box<str>> = by_themselves.map(Into::into).collect();
        let telling_apart = nonces.values().flat_map(|space| &space.tell_apart);
        names.extend(telling_apart.map(|told| told.field.as_str().into()));
        names.extend(gate_fields.iter().map(|field| field.as_str().into()));
        let inputs = policies.flat_map(|policy| policy.manifest.headers());
        names.extend(inputs.map(|input| input.name.as_str().into()));
        let folded: BTreeSet<Box<str>> = names.iter().map(|name| fold(name).into()).collect();
        let has_punctuation = names.iter().any(|name| has_punctuation(name));
        Self { names, folded, has_punctuation }
    }

    /// Whether the next server would not see what was decided about if it did
    /// as `connection` says, which names `field`.
    pub(crate) fn is_lost_with(&self, field: &HeaderName) -> bool {
        let of_connections = is_of_servers(field) && !matches!(field.as_str(), "host" | "content-length");
        !of_connections && self.folded.contains(fold(field.as_str()).as_str())
    }

    /// Whether a server could read `name` as one of these: those that speak CGI
    /// or WSGI read `_`, and some any punctuation, as `-`.
    pub(crate) fn is_other_spelling(&self, name: &HeaderName) -> bool {
        let name = name.as_str();
        (self.has_punctuation || has_punctuation(name))
            && !self.names.contains(name)
            && self.folded.contains(fold(name).as_str())
    }
}

fn all<'a>(lists: &'a [&'a [&'static str]]) -> impl Iterator<Item = &'static str> + 'a {
    lists.iter().flat_map(|list| list.iter().copied())
}

/// Looked at for each field of each request, by code that is optimised in every
/// build.
fn has_punctuation(name: &str) -> bool {
    const PUNCTUATION: AsciiSet = NON_ALPHANUMERIC.remove(b'-');
    // A name without any is one piece, itself.
    utf8_percent_encode(name, &PUNCTUATION).next() != Some(name)
}

fn fold(name: &str) -> String {
    name.chars().map(|char| if char.is_ascii_alphanumeric() { char } else { '-' }).collect()
}

#[cfg(test)]
mod tests {
    use super::KnownFields;
    use http::HeaderName;
    use std::collections::BTreeMap;

    fn name(name: &str) -> HeaderName {
        HeaderName::from_bytes(name.as_bytes()).unwrap()
    }

    #[test]
    fn other_spellings_of_what_is_read_or_set_are_found() {
        let known = KnownFields::new(&[name("barmkin-principal"), name("x_odd")], &BTreeMap::new(), std::iter::empty());
        for spelling in [
            "barmkin_principal",
            "Barmkin.Principal",
            "x_forwarded_for",
            "x-forwarded_for",
            "content_length",
            "x-odd",
            "X_HTTP_Method_Override",
            "transfer_encoding",
            "x_request_id",
            "SCRIPT_NAME",
            "path_info",
            "X_Script_Name",
        ] {
            assert!(known.is_other_spelling(&name(spelling)), "{spelling}");
        }
        for other in ["barmkin-principal", "x_odd", "x-forwarded-for", "host", "x_other", "x!odd#"] {
            assert!(!known.is_other_spelling(&name(other)), "{other}");
        }
    }

    #[test]
    fn a_connection_names_its_own_fields_only() {
        let known = KnownFields::new(&[name("barmkin-principal")], &BTreeMap::new(), std::iter::empty());
        for lost in
            ["barmkin-principal", "x-forwarded-for", "authorization", "host", "content-length", "barmkin_principal"]
        {
            assert!(known.is_lost_with(&name(lost)), "{lost}");
        }
        for own in
            ["close", "keep-alive", "upgrade", "te", "http2-settings", "transfer-encoding", "x-hop", "proxy-connection"]
        {
            assert!(!known.is_lost_with(&name(own)), "{own}");
        }
    }
}
