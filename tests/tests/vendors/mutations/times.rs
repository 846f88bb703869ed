//! Times: signed too long ago, and altered after they were signed.

use super::{Mutation, named};
use crate::delivery::{Delivery, Fresh};

/// Every tolerance is five minutes. A minute to either side of it is more than a
/// test takes.
pub(super) const ALL: &[Mutation] = &[
    named("time: signed 4 minutes ago", |fresh| signed_at(fresh, |time| time - 240)),
    named("time: signed 6 minutes ago", |fresh| signed_at(fresh, |time| time - 360)),
    named("time: signed 4 minutes ahead", |fresh| signed_at(fresh, |time| time + 240)),
    named("time: signed 6 minutes ahead", |fresh| signed_at(fresh, |time| time + 360)),
    named("time: signed in 1970", |fresh| signed_at(fresh, |_| 1)),
    named("time: a second later", |fresh| written(fresh, |time| (time + 1).to_string())),
    named("time: without text", |fresh| written(fresh, |_| String::new())),
    named("time: a zero before it", |fresh| written(fresh, |time| format!("0{time}"))),
    named("time: a plus before it", |fresh| written(fresh, |time| format!("+{time}"))),
    named("time: a minus before it", |fresh| written(fresh, |time| format!("-{time}"))),
    named("time: a fraction behind it", |fresh| written(fresh, |time| format!("{time}.0"))),
    named("time: an underscore in it", |fresh| {
        written(fresh, |time| format!("{}_{:09}", time / 1_000_000_000, time % 1_000_000_000))
    }),
    named("time: in milliseconds", |fresh| written(fresh, |time| format!("{time}000"))),
    named("time: in hex", |fresh| written(fresh, |time| format!("{time:#x}"))),
    named("time: in words", |fresh| written(fresh, |_| "now".to_owned())),
    named("time: more digits than a number has", |fresh| written(fresh, |_| "9".repeat(40))),
    named("time: left out", |fresh| match fresh.vendor.time_field() {
        Some(field) => fresh.changed(|delivery| delivery.remove(field)),
        None => of_stripe(fresh, |_, signature| signature.to_owned()),
    }),
    named("time: twice", |fresh| match fresh.vendor.time_field() {
        Some(field) => fresh.changed(|delivery| delivery.add(field, &fresh.draft.time.to_string())),
        None => of_stripe(fresh, |time, signature| format!("{time},{time},{signature}")),
    }),
    named("time: another behind it", |fresh| {
        let later = fresh.draft.time + 1;
        match fresh.vendor.time_field() {
            Some(field) => fresh.changed(|delivery| delivery.add(field, &later.to_string())),
            None => of_stripe(fresh, |time, signature| format!("{time},t={later},{signature}")),
        }
    }),
    named("time: behind the signature", |fresh| of_stripe(fresh, |time, signature| format!("{signature},{time}"))),
    named("time: a space before it", |fresh| {
        of_stripe(fresh, |time, signature| format!("{},{signature}", time.replace("t=", "t= ")))
    }),
];

fn signed_at(fresh: &mut Fresh<'_>, time: impl FnOnce(u64) -> u64) -> Option<Delivery> {
    if !fresh.vendor.signs_time() {
        return None;
    }
    fresh.signed_again(|draft| draft.time = time(draft.time))
}

fn written(fresh: &Fresh<'_>, write: impl FnOnce(u64) -> String) -> Option<Delivery> {
    if !fresh.vendor.signs_time() {
        return None;
    }
    let text = write(fresh.draft.time);
    fresh.changed(|delivery| delivery.set_time(fresh.vendor, &fresh.draft, &text))
}

/// Where the time stands among the signatures.
fn of_stripe(fresh: &Fresh<'_>, write: impl FnOnce(&str, &str) -> String) -> Option<Delivery> {
    let field = fresh.vendor.signature_field();
    let (time, signature) = fresh.delivery.get(field).split_once(",v1=")?;
    time.starts_with("t=").then_some(())?;
    let value = write(time, &format!("v1={signature}"));
    fresh.changed(|delivery| delivery.set(field, &value))
}
