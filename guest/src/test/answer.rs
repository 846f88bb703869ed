//! The host's checks of a decision: within the manifest's declarations, and the
//! host's bounds.

use crate::test::{fields, limits};
use crate::types::{Allowance, Change, Decision, Denial, Facts, Header, Manifest, Principal};

/// The fault of the decision, if the host would not take it.
pub(super) fn violation(manifest: &Manifest, decision: &Decision) -> Option<String> {
    match decision {
        Decision::Allow(_) if !manifest.vouches => Some("it does not declare to vouch".to_owned()),
        Decision::Allow(Allowance { principal, facts, changes }) => principal
            .as_ref()
            .and_then(of_principal)
            .or_else(|| facts.as_ref().and_then(of_facts))
            .or_else(|| of_changes(manifest, changes)),
        Decision::Deny(denial) => of_denial(denial),
        Decision::Abstain(changes) => of_changes(manifest, changes),
    }
}

fn of_principal(principal: &Principal) -> Option<String> {
    let Principal { id, tenant, roles, scopes, method, attributes, .. } = principal;
    if !(1..=limits::PRINCIPAL_ID_BYTES_MAX).contains(&id.len()) {
        return Some(format!("it named a principal by {} bytes", id.len()));
    }
    if [roles.len(), scopes.len(), attributes.len()].into_iter().any(|count| count > limits::PRINCIPAL_ITEMS_MAX) {
        return Some("it named a principal with too many roles, scopes or attributes".to_owned());
    }
    let attributes = attributes.iter().flat_map(|(name, value)| [name, value]);
    let texts = roles.iter().chain(scopes).chain(attributes).chain(tenant).chain([method, id]);
    let is_wrong = |text: &String| text.len() > limits::PRINCIPAL_ITEM_BYTES_MAX || text.contains(char::is_control);
    let wrong = texts.into_iter().any(is_wrong);
    wrong.then(|| "it named a principal with text that is too long or not printable".to_owned())
}

fn of_facts(facts: &Facts) -> Option<String> {
    let mut texts = [&facts.message_id, &facts.key_id].into_iter().flatten();
    let too_long = texts.find(|text| text.len() > limits::PRINCIPAL_ITEM_BYTES_MAX)?;
    Some(format!("it set a fact of {} bytes", too_long.len()))
}

fn of_denial(denial: &Denial) -> Option<String> {
    let Denial { status, code, headers, .. } = denial;
    if !(200..600).contains(status) {
        return Some(format!("it denied with status {status}"));
    }
    let code_byte = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if !(1..=limits::CODE_BYTES_MAX).contains(&code.len()) || !code.bytes().all(code_byte) {
        return Some(format!("it denied with code `{code}`"));
    }
    if headers.len() > limits::DECISION_HEADERS_MAX {
        return Some(format!("it answered with {} fields", headers.len()));
    }
    headers.iter().find_map(|header| {
        let name = header.name.to_ascii_lowercase();
        let is_wrong = !fields::is_name(&name) || fields::is_reserved(&name);
        is_wrong.then(|| format!("it answered with field `{name}`")).or_else(|| of_value(header))
    })
}

fn of_changes(manifest: &Manifest, changes: &[Change]) -> Option<String> {
    if changes.len() > limits::DECISION_HEADERS_MAX {
        return Some(format!("it made {} changes", changes.len()));
    }
    changes.iter().find_map(|change| {
        let (name, value) = match change {
            Change::Set(header) | Change::Append(header) => (&header.name, Some(header)),
            Change::Remove(name) => (name, None),
        };
        let undeclared = !manifest.sets.contains(name);
        undeclared.then(|| format!("it does not declare to set `{name}`")).or_else(|| value.and_then(of_value))
    })
}

fn of_value(header: &Header) -> Option<String> {
    if header.value.len() > limits::DECISION_VALUE_BYTES_MAX {
        return Some(format!("it set a field to {} bytes", header.value.len()));
    }
    (!fields::is_value(&header.value)).then(|| format!("it set `{}` to what no field can hold", header.name))
}
