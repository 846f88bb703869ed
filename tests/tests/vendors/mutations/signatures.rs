//! Signatures of something else, and more or fewer of them.

use super::{Mutation, named};
use crate::delivery::{Delivery, Fresh};

pub(super) const ALL: &[Mutation] = &[
    named("signature: another", |fresh| {
        let wrong = fresh.wrong_signature();
        fresh.rewritten(|before, _| format!("{before}{wrong}"))
    }),
    named("signature: of another body", |fresh| {
        let mut other = fresh.signed_again(|draft| draft.body.push(b'!'))?;
        other.body.clone_from(&fresh.draft.body);
        Some(other)
    }),
    named("signature: left out", |fresh| fresh.changed(|delivery| delivery.remove(fresh.vendor.signature_field()))),
    named("signature: its field without text", |fresh| fresh.rewritten(|_, _| String::new())),
    named("signature: its prefix alone", |fresh| fresh.rewritten(|before, _| before.to_owned())),
    named("signature: without its prefix", |fresh| {
        let prefix = some(fresh.vendor.prefix())?;
        fresh.rewritten(|before, text| format!("{}{text}", before.strip_suffix(prefix).unwrap()))
    }),
    named("signature: its prefix in capitals", |fresh| {
        let prefix = some(fresh.vendor.prefix())?;
        let capitals = prefix.to_uppercase();
        fresh.rewritten(|before, text| format!("{}{capitals}{text}", before.strip_suffix(prefix).unwrap()))
    }),
    named("signature: the prefix of another version", |fresh| {
        let prefix = some(fresh.vendor.prefix())?;
        let other = prefix.replace("256", "1").replace("v0", "v2").replace("v1", "v0");
        fresh.rewritten(|before, text| format!("{}{other}{text}", before.strip_suffix(prefix).unwrap()))
    }),
    named("signature: a space behind its prefix", |fresh| {
        some(fresh.vendor.prefix())?;
        fresh.rewritten(|before, text| format!("{before} {text}"))
    }),
    named("signature: twice, with a comma", |fresh| {
        fresh.rewritten(|before, text| format!("{before}{text},{}{text}", fresh.vendor.prefix()))
    }),
    named("signature: twice, in two fields", |fresh| {
        let field = fresh.vendor.signature_field();
        let value = fresh.delivery.get(field).to_owned();
        fresh.changed(|delivery| delivery.add(field, &value))
    }),
    named("signatures: a wrong one before it", |fresh| {
        let wrong = fresh.wrong_signature();
        listed(fresh, |good| format!("{{}}{wrong}|{good}"))
    }),
    named("signatures: a wrong one behind it", |fresh| {
        let wrong = fresh.wrong_signature();
        listed(fresh, |good| format!("{good}|{{}}{wrong}"))
    }),
    named("signatures: two wrong ones", |fresh| {
        let wrong = fresh.wrong_signature();
        listed(fresh, |_| format!("{{}}{wrong}|{{}}{wrong}"))
    }),
    named("signatures: fifteen wrong ones before it", |fresh| {
        let wrong = fresh.wrong_signature();
        listed(fresh, |good| format!("{}{good}", format!("{{}}{wrong}|").repeat(15)))
    }),
    named("signatures: sixteen wrong ones before it", |fresh| {
        let wrong = fresh.wrong_signature();
        listed(fresh, |good| format!("{}{good}", format!("{{}}{wrong}|").repeat(16)))
    }),
    named("signatures: one of a version to come before it", |fresh| {
        let next = fresh.vendor.prefix().replace("v1", "v9");
        listed(fresh, |good| format!("{next}AAAA|{good}"))
    }),
    named("signatures: a word before it", |fresh| listed(fresh, |good| format!("word|{good}"))),
    named("signatures: nothing before it", |fresh| listed(fresh, |good| format!("|{good}"))),
    named("signatures: nothing behind it", |fresh| listed(fresh, |good| format!("{good}|"))),
    named("signatures: a space behind the separator", |fresh| {
        let wrong = fresh.wrong_signature();
        listed(fresh, |good| format!("{{}}{wrong}| {good}"))
    }),
    named("secrets: a newer one beside it", |fresh| {
        let other = fresh.vendor.secret(fresh.random);
        fresh.changed(|delivery| delivery.secrets.insert(0, other))
    }),
    named("secrets: another alone", |fresh| {
        let other = fresh.vendor.secret(fresh.random);
        fresh.changed(|delivery| delivery.secrets = vec![other])
    }),
    named("secrets: two others", |fresh| {
        let others = [(); 2].map(|()| fresh.vendor.secret(fresh.random));
        fresh.changed(|delivery| delivery.secrets = others.to_vec())
    }),
    // As senders do while a secret is rotated.
    named("secrets: signed with two, of which the receiver has the older", |fresh| {
        let newer = fresh.wrong_signature();
        listed(fresh, |older| format!("{{}}{newer}|{older}"))
    }),
    named("secrets: signed with two, of which the receiver has the newer", |fresh| {
        let older = fresh.wrong_signature();
        listed(fresh, |newer| format!("{newer}|{{}}{older}"))
    }),
];

fn some(prefix: &'static str) -> Option<&'static str> {
    Some(prefix).filter(|prefix| !prefix.is_empty())
}

/// The field with the list that `write` makes of the one signature, where there
/// can be several: `|` stands between two, `{}` for the prefix.
fn listed(fresh: &Fresh<'_>, write: impl FnOnce(&str) -> String) -> Option<Delivery> {
    let separator = fresh.vendor.separator()?;
    let prefix = fresh.vendor.prefix();
    fresh.rewritten(|before, text| {
        let list = write(&format!("{prefix}{text}")).replace('|', &separator.to_string()).replace("{}", prefix);
        format!("{}{list}", before.strip_suffix(prefix).unwrap())
    })
}
