//! A guest's answer, checked before anything believes it.

use crate::generation::fields::is_of_servers;
use crate::limits;
use crate::policy::bindings::barmkin::policy::types as wire;
use crate::policy::log::clean;
use crate::principal::{Facts, Principal, PrincipalKind};
use crate::verdict::Change;
use http::{HeaderName, HeaderValue, StatusCode};
use std::sync::Arc;

/// The answer of a policy, within what it declared.
#[derive(Debug)]
pub(crate) enum Decision {
    Allow(Allowance),
    Deny(PolicyDenial),
    /// With changes to the forwarded fields.
    Abstain(Vec<Change>),
}

#[derive(Debug)]
pub(crate) struct Allowance {
    pub(crate) principal: Option<Principal>,
    pub(crate) facts: Option<Facts>,
    pub(crate) changes: Vec<Change>,
}

#[derive(Debug)]
pub(crate) struct PolicyDenial {
    pub(crate) status: StatusCode,
    pub(crate) code: Arc<str>,
    pub(crate) detail: String,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
}

impl PolicyDenial {
    /// Adds a remark of the host.
    pub(crate) fn add(&mut self, remark: &str) {
        let separator = if self.detail.is_empty() { "" } else { "; " };
        self.detail = format!("{}{separator}{remark}", self.detail);
    }
}

/// The decisions that a policy may give, as its manifest declares.
pub(super) struct DecisionScope<'a> {
    pub(super) vouch: bool,
    pub(super) sets: &'a [HeaderName],
}

/// A claim that a guest may not make, as a sentence for the operator.
type Violation = String;

impl DecisionScope<'_> {
    /// Takes a decision from the wire.
    pub(super) fn check(&self, decision: wire::Decision) -> Result<Decision, Violation> {
        Ok(match decision {
            wire::Decision::Allow(_) if !self.vouch => {
                return Err("it allowed, but its manifest does not declare to vouch".to_owned());
            }
            wire::Decision::Allow(allowance) => Decision::Allow(Allowance {
                principal: allowance.principal.map(principal).transpose()?,
                facts: allowance.facts.map(facts).transpose()?,
                changes: self.changes(allowance.changes)?,
            }),
            wire::Decision::Deny(denial) => Decision::Deny(deny(denial)?),
            wire::Decision::Abstain(changes) => Decision::Abstain(self.changes(changes)?),
        })
    }

    fn changes(&self, changes: Vec<wire::Change>) -> Result<Vec<Change>, Violation> {
        if changes.len() > limits::DECISION_HEADERS_MAX {
            return Err(format!("it made {} changes", changes.len()));
        }
        let declared = |name: &str| match self.sets.iter().find(|declared| declared.as_str() == name) {
            Some(name) => Ok(name.clone()),
            None => Err(format!("it changed `{}`, which its manifest does not declare to set", clean(name, 64))),
        };
        changes
            .into_iter()
            .map(|change| {
                Ok(match change {
                    wire::Change::Set(header) => Change::Set(declared(&header.name)?, value(&header)?),
                    wire::Change::Append(header) => Change::Append(declared(&header.name)?, value(&header)?),
                    wire::Change::Remove(name) => Change::Remove(declared(&name)?),
                })
            })
            .collect()
    }
}

fn deny(denial: wire::Denial) -> Result<PolicyDenial, Violation> {
    let status = StatusCode::from_u16(denial.status)
        .ok()
        .filter(|status| (200..600).contains(&status.as_u16()))
        .ok_or_else(|| format!("it denied with status {}", denial.status))?;
    let code_byte = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if !(1..=limits::CODE_BYTES_MAX).contains(&denial.code.len()) || !denial.code.bytes().all(code_byte) {
        return Err(format!("it denied with code `{}`", clean(&denial.code, limits::CODE_BYTES_MAX)));
    }
    if denial.headers.len() > limits::DECISION_HEADERS_MAX {
        return Err(format!("it answered with {} fields", denial.headers.len()));
    }
    let mut headers = Vec::with_capacity(denial.headers.len());
    for header in &denial.headers {
        let name = HeaderName::from_bytes(header.name.as_bytes()).ok().filter(|name| !is_of_servers(name));
        let name = name.ok_or_else(|| format!("it answered with field `{}`", clean(&header.name, 64)))?;
        headers.push((name, value(header)?));
    }
    let detail = clean(&denial.detail, limits::DETAIL_BYTES_MAX);
    Ok(PolicyDenial { status, code: denial.code.into(), detail, headers })
}

fn value(header: &wire::Header) -> Result<HeaderValue, Violation> {
    if header.value.len() > limits::DECISION_VALUE_BYTES_MAX {
        return Err(format!("it set a field to {} bytes", header.value.len()));
    }
    HeaderValue::from_str(&header.value)
        .map_err(|_| format!("it set `{}` to what no field can hold", clean(&header.name, 64)))
}

fn principal(principal: wire::PrincipalResult) -> Result<Principal, Violation> {
    if !(1..=limits::PRINCIPAL_ID_BYTES_MAX).contains(&principal.id.len()) {
        return Err(format!("it named a principal by {} bytes", principal.id.len()));
    }
    let items = [&principal.roles, &principal.scopes].into_iter().flatten();
    let attributes = principal.attributes.iter().flat_map(|(name, value)| [name, value]);
    let texts = items.chain(attributes).chain([&principal.method]).chain(&principal.tenant);
    let counts = [principal.roles.len(), principal.scopes.len(), principal.attributes.len()];
    if counts.into_iter().any(|count| count > limits::PRINCIPAL_ITEMS_MAX) {
        return Err("it named a principal with too many roles, scopes or attributes".to_owned());
    }
    for text in texts.chain([&principal.id]) {
        if text.len() > limits::PRINCIPAL_ITEM_BYTES_MAX || text.chars().any(char::is_control) {
            return Err("it named a principal with text that is too long or not printable".to_owned());
        }
    }
    Ok(Principal {
        id: principal.id,
        kind: match principal.kind {
            wire::PrincipalKind::User => PrincipalKind::User,
            wire::PrincipalKind::Service => PrincipalKind::Service,
            wire::PrincipalKind::Provider => PrincipalKind::Provider,
            wire::PrincipalKind::Device => PrincipalKind::Device,
        },
        tenant: principal.tenant,
        roles: principal.roles,
        scopes: principal.scopes,
        method: principal.method,
        authenticated_at_unix_ms: principal.authenticated_at_unix_ms,
        attributes: principal.attributes,
    })
}

fn facts(facts: wire::FactsResult) -> Result<Facts, Violation> {
    for text in [&facts.message_id, &facts.key_id].into_iter().flatten() {
        if text.len() > limits::PRINCIPAL_ITEM_BYTES_MAX {
            return Err(format!("it set a fact of {} bytes", text.len()));
        }
    }
    Ok(Facts { message_id: facts.message_id, signed_at_unix_ms: facts.signed_at_unix_ms, key_id: facts.key_id })
}
