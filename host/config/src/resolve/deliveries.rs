//! Nonce spaces: what makes two deliveries one, and what becomes of each.

use crate::document::{self, Entry, StatusClass};
use crate::listener::Listener;
use crate::resolve::{Context, limits};
use crate::source::Site;
use barmkin_host::{Keep, Member, NonceSpace, OnDuplicate, Route, SameDelivery, Spec, SuccessStatuses, TellApart};
use http::HeaderName;
use std::collections::BTreeMap;

pub(super) fn resolve(
    declared: &BTreeMap<String, Entry<document::Nonces>>,
    context: &mut Context<'_>,
) -> BTreeMap<String, NonceSpace> {
    let space = |(name, entry): (&String, &Entry<document::Nonces>)| {
        let Entry { site, value: nonces } = entry;
        let retain = context.read_or(site.key("retain"), nonces.retain.as_ref(), NonceSpace::default().retain);
        let space = NonceSpace {
            retain,
            entries_max: limits::entries_max(nonces.entries_max, site, context),
            same_delivery: same_delivery(nonces.same_delivery),
            tell_apart: tell_apart(&nonces.tell_apart, site, context),
            on_duplicate: nonces.on_duplicate.map(on_duplicate),
            keep: nonces.keep.map(limits::keep),
            success: success(nonces.success.as_deref(), site, context),
        };
        (name.clone(), space)
    };
    declared.iter().map(space).collect()
}

/// Finds settings that no listener can honor, and those that lose deliveries.
pub(super) fn check(
    spec: &Spec,
    declared: &BTreeMap<String, Entry<document::Nonces>>,
    listeners: &[Listener],
    context: &mut Context<'_>,
) {
    for (name, space) in &spec.nonces {
        let Some(Entry { site, .. }) = declared.get(name) else { continue };
        let ways: Vec<&Listener> = ways_in(name, spec, listeners).collect();
        let (Some(first), on_success) = (ways.first(), ways.iter().any(|listener| listener.sees_responses())) else {
            continue;
        };
        if space.keep == Some(Keep::OnSuccess) && !on_success {
            let message = format!("listener `{}` does not see whether the upstream succeeds", first.name);
            context
                .findings
                .error(site.key("keep"), message)
                .help("remove it, or have the routes that use this space served by listeners of kind `reverse-proxy`");
        } else if space.success != SuccessStatuses::default() && !on_success {
            let message = format!("listener `{}` does not see what the upstream answers", first.name);
            context.findings.error(site.key("success"), message).help("remove it");
        }
        let forgets = |listener: &&&Listener| space.delivery_keep(listener.sees()) != Keep::OnSuccess;
        if let (Some(OnDuplicate::Acknowledge), Some(listener)) = (space.on_duplicate, ways.iter().find(forgets)) {
            let message = format!(
                "a delivery by listener `{}` that the upstream fails to take is lost: when it comes again, it is \
                 acknowledged",
                listener.name
            );
            context.findings.warning(site.key("on-duplicate"), message).help(
                "acknowledge only what `keep = \"on-success\"` has seen succeed, by listeners of kind `reverse-proxy`",
            );
        }
    }
}

/// The listeners by which requests come that claim nonces of `space`.
pub(crate) fn ways_in<'l>(
    space: &str,
    spec: &Spec,
    listeners: &'l [Listener],
) -> impl Iterator<Item = &'l Listener> + use<'l> {
    let uses = |policy: &String| {
        spec.policies.get(policy).is_some_and(|policy| policy.grants.nonces.values().any(|granted| granted == space))
    };
    let uses = |route: &&Route| route.chain.iter().flat_map(Member::policies).any(uses);
    let matches: Vec<_> = spec.routes.iter().filter(uses).map(|route| route.matches.clone()).collect();
    listeners.iter().filter(move |listener| matches.iter().any(|matches| matches.serves(Some(&listener.name))))
}

fn same_delivery(same_delivery: document::SameDelivery) -> SameDelivery {
    match same_delivery {
        document::SameDelivery::Signature => SameDelivery::Signature,
        document::SameDelivery::MessageId => SameDelivery::MessageId,
    }
}

fn on_duplicate(on_duplicate: document::OnDuplicate) -> OnDuplicate {
    match on_duplicate {
        document::OnDuplicate::Deny => OnDuplicate::Deny,
        document::OnDuplicate::Acknowledge => OnDuplicate::Acknowledge,
        document::OnDuplicate::Mark => OnDuplicate::Mark,
    }
}

fn success(classes: Option<&[StatusClass]>, site: &Site, context: &mut Context<'_>) -> SuccessStatuses {
    let Some(classes) = classes else { return SuccessStatuses::default() };
    if !classes.contains(&StatusClass::Success) {
        context
            .findings
            .error(site.key("success"), "a delivery that the upstream took with 2xx is one that it took")
            .help("add `\"2xx\"`");
    }
    SuccessStatuses {
        redirects: classes.contains(&StatusClass::Redirect),
        client_errors: classes.contains(&StatusClass::ClientError),
    }
}

fn tell_apart(declared: &[document::TellApart], site: &Site, context: &mut Context<'_>) -> Vec<TellApart> {
    let site = site.key("tell-apart");
    let mut told: Vec<TellApart> = Vec::new();
    for document::TellApart { field, values } in declared {
        let name = HeaderName::from_bytes(field.as_bytes());
        let problem = match &name {
            Err(_) => format!("`{field}` is not the name of a header field"),
            Ok(name) if told.iter().any(|told| told.field == *name) => format!("`{field}` is named twice"),
            Ok(_) if values.is_empty() => format!("`{field}` has no values"),
            Ok(_) if has_twice(values) => format!("`{field}` has a value twice"),
            Ok(name) => {
                told.push(TellApart { field: name.clone(), values: values.clone() });
                continue;
            }
        };
        context.findings.error(site.clone(), problem).help(
            "name a field once, with each value that the sender has for it: any other value would let the same bytes \
             in again",
        );
    }
    told
}

fn has_twice(values: &[String]) -> bool {
    values.iter().enumerate().any(|(index, value)| values.iter().skip(index + 1).any(|other| other == value))
}
