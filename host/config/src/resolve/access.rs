//! Roles, scopes, keys and paths of stock policies that lead nowhere.
//!
//! All of it can be meant, while a configuration is being written: these are
//! warnings.

use crate::document::Document;
use crate::resolve::{Context, Policies, PolicyOrigin};
use crate::source::{FileId, Site, Spot};
use crate::stock;
use barmkin_host::{Member, PathMatch, PolicySpec, Spec};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Looks at the keys of `api-key`, and at the roles and rules of `rbac-scopes`,
/// by the chains in which they meet.
pub(super) fn check(spec: &Spec, document: &Document, policies: &Policies, context: &mut Context<'_>) {
    check_route_paths(spec, document, context);
    let mut meetings: BTreeMap<&str, Vec<Meeting<'_>>> = BTreeMap::new();
    for route in &spec.routes {
        let members = route.chain.iter().flat_map(Member::policies);
        let chain: Vec<_> = members.filter_map(|name| Some((name.as_str(), spec.policies.get(name)?))).collect();
        let is = |policy: &PolicySpec, name| stock::name_of(&policy.component) == Some(name);
        let keys = chain.iter().filter(|(_, policy)| is(policy, "api-key")).copied().collect();
        // Others may name principals with any role and scope.
        let only_keys = chain.iter().all(|(_, policy)| {
            matches!(
                stock::name_of(&policy.component),
                Some("api-key" | "rbac-scopes" | "rate-quota" | "replay-window")
            )
        });
        let keys: Vec<(&str, &PolicySpec)> = keys;
        for (name, _) in chain.iter().filter(|(_, policy)| is(policy, "rbac-scopes")) {
            meetings.entry(name).or_default().push(Meeting { keys: keys.clone(), only_keys });
        }
    }
    for (name, policy) in &spec.policies {
        let Some(site) = document.policies.get(name).map(|entry| entry.site.key("settings")) else { continue };
        match stock::name_of(&policy.component) {
            Some("api-key") if policy.settings.get("keys") == Some(&Value::Array(Vec::new())) => {
                let message = format!("policy `{name}` knows no key, and refuses everybody");
                context.findings.warning(site.key("keys"), message).help("make one with `barmkin api-key new`");
            }
            Some("rbac-scopes") => {
                let access = Access { name, settings: &policy.settings, site: &site };
                access.check(meetings.get(name.as_str()).map_or(&[], Vec::as_slice), policies, context);
            }
            _ => {}
        }
    }
}

/// The chain of a route in which roles are looked at.
struct Meeting<'s> {
    /// The policies of it that know callers by their keys.
    keys: Vec<(&'s str, &'s PolicySpec)>,
    /// Whether nobody else names principals.
    only_keys: bool,
}

/// A policy `rbac-scopes`.
struct Access<'s> {
    name: &'s str,
    settings: &'s Value,
    site: &'s Site,
}

impl Access<'_> {
    fn check(&self, meetings: &[Meeting<'_>], policies: &Policies, context: &mut Context<'_>) {
        let needed: BTreeSet<&str> = list(self.settings, "rules").flat_map(needed).collect();
        for (role, setting) in self.roles() {
            let scopes: Vec<_> = texts(setting, "scopes").collect();
            if !scopes.is_empty() && !scopes.iter().any(|scope| needed.contains(scope)) {
                let message = format!("no rule needs any scope of role `{role}`");
                let at = self.site.key("roles").key(role);
                context.findings.warning(at, message).help("add a rule that does, or remove the role");
            }
        }
        self.check_keys(meetings, policies, context);
        let only_keys = |meeting: &Meeting<'_>| meeting.only_keys && !meeting.keys.is_empty();
        if !meetings.is_empty() && meetings.iter().all(only_keys) {
            self.check_scopes(meetings, context);
        }
        for (index, rule) in list(self.settings, "rules").enumerate() {
            if let Some(segment) = rule.get("path").and_then(Value::as_str).and_then(parameter) {
                let message = format!("`{segment}` stands for itself in a path, and for no parameter");
                let at = self.site.key("rules").item(index).key("path");
                context.findings.warning(at, message).help(format!("write `{{{}}}`", segment.trim_start_matches(':')));
            }
        }
    }

    fn roles(&self) -> impl Iterator<Item = (&str, &Value)> {
        let roles = self.settings.get("roles").and_then(Value::as_object);
        roles.into_iter().flatten().map(|(name, role)| (name.as_str(), role))
    }

    /// Keys whose roles are not defined where they are looked at.
    fn check_keys(&self, meetings: &[Meeting<'_>], policies: &Policies, context: &mut Context<'_>) {
        let defined: BTreeSet<&str> = self.roles().map(|(name, _)| name).collect();
        let keys: BTreeMap<&str, &PolicySpec> = meetings.iter().flat_map(|meeting| meeting.keys.clone()).collect();
        for (policy, spec) in keys {
            for (index, key) in list(&spec.settings, "keys").enumerate() {
                for role in texts(key, "roles").filter(|role| !defined.contains(role)) {
                    let id = key.get("id").and_then(Value::as_str).unwrap_or_default();
                    let message =
                        format!("key `{id}` has the role `{role}`, which policy `{}` does not define", self.name);
                    let spot = place_of_key(policy, index, policies);
                    context.findings.warning(spot, message).help("define it in `roles`, or correct it here");
                }
            }
        }
    }

    /// Scopes that are needed, and that nobody can have.
    fn check_scopes(&self, meetings: &[Meeting<'_>], context: &mut Context<'_>) {
        let of_roles = self.roles().flat_map(|(_, role)| texts(role, "scopes"));
        let keys = meetings.iter().flat_map(|meeting| &meeting.keys);
        let of_keys = keys.flat_map(|(_, policy)| list(&policy.settings, "keys")).flat_map(|key| texts(key, "scopes"));
        let held: BTreeSet<&str> = of_roles.chain(of_keys).collect();
        for (index, rule) in list(self.settings, "rules").enumerate() {
            for scope in needed(rule).filter(|scope| !held.contains(scope)) {
                let message = format!("no role and no key has the scope `{scope}`");
                let at = self.site.key("rules").item(index);
                context.findings.warning(at, message).help("give it to a role, or correct it here");
            }
        }
    }
}

fn place_of_key(policy: &str, index: usize, policies: &Policies) -> Spot {
    if let Some(table) = policies.tables.get(policy).and_then(|tables| tables.get("keys")) {
        return table.spot(index);
    }
    match policies.origins.get(policy) {
        Some(PolicyOrigin::Declared(site) | PolicyOrigin::Inline(site)) => {
            site.key("settings").key("keys").item(index).into()
        }
        None => Spot::File(FileId::MAIN),
    }
}

/// Paths of routes are text: what looks like a wildcard matches itself alone.
fn check_route_paths(spec: &Spec, document: &Document, context: &mut Context<'_>) {
    for route in &spec.routes {
        let Some(declared) = document.routes.iter().find(|declared| declared.value.name == route.name) else {
            continue;
        };
        let (PathMatch::Exact(path) | PathMatch::Prefix(path)) = &route.matches.path;
        let wildcard = |segment: &&str| segment.contains('*') || (segment.starts_with('{') && segment.ends_with('}'));
        if let Some(segment) = parameter(path).or_else(|| path.split('/').find(wildcard)) {
            let message = format!("`{segment}` stands for itself in the path of a route, and for nothing else");
            context
                .findings
                .warning(declared.site.key("match").key("path"), message)
                .help("write the `prefix` before it: `rbac-scopes` has paths with wildcards");
        }
    }
}

/// A segment that looks like the parameter of a framework's route.
fn parameter(path: &str) -> Option<&str> {
    path.split('/').find(|segment| segment.len() > 1 && segment.starts_with(':'))
}

/// The scopes that a rule speaks of.
fn needed(rule: &Value) -> impl Iterator<Item = &str> {
    texts(rule, "scopes").chain(texts(rule, "any-scope"))
}

fn list<'v>(value: &'v Value, name: &str) -> impl Iterator<Item = &'v Value> + use<'v> {
    value.get(name).and_then(Value::as_array).into_iter().flatten()
}

fn texts<'v>(value: &'v Value, name: &str) -> impl Iterator<Item = &'v str> + use<'v> {
    list(value, name).filter_map(Value::as_str)
}
