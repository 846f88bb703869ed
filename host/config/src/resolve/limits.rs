//! Quotas, and how much of the store they and the nonce spaces may fill.

use crate::document::{self, Document, Entry, QuotaAlgorithm};
use crate::resolve::Context;
use crate::source::Site;
use crate::store::StoreConfig;
use crate::units::Rate;
use barmkin_host::{Keep, NoShare, Quota, QuotaKey, QuotaRule, Spec, Window};
use std::collections::BTreeMap;
use std::time::Duration;

/// When a request counts as ended although nobody said so: no common proxy
/// waits longer for a response.
const LEASE: Duration = Duration::from_secs(60);

pub(super) fn quotas(
    declared: &BTreeMap<String, Entry<document::Quota>>,
    context: &mut Context<'_>,
) -> BTreeMap<String, Quota> {
    let quota = |(name, entry): (&String, &Entry<document::Quota>)| {
        let Entry { site, value: quota } = entry;
        let keep = quota.keep.map_or_else(Keep::default, keep);
        let entries_max = entries_max(quota.entries_max, site, context);
        (name.clone(), Quota { rule: rule(quota, site, context), key: quota_key(quota.key), keep, entries_max })
    };
    declared.iter().map(quota).collect()
}

/// How much of the store a nonce space or a quota may fill.
pub(super) fn entries_max(given: Option<usize>, site: &Site, context: &mut Context<'_>) -> Option<usize> {
    if given == Some(0) {
        let message = "without room every request that needs it would be refused";
        context.findings.error(site.key("entries-max"), message).help("write at least 1");
    }
    given
}

/// Bounds that are more than the store's are not bounds: one space or quota could
/// fill it for the others.
pub(super) fn check_bounds(store: &StoreConfig, spec: &Spec, document: &Document, context: &mut Context<'_>) {
    let nonces = spec.nonces.iter().map(|(name, space)| (space.entries_max, document.nonces.get(name).map(site)));
    let quotas = spec.quotas.iter().map(|(name, quota)| (quota.entries_max, document.quotas.get(name).map(site)));
    match store.limits() {
        Some(room) => {
            check_shares("nonce spaces", "nonces-max", room.nonces, nonces.collect(), context);
            check_shares("quotas", "quotas-max", room.quotas, quotas.collect(), context);
        }
        None => {
            warn_of_unbounded("nonce space", nonces.collect(), context);
            warn_of_unbounded("quota", quotas.collect(), context);
        }
    }
}

/// A Redis has no parts: where several share one, each needs a bound of its own.
fn warn_of_unbounded(kind: &str, bounds: Vec<(Option<usize>, Option<&Site>)>, context: &mut Context<'_>) {
    if bounds.len() < 2 {
        return;
    }
    for site in bounds.into_iter().filter(|(bound, _)| bound.is_none()).filter_map(|(_, site)| site) {
        context
            .findings
            .warning(site, format!("nothing keeps this {kind} from filling Redis for the others"))
            .help("write `entries-max`: the most that each gate adds to it");
    }
}

fn site<T>(entry: &Entry<T>) -> &Site {
    &entry.site
}

fn check_shares(
    kind: &str,
    option: &str,
    room: usize,
    bounds: Vec<(Option<usize>, Option<&Site>)>,
    context: &mut Context<'_>,
) {
    let Err(NoShare { named, others }) = barmkin_host::share(room, bounds.iter().map(|(bound, _)| *bound)) else {
        return;
    };
    let Some((_, Some(site))) = bounds.into_iter().max_by_key(|(bound, _)| *bound) else { return };
    let rest = if others > 0 { format!(", and {others} more need some") } else { String::new() };
    let message = format!("the {kind} may hold {named} entries{rest}, but the store's `{option}` is {room}");
    context
        .findings
        .error(site.key("entries-max"), message)
        .help(format!("write less, or raise `{option}` in `[store]`: an entry takes about 200 bytes"));
}

fn rule(quota: &document::Quota, site: &Site, context: &mut Context<'_>) -> QuotaRule {
    use QuotaAlgorithm::{Concurrency, FixedWindow, Gcra, SlidingWindow};
    let options: [(&str, bool, &[QuotaAlgorithm]); 5] = [
        ("rate", quota.rate.is_some(), &[Gcra, FixedWindow, SlidingWindow]),
        ("burst", quota.burst.is_some(), &[Gcra]),
        ("limit", quota.limit.is_some(), &[Concurrency]),
        ("lease", quota.lease.is_some(), &[Concurrency]),
        ("keep", quota.keep.is_some(), &[Gcra, FixedWindow, SlidingWindow]),
    ];
    for (option, is_given, algorithms) in options {
        if is_given && !algorithms.contains(&quota.algorithm) {
            let name = algorithm_name(quota.algorithm);
            context
                .findings
                .error(site.key(option), format!("a quota by `{name}` has no `{option}`"))
                .help("remove it");
        }
    }
    for (option, given) in [("burst", quota.burst), ("limit", quota.limit)] {
        if given == Some(0) {
            context
                .findings
                .error(site.key(option), "a quota of which nothing can be taken would deny every request")
                .help("write at least 1");
        }
    }
    let needs = if quota.algorithm == Concurrency {
        quota.limit.is_none().then_some(("limit", "say how many requests may be under way at once"))
    } else {
        quota.rate.is_none().then_some(("rate", "write it as `100/min`"))
    };
    if let Some((option, help)) = needs {
        let name = algorithm_name(quota.algorithm);
        context.findings.error(site, format!("a quota by `{name}` needs a `{option}`")).help(help);
    }
    // Stands for one that cannot be read.
    let any = Rate { count: 1, period: Duration::from_secs(1) };
    let rate = context.read_or(site.key("rate"), quota.rate.as_ref(), any);
    let window = Window { limit: rate.count, length: rate.period };
    match quota.algorithm {
        Gcra => barmkin_host::Gcra { interval: rate.interval(), limit: quota.burst.unwrap_or(rate.count) }.into(),
        FixedWindow => QuotaRule::FixedWindow(window),
        SlidingWindow => QuotaRule::SlidingWindow(window),
        Concurrency => {
            QuotaRule::Concurrency(Window { limit: quota.limit.unwrap_or(1), length: lease(quota, site, context) })
        }
    }
}

fn lease(quota: &document::Quota, site: &Site, context: &mut Context<'_>) -> Duration {
    let lease = context.read_or(site.key("lease"), quota.lease.as_ref(), LEASE);
    if lease.is_zero() {
        context
            .findings
            .error(site.key("lease"), "with a lease that is over at once no request counts")
            .help("write how long a request takes at most, such as `1m`");
    }
    lease
}

fn algorithm_name(algorithm: QuotaAlgorithm) -> &'static str {
    match algorithm {
        QuotaAlgorithm::Gcra => "gcra",
        QuotaAlgorithm::FixedWindow => "fixed-window",
        QuotaAlgorithm::SlidingWindow => "sliding-window",
        QuotaAlgorithm::Concurrency => "concurrency",
    }
}

pub(super) fn keep(keep: document::Keep) -> Keep {
    match keep {
        document::Keep::OnAllow => Keep::OnAllow,
        document::Keep::Always => Keep::Always,
        document::Keep::OnSuccess => Keep::OnSuccess,
    }
}

fn quota_key(key: document::QuotaKey) -> QuotaKey {
    match key {
        document::QuotaKey::Principal => QuotaKey::Principal,
        document::QuotaKey::Tenant => QuotaKey::Tenant,
        document::QuotaKey::ClientAddress => QuotaKey::ClientAddress,
        document::QuotaKey::Route => QuotaKey::Route,
    }
}
