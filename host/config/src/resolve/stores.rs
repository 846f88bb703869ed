//! Where nonces and quotas live.

use crate::document::{Durability, Entry, Store, StoreKind};
use crate::resolve::{Context, redis};
use crate::source::Site;
use crate::store::StoreConfig;
use barmkin_host::MemoryLimits;

pub(super) fn resolve(declared: Option<&Entry<Store>>, context: &mut Context<'_>) -> StoreConfig {
    let Some(Entry { site, value: store }) = declared else { return StoreConfig::default() };
    check_options(store, site, context);
    for (option, given) in [("nonces-max", store.nonces_max), ("quotas-max", store.quotas_max)] {
        if given == Some(0) {
            let message = "a store without room would refuse every request that needs it";
            context.findings.error(site.key(option), message).help("write at least 1");
        }
    }
    let default = MemoryLimits::default();
    let limits = MemoryLimits {
        nonces: store.nonces_max.unwrap_or(default.nonces),
        quotas: store.quotas_max.unwrap_or(default.quotas),
    };
    match store.kind {
        StoreKind::Memory => StoreConfig::Memory(limits),
        StoreKind::Embedded => {
            let path = needed(store.path.as_ref(), "path", "say in which folder, relative to this file", site, context);
            StoreConfig::Embedded {
                folder: context.sources.beside(site.file, &path),
                limits,
                survives_power_loss: matches!(store.durability, Some(Durability::Power)),
            }
        }
        StoreKind::Redis => StoreConfig::Redis(Box::new(redis::resolve(store, site, context))),
    }
}

/// An option that does nothing in a store of its kind would be believed to.
fn check_options(store: &Store, site: &Site, context: &mut Context<'_>) {
    use StoreKind::{Embedded, Memory, Redis};
    let options: [(&str, bool, &[StoreKind]); 12] = [
        ("nonces-max", store.nonces_max.is_some(), &[Memory, Embedded]),
        ("quotas-max", store.quotas_max.is_some(), &[Memory, Embedded]),
        ("path", store.path.is_some(), &[Embedded]),
        ("durability", store.durability.is_some(), &[Embedded]),
        ("url", store.url.is_some(), &[Redis]),
        ("cluster", store.cluster.is_some(), &[Redis]),
        ("sentinel", store.sentinel.is_some(), &[Redis]),
        ("username", store.username.is_some(), &[Redis]),
        ("password", store.password.is_some(), &[Redis]),
        ("prefix", store.prefix.is_some(), &[Redis]),
        ("timeout", store.timeout.is_some(), &[Redis]),
        ("tls", store.tls.is_some(), &[Redis]),
    ];
    for (option, is_given, kinds) in options {
        if is_given && !kinds.contains(&store.kind) {
            let message = format!("a store of kind `{}` has no `{option}`", kind_name(store.kind));
            context.findings.error(site.key(option), message).help("remove it");
        }
    }
}

pub(super) fn needed(
    given: Option<&String>,
    option: &str,
    help: &str,
    site: &Site,
    context: &mut Context<'_>,
) -> String {
    given.cloned().unwrap_or_else(|| {
        context.findings.error(site, format!("this store needs a `{option}`")).help(help);
        String::new()
    })
}

fn kind_name(kind: StoreKind) -> &'static str {
    match kind {
        StoreKind::Memory => "memory",
        StoreKind::Embedded => "embedded",
        StoreKind::Redis => "redis",
    }
}
