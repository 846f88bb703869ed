//! HAProxy, which asks by a script.

use super::Gate;
use super::template::Values;

/// The script: nothing in it depends on a configuration.
pub(super) const SCRIPT: &str = include_str!("../../templates/proxies/barmkin.lua");

pub(super) fn print(values: Values, gate: &Gate<'_>) -> String {
    let upgrades = gate.upgrades();
    let values = values.when("upgrades", (!upgrades.is_empty()).then(|| upgrades.join(" ")));
    values.fill(include_str!("../../templates/proxies/haproxy.cfg.in"))
}
