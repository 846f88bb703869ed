//! Other bytes than those that were signed.

use super::{Mutation, named};
use crate::delivery::{Delivery, Fresh};

pub(super) const ALL: &[Mutation] = &[
    named("the delivery as it was signed", |fresh| fresh.changed(|_| {})),
    named("body: a bit flipped", |fresh| {
        let last = fresh.draft.body.len().checked_sub(1)?;
        let (at, bit) = (fresh.random.between(0, last), fresh.random.between(0, 7));
        with_body(fresh, |body| body[at] ^= 1 << bit)
    }),
    named("body: a line end after it", |fresh| with_body(fresh, |body| body.push(b'\n'))),
    named("body: a space before it", |fresh| with_body(fresh, |body| body.insert(0, b' '))),
    named("body: a byte order mark before it", |fresh| {
        with_body(fresh, |body| *body = [b"\xef\xbb\xbf", body.as_slice()].concat())
    }),
    named("body: its last byte cut off", |fresh| {
        with_body(fresh, |body| {
            body.pop();
        })
        .filter(|_| !fresh.draft.body.is_empty())
    }),
    named("body: left out", |fresh| with_body(fresh, Vec::clear).filter(|_| !fresh.draft.body.is_empty())),
    named("body: twice", |fresh| {
        with_body(fresh, |body| body.extend_from_within(..)).filter(|_| !fresh.draft.body.is_empty())
    }),
];

fn with_body(fresh: &Fresh<'_>, change: impl FnOnce(&mut Vec<u8>)) -> Option<Delivery> {
    fresh.changed(|delivery| change(&mut delivery.body))
}
