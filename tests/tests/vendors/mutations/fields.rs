//! Fields under other names, and ids.

use super::{Mutation, named};
use crate::delivery::{Delivery, Fresh};
use crate::vendor::Vendor;

pub(super) const ALL: &[Mutation] = &[
    named("names: in capitals", |fresh| renamed(fresh, str::to_uppercase)),
    named("names: `svix-` for `webhook-`", |fresh| {
        (fresh.vendor == Vendor::StandardWebhooks).then_some(())?;
        renamed(fresh, |name| name.replace("webhook-", "svix-"))
    }),
    named("names: `webhook-` for `svix-`", |fresh| {
        (fresh.vendor == Vendor::Svix).then_some(())?;
        renamed(fresh, |name| name.replace("svix-", "webhook-"))
    }),
    named("names: the id's alone under the other prefix", |fresh| {
        let id = fresh.vendor.id_field()?;
        renamed(fresh, |name| if name == id { other_prefix(name) } else { name.to_owned() })
    }),
    named("names: both prefixes, with equal values", |fresh| {
        fresh.vendor.id_field()?;
        fresh.changed(|delivery| {
            let others = delivery.fields.iter().map(|(name, value)| (other_prefix(name), value.clone()));
            delivery.fields.extend(others.collect::<Vec<_>>());
        })
    }),
    named("names: both prefixes, with another id under the other", |fresh| {
        let id = fresh.vendor.id_field()?;
        fresh.changed(|delivery| {
            let others = delivery.fields.iter().map(|(name, value)| {
                let value = if name == id { "another".to_owned() } else { value.clone() };
                (other_prefix(name), value)
            });
            delivery.fields.extend(others.collect::<Vec<_>>());
        })
    }),
    named("names: without `X-`", |fresh| {
        (fresh.vendor == Vendor::Shopify).then_some(())?;
        renamed(fresh, |name| name.replace("x-", "").replace("webhook-id", "event-id"))
    }),
    named("id: another", |fresh| with_id(fresh, |id| format!("{id}0"))),
    named("id: without text", |fresh| with_id(fresh, |_| String::new())),
    named("id: in capitals", |fresh| with_id(fresh, |id| id.to_uppercase())),
    named("id: left out", |fresh| {
        let field = fresh.vendor.id_field()?;
        fresh.changed(|delivery| delivery.remove(field))
    }),
    named("id: twice", |fresh| {
        let field = fresh.vendor.id_field()?;
        fresh.changed(|delivery| delivery.add(field, &fresh.draft.id))
    }),
    named("id: signed with a dot in it", |fresh| {
        fresh.vendor.id_field()?;
        fresh.signed_again(|draft| draft.id.push_str(".1"))
    }),
    named("id: signed with 1024 bytes", |fresh| signed_with_id_of(fresh, 1_024)),
    named("id: signed with 1025 bytes", |fresh| signed_with_id_of(fresh, 1_025)),
    // The same bytes are signed, cut into parts elsewhere.
    named("id: it takes the time, and the time is the body's", |fresh| {
        let field = fresh.vendor.id_field()?;
        let time = format!("{}.", fresh.draft.time);
        let rest = fresh.draft.body.strip_prefix(time.as_bytes())?;
        fresh.changed(|delivery| {
            delivery.set(field, &format!("{}.{}", fresh.draft.id, fresh.draft.time));
            delivery.body = rest.to_vec();
        })
    }),
];

fn renamed(fresh: &Fresh<'_>, rename: impl Fn(&str) -> String) -> Option<Delivery> {
    fresh.changed(|delivery| {
        for (name, _) in &mut delivery.fields {
            *name = rename(name);
        }
    })
}

fn other_prefix(name: &str) -> String {
    match name.strip_prefix("svix-") {
        Some(rest) => format!("webhook-{rest}"),
        None => name.replace("webhook-", "svix-"),
    }
}

fn with_id(fresh: &Fresh<'_>, write: impl FnOnce(&str) -> String) -> Option<Delivery> {
    let field = fresh.vendor.id_field()?;
    let id = write(&fresh.draft.id);
    fresh.changed(|delivery| delivery.set(field, &id))
}

fn signed_with_id_of(fresh: &mut Fresh<'_>, length: usize) -> Option<Delivery> {
    fresh.vendor.id_field()?;
    fresh.signed_again(|draft| draft.id = "m".repeat(length))
}
