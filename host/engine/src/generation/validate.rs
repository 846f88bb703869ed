//! Whether routes and policies fit together.

use crate::cors::Cors;
use crate::generation::build_errors::BuildError;
use crate::generation::error::{At, Problem};
use crate::generation::fields;
use crate::generation::spec::{Member, Route, Spec};
use crate::limits::{BODY_BYTES_MAX, CHAIN_MAX, REMEMBERED_TAKES_MAX};
use crate::policy::{BodyInput, Policy};
use crate::routes::{BuiltMatch, Unmatchable};
use crate::store::QuotaRule;
use std::collections::BTreeMap;

/// Everything wrong with `spec`, given the policies of it that could be
/// loaded.
pub(super) fn validate(spec: &Spec, policies: &[Policy]) -> Vec<BuildError> {
    let mut errors = Vec::new();
    let loaded: BTreeMap<&str, &Policy> = policies.iter().map(|policy| (&*policy.name, policy)).collect();
    for (name, quota) in &spec.quotas {
        errors.extend(check_rule(&quota.rule).map(|problem| BuildError { at: At::Quota(name.clone()), problem }));
    }
    if let Some(field) = spec.principal_field.as_ref().filter(|field| fields::is_taken(field)) {
        let problem = Problem::PrincipalField(field.to_string());
        errors.push(BuildError { at: At::PrincipalField, problem });
    }
    for (index, route) in spec.routes.iter().enumerate() {
        let others = spec.routes.iter().take(index);
        let problems = check_route(route, others, spec, &loaded);
        errors.extend(problems.into_iter().map(|problem| BuildError { at: At::Route(route.name.clone()), problem }));
    }
    errors
}

fn check_rule(rule: &QuotaRule) -> Option<Problem> {
    let (what, value, max) = match rule {
        _ if rule.limit() == 0 || rule.span().is_zero() => {
            ("the rate", "zero".to_owned(), "one a nanosecond".to_owned())
        }
        QuotaRule::Gcra(_) | QuotaRule::FixedWindow(_) => return None,
        _ if rule.limit() <= REMEMBERED_TAKES_MAX => return None,
        // As they are configured.
        QuotaRule::SlidingWindow(_) => ("the rate", rule.limit().to_string(), REMEMBERED_TAKES_MAX.to_string()),
        QuotaRule::Concurrency(_) => ("the limit", rule.limit().to_string(), REMEMBERED_TAKES_MAX.to_string()),
    };
    Some(Problem::OutOfRange { what, value, min: "one unit".to_owned(), max })
}

fn check_route<'a>(
    route: &Route,
    others: impl Iterator<Item = &'a Route>,
    spec: &Spec,
    loaded: &BTreeMap<&str, &Policy>,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    let matches = match BuiltMatch::new(&route.matches) {
        Ok(matches) => Some(matches),
        Err(unmatchable) => {
            problems.push(match unmatchable {
                Unmatchable::Host(host) => Problem::Host(host),
                Unmatchable::Path(path) => Problem::Path(path),
                Unmatchable::Method(method) => Problem::Method(method.to_string()),
            });
            None
        }
    };
    for other in others {
        if other.name == route.name {
            problems.push(Problem::DuplicateName);
        }
        // One that nothing can match is complained of by itself.
        let other_matches = BuiltMatch::new(&other.matches).ok();
        if matches.as_ref().zip(other_matches.as_ref()).is_some_and(|(one, other)| one.ties(other)) {
            problems.push(Problem::Tie(other.name.clone()));
        }
    }
    if !(1..=BODY_BYTES_MAX).contains(&route.body_bytes()) {
        problems.push(Problem::OutOfRange {
            what: "the body limit",
            value: route.body_bytes().to_string(),
            min: "1".to_owned(),
            max: BODY_BYTES_MAX.to_string(),
        });
    }
    if let Some(origin) = route.cors.as_ref().and_then(Cors::unusable) {
        problems.push(Problem::Origin(origin.clone()));
    }
    if route.cors.as_ref().is_some_and(|cors| cors.origins.is_empty()) {
        problems.push(Problem::NoOrigins);
    }
    if !route.path_exceptions.is_empty() {
        if matches.as_ref().is_some_and(|matches| !matches.is_narrow_prefix()) {
            problems.push(Problem::ExceptionsWithoutPrefix);
        }
        // A trial, too: its record would be of another request.
        let policies = route.chain.iter().flat_map(Member::policies).filter_map(|name| loaded.get(name.as_str()));
        problems.extend(
            policies
                .filter(|policy| policy.manifest.reads_path())
                .map(|policy| Problem::ExceptionsRead(policy.name.to_string())),
        );
    }
    problems.extend(check_chain(route, spec, loaded));
    problems
}

fn check_chain(route: &Route, spec: &Spec, loaded: &BTreeMap<&str, &Policy>) -> Vec<Problem> {
    let mut problems = Vec::new();
    let names: Vec<&String> = route.chain.iter().flat_map(Member::policies).collect();
    let empty_group = route.chain.iter().any(|member| member.policies().is_empty());
    if (route.chain.is_empty() && !route.public) || empty_group {
        return vec![Problem::EmptyChain];
    }
    if names.len() > CHAIN_MAX {
        problems.push(Problem::ChainTooLong(names.len()));
    }
    for name in &names {
        if !spec.policies.contains_key(*name) {
            problems.push(Problem::Unknown { kind: "policy", name: (*name).clone() });
        }
    }
    let vouches = |name: &String| {
        // One that could not be loaded is complained of elsewhere.
        spec.policies.contains_key(name) && loaded.get(name.as_str()).is_none_or(|policy| policy.manifest.vouches())
    };
    // Nothing of a trial is held against what decides.
    let deciding: Vec<_> = route.chain.iter().filter(|member| !matches!(member, Member::Shadow(_))).collect();
    let decide = || deciding.iter().copied().flat_map(Member::policies);
    if !route.public && !decide().any(vouches) && problems.is_empty() {
        problems.push(Problem::NobodyVouches);
    }
    for group in route.chain.iter().filter_map(|member| match member {
        Member::AnyOf(names) => Some(names),
        _ => None,
    }) {
        if !group.iter().any(vouches) && problems.is_empty() {
            problems.push(Problem::NobodyVouches);
        }
    }
    problems.extend(fields_set_twice(&deciding, loaded));
    let body_max =
        decide().filter_map(|name| loaded.get(name.as_str())).filter_map(|policy| match policy.manifest.body() {
            BodyInput::Bytes(max) => Some(*max),
            _ => None,
        });
    if let (Some(max), Some(limit)) = (body_max.min(), route.body_bytes_max)
        && max < limit
    {
        problems.push(Problem::OutOfRange {
            what: "the body limit",
            value: limit.to_string(),
            min: "1".to_owned(),
            max: format!("{max}, which is what a policy of the chain reads"),
        });
    }
    problems
}

/// Members of one group may set the same field: only the winner's changes
/// count.
fn fields_set_twice(chain: &[&Member], loaded: &BTreeMap<&str, &Policy>) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut set_by: BTreeMap<&str, (&str, usize)> = BTreeMap::new();
    for (position, member) in chain.iter().enumerate() {
        for policy in member.policies().iter().filter_map(|name| loaded.get(name.as_str())) {
            for field in policy.sets() {
                match set_by.insert(field.as_str(), (&policy.name, position)) {
                    Some((first, at)) if at != position => {
                        problems.push(Problem::FieldSetTwice {
                            field: field.to_string(),
                            first: first.to_owned(),
                            second: policy.name.to_string(),
                        });
                    }
                    _ => {}
                }
            }
        }
    }
    problems
}
