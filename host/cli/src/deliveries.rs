//! How long deliveries count, by each way in.

use barmkin_config::Config;
use barmkin_host::{Keep, NonceSpace, OnDuplicate, Sees};

/// A line for each nonce space and each listener by which its deliveries come, and
/// one for each space that lets the same bytes in more than once.
pub(crate) fn lines(config: &Config) -> Vec<String> {
    let spaces = config.spec().nonces.iter();
    spaces
        .flat_map(|(name, space)| {
            let ways = config.ways_in(name).map(move |listener| {
                let (sees, by) = (listener.sees(), &listener.name);
                format!("deliveries in `{name}` by `{by}`: {}, {}", kept(space, sees), repeated(space, sees))
            });
            ways.chain(admitted(name, space))
        })
        .collect()
}

fn kept(space: &NonceSpace, sees: Sees) -> &'static str {
    match space.delivery_keep(sees) {
        Keep::OnSuccess => "used when the upstream takes them (`on-success`)",
        Keep::OnAllow => "used when they are let in (`on-allow`), so that one is lost if the upstream then fails",
        Keep::Always => "used when they are seen (`always`), so that one is lost if anything then fails",
    }
}

fn repeated(space: &NonceSpace, sees: Sees) -> &'static str {
    match space.duplicate(sees) {
        OnDuplicate::Deny => "and repeated ones are denied",
        OnDuplicate::Acknowledge => "and repeated ones are acknowledged",
        OnDuplicate::Mark => "and repeated ones are forwarded with a mark",
    }
}

/// How often the same bytes are let in, where fields tell them apart that were not
/// signed.
fn admitted(name: &str, space: &NonceSpace) -> Option<String> {
    let times = space.tell_apart.iter().fold(1_usize, |times, told| times.saturating_mul(told.values.len() + 1));
    (times > 1).then(|| format!("deliveries in `{name}`: the same bytes are let in up to {times} times (`tell-apart`)"))
}
