//! One suite for all stores: memory, embedded with either durability, and Redis.
//!
//! What they promise is said at `LocalStore`; this holds them to it, against
//! plain models of it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    missing_docs,
    reason = "tests"
)]

mod claims;
mod crash;
mod damage;
mod flat;
mod former;
mod health;
mod keeps;
mod loss;
mod pots;
mod quotas;
mod redis;
mod subjects;
mod vectors;
