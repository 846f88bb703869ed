//! Everything that is done to a fresh delivery.
//!
//! A mutation gives `None` where it has no meaning: what signs no id has none to
//! alter.

mod bodies;
mod encodings;
mod fields;
mod signatures;
mod times;

use crate::delivery::{Delivery, Fresh};

/// One way of altering a delivery.
pub(crate) struct Mutation {
    pub(crate) name: &'static str,
    pub(crate) make: fn(&mut Fresh<'_>) -> Option<Delivery>,
}

/// All of them.
pub(crate) fn all() -> impl Iterator<Item = &'static Mutation> {
    [bodies::ALL, encodings::ALL, fields::ALL, signatures::ALL, times::ALL].into_iter().flatten()
}

/// For the lists of these modules.
const fn named(name: &'static str, make: fn(&mut Fresh<'_>) -> Option<Delivery>) -> Mutation {
    Mutation { name, make }
}
