//! Who is asking, and what was verified about the request.

use std::fmt;

/// The kind of party that a principal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PrincipalKind {
    /// A person.
    User,
    /// A program acting for itself.
    Service,
    /// The sender of signed webhooks.
    Provider,
    /// A device.
    Device,
}

impl fmt::Display for PrincipalKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::User => "user",
            Self::Service => "service",
            Self::Provider => "provider",
            Self::Device => "device",
        })
    }
}

/// Who is asking, as established by a policy that may say so, or by a proxy
/// that the listener trusts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// Unique within its tenant.
    pub id: String,
    /// The kind of party.
    pub kind: PrincipalKind,
    /// Whose user or service it is.
    pub tenant: Option<String>,
    /// Roles it holds.
    pub roles: Vec<String>,
    /// Scopes it was given.
    pub scopes: Vec<String>,
    /// How it was authenticated, for example `hmac-signature`.
    pub method: String,
    /// When, in milliseconds since 1970.
    pub authenticated_at_unix_ms: Option<u64>,
    /// Anything else that is known, in the order it was given.
    pub attributes: Vec<(String, String)>,
}

impl Principal {
    /// A principal of which only the essentials are known.
    pub fn new(kind: PrincipalKind, id: impl Into<String>, method: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            kind,
            tenant: None,
            roles: Vec::new(),
            scopes: Vec::new(),
            method: method.into(),
            authenticated_at_unix_ms: None,
            attributes: Vec::new(),
        }
    }

    /// The value of an attribute.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// The facts that a verified signature covers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The sender's id for the message, when it is signed.
    pub message_id: Option<String>,
    /// When it was signed, in milliseconds since 1970.
    pub signed_at_unix_ms: Option<u64>,
    /// Which secret it was signed with.
    pub key_id: Option<String>,
}
