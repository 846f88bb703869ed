//! Caddy.

use super::template::Values;

pub(super) fn print(values: Values) -> String {
    values.fill(include_str!("../../templates/proxies/Caddyfile.in"))
}
