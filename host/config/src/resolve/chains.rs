//! Chains of stock policies that cannot mean what they say.

use crate::document::{Document, Entry};
use crate::listener::{Listener, ListenerKind};
use crate::resolve::providers::{Provider, is_webhook_signature};
use crate::resolve::retention::{tolerance, window, written};
use crate::resolve::{Context, PolicyOrigin};
use crate::source::Site;
use crate::stock;
use barmkin_host::{Member, PolicySpec, QuotaKey, Route, SameDelivery, Spec};
use std::collections::BTreeMap;

/// Looks at every route.
pub(super) fn check(
    spec: &Spec,
    document: &Document,
    origins: &BTreeMap<String, PolicyOrigin>,
    listeners: &[Listener],
    context: &mut Context<'_>,
) {
    for route in &spec.routes {
        let Some(Entry { site, .. }) = document.routes.iter().find(|declared| declared.value.name == route.name) else {
            continue;
        };
        // A shadow refuses nothing, and what it verifies counts for nobody.
        let deciding = route.chain.iter().filter(|member| !matches!(member, Member::Shadow(_)));
        let members = deciding.flat_map(Member::policies);
        let chain: Option<Vec<_>> = members.map(|name| Some((name.as_str(), spec.policies.get(name)?))).collect();
        // Of one that there is not nobody knows what it was to do.
        let Some(chain) = chain else { continue };
        check_bodies(route, &chain, site, listeners, context);
        for (place, (name, policy)) in chain.iter().enumerate() {
            let before = chain.get(..place).unwrap_or_default();
            if needs_principal(policy, spec) && !is_named(before, route, listeners) {
                let message = format!("policy `{name}` refuses every request, since none before it names the caller");
                context
                    .findings
                    .error(site.key("chain"), message)
                    .help("put the policy that names the caller, such as one of `stock:api-key`, before it");
            }
            if stock::name_of(&policy.component) == Some("replay-window") {
                let at = match origins.get(*name) {
                    Some(PolicyOrigin::Declared(site)) => site,
                    _ => site,
                };
                check_replay_window((name, policy), before, (site, at), (spec, document), context);
            }
        }
    }
}

/// Whether it refuses requests of which nobody has said whose they are.
fn needs_principal(policy: &PolicySpec, spec: &Spec) -> bool {
    match stock::name_of(&policy.component) {
        Some("rbac-scopes") => true,
        Some("rate-quota") => {
            let granted = policy.grants.quotas.values().flatten().filter_map(|name| spec.quotas.get(name));
            granted.into_iter().any(|quota| matches!(quota.key, QuotaKey::Principal | QuotaKey::Tenant))
        }
        _ => false,
    }
}

/// Whether somebody may have said it: a policy, or a client certificate.
fn is_named(before: &[(&str, &PolicySpec)], route: &Route, listeners: &[Listener]) -> bool {
    let names = |policy: &PolicySpec| {
        !matches!(stock::name_of(&policy.component), Some("rbac-scopes" | "rate-quota" | "replay-window"))
    };
    let by_certificate = |listener: &Listener| {
        listener.tls.as_ref().is_some_and(|tls| tls.names_principal)
            || matches!(listener.kind, ListenerKind::ExtAuthz { client_certificate: true, .. })
    };
    before.iter().any(|(_, policy)| names(policy))
        || listeners.iter().any(|listener| route.matches.serves(Some(&listener.name)) && by_certificate(listener))
}

/// `replay-window` tells deliveries apart by what was verified before it.
fn check_replay_window(
    (name, policy): (&str, &PolicySpec),
    before: &[(&str, &PolicySpec)],
    (route, at): (&Site, &Site),
    (spec, document): (&Spec, &Document),
    context: &mut Context<'_>,
) {
    // What others verify is not known.
    if before.iter().any(|(_, policy)| stock::name_of(&policy.component).is_none()) {
        return;
    }
    let signatures: Vec<_> = before.iter().filter(|(_, policy)| is_webhook_signature(policy)).collect();
    if signatures.is_empty() {
        let message = format!("policy `{name}` refuses every delivery, since none before it verifies a signature");
        context
            .findings
            .error(route.key("chain"), message)
            .help("put the policy that verifies, such as `stock:webhook-signature`, before it");
        return;
    }
    for (signature, signed) in signatures {
        if let Some(tolerance) = tolerance(signed).filter(|tolerance| *tolerance > window(policy)) {
            let [window, tolerance] = [window(policy), tolerance].map(written);
            let message = format!(
                "policy `{name}` takes deliveries for `{window}` only, of which policy `{signature}` would take \
                 `{tolerance}`"
            );
            let help = "give both the same time, which is how long the sender repeats what it signed once";
            context.findings.warning(at.key("settings").key("window"), message).help(help);
        }
        let Some(space) = policy.grants.nonces.get("deliveries") else { continue };
        let by_id = spec.nonces.get(space).is_some_and(|space| space.same_delivery == SameDelivery::MessageId);
        if by_id && !signs_ids(signed) {
            let message = format!("`{space}` tells deliveries apart by ids, and policy `{signature}` verifies none");
            let site = document.nonces.get(space).map_or(at, |space| &space.site);
            context
                .findings
                .error(site.key("same-delivery"), message)
                .help("leave `same-delivery` out: then it is what was signed that tells deliveries apart");
        }
    }
}

/// Whether message ids are among what the stock policy verifies.
fn signs_ids(policy: &PolicySpec) -> bool {
    match Provider::of(policy) {
        Some((_, provider)) => provider.signs_ids,
        None => policy.settings.pointer("/scheme/id-header").is_some(),
    }
}

/// The largest body that the providers of a chain are known to send.
pub(super) fn provided_bytes<'s>(policies: impl Iterator<Item = &'s PolicySpec>) -> Option<usize> {
    policies.filter_map(|policy| Provider::of(policy)?.1.body_bytes_max).max()
}

/// A bound that is below what a provider sends refuses its largest deliveries.
fn check_bodies(
    route: &Route,
    chain: &[(&str, &PolicySpec)],
    site: &Site,
    listeners: &[Listener],
    context: &mut Context<'_>,
) {
    let Some(sent) = provided_bytes(chain.iter().map(|(_, policy)| *policy)) else { return };
    let mut warn = |site: Site, whose: String, takes: usize| {
        let message = format!("{whose} takes {takes} bytes of a body, and its sender is known to send up to {sent}");
        context.findings.warning(site, message).help(format!("write at least `{}MiB`", sent.div_ceil(1024 * 1024)));
    };
    if route.body_bytes() < sent {
        warn(site.key("body-limit"), format!("route `{}`", route.name), route.body_bytes());
    }
    for listener in listeners.iter().filter(|listener| route.matches.serves(Some(&listener.name))) {
        if let ListenerKind::ExtAuthz { body_bytes_max: Some(takes), .. } = listener.kind
            && takes < sent.min(route.body_bytes())
        {
            warn(site.key("listeners"), format!("listener `{}`", listener.name), takes);
        }
    }
}
