use crate::document::{Entry, Limits};
use crate::resolve::Context;
use barmkin_host::{GateLimits, Spec};

/// Requests at once for which instances can be kept apart in memory.
const UNDECIDED_MAX: usize = 16 * 1024;

/// Bytes of all bodies that are held, as far as that can be read.
pub(super) fn bodies_bytes_max(declared: Option<&Entry<Limits>>) -> usize {
    let declared = declared.and_then(|limits| limits.value.bodies.as_ref()?.read().ok());
    declared.unwrap_or_else(|| GateLimits::default().bodies_bytes_max)
}

pub(super) fn limits(declared: Option<&Entry<Limits>>, spec: &Spec, context: &mut Context<'_>) -> GateLimits {
    let default = GateLimits::default();
    let Some(Entry { site, value: limits }) = declared else { return default };
    let undecided_max = limits.undecided.unwrap_or(default.undecided_max);
    if !(1..=UNDECIDED_MAX).contains(&undecided_max) {
        let message = format!("{undecided_max} requests at once, but it must be from 1 to {UNDECIDED_MAX}");
        context.findings.error(site.key("undecided"), message).help("each of them needs an instance of a policy");
    }
    let bodies_bytes_max = context.read_or(site.key("bodies"), limits.bodies.as_ref(), default.bodies_bytes_max);
    if let Some(route) = spec.routes.iter().find(|route| route.body_bytes() > bodies_bytes_max) {
        let message = format!("all bodies may take {bodies_bytes_max} bytes, and one of route `{}` more", route.name);
        context.findings.error(site.key("bodies"), message).help("write at least the largest `body-limit` of a route");
    }
    GateLimits { undecided_max, bodies_bytes_max }
}
