//! The faults for which the host refuses a manifest when it loads a policy.

use crate::rule::Problems;
use crate::test::{fields, limits};
use crate::types::{BodyInput, Manifest, SettingProblem};

pub(super) fn check(manifest: &Manifest) -> Result<(), Vec<SettingProblem>> {
    let Manifest { headers, query_parameters, body, keys, nonces, quotas, sets, .. } = manifest;
    let headers: Vec<_> = headers.iter().map(|input| input.name.clone()).collect();
    let lists = [
        ("header", headers.clone()),
        ("query parameter", query_parameters.iter().map(|input| input.name.clone()).collect()),
        ("key", keys.iter().map(|key| key.name.clone()).collect()),
        ("nonce space", nonces.clone()),
        ("quota", quotas.clone()),
        ("field to set", sets.clone()),
    ];
    let mut problems = Problems::new();
    let mut refuse = |problem: String| problems.add("", problem, "the policy's author must change it");
    for (kind, names) in &lists {
        if names.len() > limits::MANIFEST_ITEMS_MAX {
            refuse(format!("the manifest declares more than {} of a {kind}", limits::MANIFEST_ITEMS_MAX));
        }
        if let Some(name) = first_twice(names) {
            refuse(format!("the manifest declares {kind} `{name}` twice"));
        }
    }
    for name in headers.iter().chain(sets) {
        if !fields::is_name(name) {
            refuse(format!("`{name}` is not a field name in lower case"));
        }
    }
    if let Some(name) = sets.iter().find(|name| fields::is_reserved(name)) {
        refuse(format!("no policy may set `{name}`"));
    }
    match body {
        BodyInput::Digests(digests) if first_twice(digests).is_some() => {
            refuse("the manifest declares a digest twice".to_owned());
        }
        BodyInput::Bytes(bytes_max) if *bytes_max > limits::BODY_BYTES_MAX => {
            refuse(format!("a body has at most {} bytes", limits::BODY_BYTES_MAX));
        }
        _ => {}
    }
    problems.or(()).map_err(Problems::into_vec)
}

fn first_twice<T: PartialEq>(items: &[T]) -> Option<&T> {
    let mut places = items.iter().enumerate();
    places.find(|(place, item)| items.iter().take(*place).any(|before| before == *item)).map(|(_, item)| item)
}
