//! Making decisions.
//!
//! The helpers return plain [`Decision`]s. What is said of a decision that it
//! cannot carry, such as a header for the client of an allowed request, is
//! dropped; a debug build panics there, so that a native test finds it.

use crate::types::{Allowance, Change, Decision, Denial, Facts, Header, Principal, PrincipalKind};

/// Lets the request in and answers for it.
#[must_use]
pub fn allow(principal: Principal) -> Decision {
    Decision::Allow(Allowance { principal: Some(principal), facts: None, changes: Vec::new() })
}

/// Lets the request in and answers for it, without saying again who asks: for
/// rules that decide what somebody may do whom an earlier policy established.
#[must_use]
pub fn vouch() -> Decision {
    Decision::Allow(Allowance { principal: None, facts: None, changes: Vec::new() })
}

/// Keeps the request out, with a status from 200 to 599 and a stable code in
/// lower case with hyphens, both of which the client learns.
#[must_use]
pub fn deny(status: u16, code: &str) -> Decision {
    Decision::Deny(Denial { status, code: code.to_owned(), detail: String::new(), headers: Vec::new() })
}

/// Has nothing against the request, and vouches for nobody.
#[must_use]
pub fn abstain() -> Decision {
    Decision::Abstain(Vec::new())
}

impl Denial {
    /// As [`deny`], for where only a denial fits.
    #[must_use]
    pub fn new(status: u16, code: &str) -> Self {
        Self { status, code: code.to_owned(), detail: String::new(), headers: Vec::new() }
    }
}

impl Decision {
    /// The code of a denial.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Deny(denial) => Some(&denial.code),
            Self::Allow(_) | Self::Abstain(_) => None,
        }
    }

    /// With what was verified. For an allow.
    #[must_use]
    #[track_caller]
    pub fn facts(mut self, facts: Facts) -> Self {
        match &mut self {
            Self::Allow(allowance) => allowance.facts = Some(facts),
            Self::Deny(_) | Self::Abstain(_) => debug_assert!(false, "facts go with an allow"),
        }
        self
    }

    /// With a header set on the request that is forwarded; its name is among
    /// [`Rule::sets`](crate::Rule::sets). For an allow or an abstention.
    #[must_use]
    #[track_caller]
    pub fn set(self, name: &str, value: impl Into<String>) -> Self {
        self.change(Change::Set(Header { name: name.to_owned(), value: value.into() }))
    }

    /// With a header appended to the request that is forwarded, as [`Self::set`].
    #[must_use]
    #[track_caller]
    pub fn append(self, name: &str, value: impl Into<String>) -> Self {
        self.change(Change::Append(Header { name: name.to_owned(), value: value.into() }))
    }

    /// With a header removed from the request that is forwarded, as [`Self::set`].
    #[must_use]
    #[track_caller]
    pub fn remove(self, name: &str) -> Self {
        self.change(Change::Remove(name.to_owned()))
    }

    /// With a line for the operator's log. For a denial.
    #[must_use]
    #[track_caller]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        match &mut self {
            Self::Deny(denial) => denial.detail = detail.into(),
            Self::Allow(_) | Self::Abstain(_) => debug_assert!(false, "details go with a denial"),
        }
        self
    }

    /// With a header for the client. For a denial.
    #[must_use]
    #[track_caller]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        match &mut self {
            Self::Deny(denial) => {
                denial.headers.push(Header { name: name.to_owned(), value: value.into() });
            }
            Self::Allow(_) | Self::Abstain(_) => debug_assert!(false, "headers go with a denial"),
        }
        self
    }

    #[track_caller]
    fn change(mut self, change: Change) -> Self {
        match &mut self {
            Self::Allow(Allowance { changes, .. }) | Self::Abstain(changes) => changes.push(change),
            Self::Deny(_) => debug_assert!(false, "a denied request is not forwarded"),
        }
        self
    }
}

impl Principal {
    /// A person.
    #[must_use]
    pub fn user(id: &str) -> Self {
        Self::of(id, PrincipalKind::User)
    }

    /// A program that acts for itself.
    #[must_use]
    pub fn service(id: &str) -> Self {
        Self::of(id, PrincipalKind::Service)
    }

    /// A sender of signed webhooks.
    #[must_use]
    pub fn provider(id: &str) -> Self {
        Self::of(id, PrincipalKind::Provider)
    }

    /// A machine.
    #[must_use]
    pub fn device(id: &str) -> Self {
        Self::of(id, PrincipalKind::Device)
    }

    /// With how it was authenticated, for example `api-key`.
    #[must_use]
    pub fn by(mut self, method: &str) -> Self {
        method.clone_into(&mut self.method);
        self
    }

    fn of(id: &str, kind: PrincipalKind) -> Self {
        Self {
            id: id.to_owned(),
            kind,
            tenant: None,
            roles: Vec::new(),
            scopes: Vec::new(),
            method: String::new(),
            authenticated_at_unix_ms: None,
            attributes: Vec::new(),
        }
    }
}
