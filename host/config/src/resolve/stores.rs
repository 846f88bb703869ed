use crate::document::{self, Entry};
use crate::resolve::Context;
use barmkin_host::{Gcra, Keep, MemoryLimits, NonceSpace, OnDuplicate, Quota, QuotaKey, SameDelivery};
use std::collections::BTreeMap;
use std::time::Duration;

/// How much the memory store may hold.
pub(super) fn limits(store: Option<&Entry<document::Store>>) -> MemoryLimits {
    let default = MemoryLimits::default();
    let Some(Entry { value: store, .. }) = store else { return default };
    match store.kind {
        document::StoreKind::Memory => MemoryLimits {
            nonces: store.nonces_max.unwrap_or(default.nonces),
            quotas: store.quotas_max.unwrap_or(default.quotas),
        },
    }
}

pub(super) fn nonces(
    declared: &BTreeMap<String, Entry<document::Nonces>>,
    context: &mut Context<'_>,
) -> BTreeMap<String, NonceSpace> {
    let space = |(name, entry): (&String, &Entry<document::Nonces>)| {
        let Entry { site, value: nonces } = entry;
        let retain = context.read_or(site.key("retain"), nonces.retain.as_ref(), NonceSpace::default().retain);
        let space = NonceSpace {
            retain,
            same_delivery: same_delivery(nonces.same_delivery),
            on_duplicate: on_duplicate(nonces.on_duplicate),
            keep: keep(nonces.keep),
        };
        (name.clone(), space)
    };
    declared.iter().map(space).collect()
}

pub(super) fn quotas(
    declared: &BTreeMap<String, Entry<document::Quota>>,
    context: &mut Context<'_>,
) -> BTreeMap<String, Quota> {
    // Stands for one that cannot be read.
    let any = Gcra { interval: Duration::from_secs(1), limit: 1 };
    let mut quotas = BTreeMap::new();
    for (name, Entry { site, value: quota }) in declared {
        let rate = context.read_or(site.key("rate"), Some(&quota.rate), any);
        if quota.burst == Some(0) {
            context
                .findings
                .error(site.key("burst"), "a quota of which nothing can be taken would deny every request")
                .help("write at least 1");
        }
        let rate = Gcra { interval: rate.interval, limit: quota.burst.unwrap_or(rate.limit) };
        quotas.insert(name.clone(), Quota { rate, key: quota_key(quota.key), keep: keep(quota.keep) });
    }
    quotas
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

fn keep(keep: document::Keep) -> Keep {
    match keep {
        document::Keep::OnAllow => Keep::OnAllow,
        document::Keep::Always => Keep::Always,
        document::Keep::OnSuccess => Keep::OnSuccess,
    }
}

fn quota_key(key: document::QuotaKey) -> QuotaKey {
    match key {
        document::QuotaKey::Principal => QuotaKey::Principal,
        document::QuotaKey::ClientAddress => QuotaKey::ClientAddress,
        document::QuotaKey::Route => QuotaKey::Route,
    }
}
