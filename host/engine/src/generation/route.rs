//! A route as it decides: its policies by their indices, and what its chain needs.

use crate::generation::{shadow_name, spec};
use crate::policy::{BodyInput, Policy};
use crate::request::BodyNeed;
use crate::routes::{BuiltMatch, BuiltMember, BuiltRoute, Deciding, Shadow, Tried};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// `None` where no request can match it.
pub(super) fn build_route(
    route: &spec::Route,
    index: &BTreeMap<&str, usize>,
    policies: &[Policy],
    tried: &[Policy],
) -> Option<BuiltRoute> {
    let find = |names: &[String]| -> Vec<usize> {
        names.iter().filter_map(|name| index.get(name.as_str()).copied()).collect()
    };
    let mut chain = Vec::new();
    let mut shadows = Vec::new();
    for member in &route.chain {
        match member {
            spec::Member::Policy(name) => {
                chain.extend(find(std::slice::from_ref(name)).into_iter().map(BuiltMember::Policy));
            }
            spec::Member::Shadow(name) => {
                let tried_as = shadow_name(name);
                let policy = tried.iter().position(|policy| *policy.name == *tried_as);
                let place = chain.len();
                shadows.extend(policy.map(|policy| Shadow { place, name: name.as_str().into(), policy }));
            }
            spec::Member::AnyOf(names) => chain.push(BuiltMember::AnyOf(find(names))),
        }
    }
    let deciding = Deciding {
        body_need: body_need(route, &chain, policies),
        removes_query: removes_query(&chain, policies),
        reads_method: !route.observe
            && chain
                .iter()
                .flat_map(BuiltMember::policies)
                .any(|index| policies.get(*index).is_some_and(|policy| policy.manifest.reads_method())),
        chain,
        public: route.public,
        preflight: route.preflight,
        backend_foldings: route.backend_foldings.clone(),
        overrides: route.overrides,
        cors: route.cors.clone(),
        path_exceptions: route.path_exceptions.clone(),
    };
    Some(BuiltRoute {
        name: route.name.as_str().into(),
        matches: BuiltMatch::new(&route.matches).ok()?,
        deciding,
        trials: Tried { observe: route.observe, shadows },
        log_allowed: route.log_allowed,
        upstream: route.upstream.clone(),
    })
}

/// Also those of policies that are not asked, since another of their group let
/// the request in.
fn removes_query(chain: &[BuiltMember], policies: &[Policy]) -> Arc<[String]> {
    let members = chain.iter().flat_map(BuiltMember::policies).filter_map(|index| policies.get(*index));
    let names: BTreeSet<&String> = members.flat_map(Policy::removes_query).collect();
    names.into_iter().cloned().collect()
}

fn body_need(route: &spec::Route, chain: &[BuiltMember], policies: &[Policy]) -> BodyNeed {
    let members = chain.iter().flat_map(BuiltMember::policies);
    let inputs = members.filter_map(|index| policies.get(*index)).map(|policy| policy.manifest.body());
    // A body that one of them cannot use is not read for the others.
    let usable = inputs.filter_map(|input| match input {
        BodyInput::None => None,
        BodyInput::Bytes(max) => Some(*max),
        BodyInput::OnHost | BodyInput::Digests(_) => Some(usize::MAX),
    });
    usable.min().map_or(BodyNeed::None, |usable| BodyNeed::Whole {
        max_bytes: route.body_bytes_max.unwrap_or_else(|| route.body_bytes().min(usable)),
    })
}
