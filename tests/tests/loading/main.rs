//! What loading may cost: nothing is refused that is planned, and what costs
//! more than its size shows is refused before it does. While something loads,
//! operators are answered and secrets are withdrawn.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs, reason = "tests")]

mod cost;
mod live;
