//! Whether deliveries are remembered for as long as they are taken.

use crate::document::Document;
use crate::resolve::Context;
use crate::resolve::providers::{Provider, is_webhook_signature};
use crate::stock;
use crate::units::{DurationUnit, Unit};
use barmkin_host::limits::CLOCK_SKEW;
use barmkin_host::{Member, PolicySpec, Spec};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// The stock policies' own defaults.
const WINDOW: Duration = Duration::from_secs(600);
const TOLERANCE: Duration = Duration::from_secs(300);

/// How long `replay-window` takes deliveries, from their signing on.
pub(super) fn window(policy: &PolicySpec) -> Duration {
    duration(&policy.settings, "/window").unwrap_or(WINDOW)
}

/// How far `webhook-signature` lets a signing time be from now; `None` where none
/// is signed.
pub(super) fn tolerance(policy: &PolicySpec) -> Option<Duration> {
    let given = |pointer| duration(&policy.settings, pointer);
    let signs_time = |policy: &PolicySpec| policy.settings.pointer("/scheme/timestamp").is_some();
    match Provider::of(policy) {
        Some((_, provider)) => provider.tolerance.map(|usual| given("/tolerance").unwrap_or(usual)),
        None if signs_time(policy) => {
            Some(given("/tolerance").or_else(|| given("/scheme/timestamp/tolerance")).unwrap_or(TOLERANCE))
        }
        None => None,
    }
}

/// A delivery that is taken for longer than its nonce space remembers would be
/// refused when it comes (`retention-exceeded`): which ones are taken for how
/// long is known of the stock policies.
pub(super) fn check(spec: &Spec, document: &Document, context: &mut Context<'_>) {
    // By space: the longest, and whose that is.
    let mut needed: BTreeMap<&str, (Duration, &str)> = BTreeMap::new();
    for route in &spec.routes {
        let names = || route.chain.iter().flat_map(Member::policies);
        let chain: Vec<&PolicySpec> = names().filter_map(|name| spec.policies.get(name)).collect();
        for name in names() {
            let Some(policy) = spec.policies.get(name).filter(|policy| is_stock(policy, "replay-window")) else {
                continue;
            };
            let Some(space) = policy.grants.nonces.get("deliveries") else { continue };
            let window = window(policy);
            let taken = window + ahead(&chain).min(window) + CLOCK_SKEW;
            let longest = needed.entry(space).or_insert((taken, name));
            if taken > longest.0 {
                *longest = (taken, name);
            }
        }
    }
    for (name, (taken, policy)) in needed {
        let (Some(space), Some(entry)) = (spec.nonces.get(name), document.nonces.get(name)) else { continue };
        if space.retain < taken {
            let [retain, taken] = [space.retain, taken].map(written);
            let message =
                format!("`{name}` remembers for `{retain}`, but policy `{policy}` takes deliveries for `{taken}`");
            context.findings.error(entry.site.key("retain"), message).help(format!(
                "write at least `{taken}` (the window, what may be signed ahead, and a minute between clocks), or \
                 shorten the policy's `window`"
            ));
        }
    }
}

/// How far ahead of the clock a chain takes what was signed.
fn ahead(chain: &[&PolicySpec]) -> Duration {
    let of = |policy: &&PolicySpec| {
        if is_webhook_signature(policy) {
            tolerance(policy).unwrap_or_default()
        } else if stock::name_of(&policy.component).is_some() {
            Duration::ZERO
        } else {
            Duration::MAX
        }
    };
    chain.iter().map(of).max().unwrap_or_default()
}

fn is_stock(policy: &PolicySpec, name: &str) -> bool {
    stock::name_of(&policy.component) == Some(name)
}

fn duration(settings: &Value, pointer: &str) -> Option<Duration> {
    DurationUnit::read(settings.pointer(pointer)?.as_str()?)
}

/// As an operator writes it.
pub(super) fn written(duration: Duration) -> String {
    let millis = duration.as_millis();
    let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s")];
    let unit = units.into_iter().find(|(length, _)| millis > 0 && millis.is_multiple_of(*length)).unwrap_or((1, "ms"));
    format!("{}{}", millis / unit.0, unit.1)
}
