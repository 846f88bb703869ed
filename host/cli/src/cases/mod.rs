//! Cases: requests, and what is expected of their verdicts.

mod alone;
mod expected;
mod format;
mod sign;

pub(crate) use alone::Component;
pub(crate) use format::{Case, Cases, schema};

use anyhow::{Context, Result};
use barmkin_host::{Body, Head, PrincipalKind};

impl Case {
    /// Whether it declares anything of its own.
    pub(crate) fn declares(&self) -> bool {
        !self.keys.is_empty() || !self.nonces.is_empty() || !self.quotas.is_empty()
    }

    /// Adds what policies before would have established.
    pub(crate) fn establish(&self, head: &mut Head) -> Result<()> {
        head.client.principal = self.principal.as_ref().map(principal);
        head.client.facts = self.facts.as_ref().map(facts).transpose()?;
        Ok(())
    }

    /// Adds the signature, if it asks for one.
    pub(crate) fn sign(&self, cases: &Cases, now: jiff::Timestamp, head: &mut Head, body: &Body) -> Result<()> {
        let Some(sign) = &self.sign else { return Ok(()) };
        let own = if self.keys.contains_key(&sign.key) { &self.keys } else { &cases.keys };
        sign::sign(sign, own, now, head, body)
    }
}

fn principal(given: &format::Principal) -> barmkin_host::Principal {
    let kind = match given.kind {
        format::PrincipalKind::User => PrincipalKind::User,
        format::PrincipalKind::Service => PrincipalKind::Service,
        format::PrincipalKind::Provider => PrincipalKind::Provider,
        format::PrincipalKind::Device => PrincipalKind::Device,
    };
    barmkin_host::Principal {
        tenant: given.tenant.clone(),
        roles: given.roles.clone(),
        scopes: given.scopes.clone(),
        attributes: given.attributes.clone().into_iter().collect(),
        ..barmkin_host::Principal::new(kind, &*given.id, given.method.as_deref().unwrap_or("case"))
    }
}

fn facts(given: &format::Facts) -> Result<barmkin_host::Facts> {
    let unix_ms = |time: jiff::Timestamp| u64::try_from(time.as_millisecond()).context("`signed-at` is before 1970");
    Ok(barmkin_host::Facts {
        message_id: given.message_id.clone(),
        signed_at_unix_ms: given.signed_at.map(unix_ms).transpose()?,
        key_id: given.key_id.clone(),
    })
}
