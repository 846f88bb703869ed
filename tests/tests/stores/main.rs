//! One suite for all stores: memory, embedded with either durability, Redis, and a
//! cluster of it.
//!
//! Their promises are documented at `LocalStore`; this holds them to those,
//! against plain models.

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
mod cluster;
mod crash;
mod damage;
mod failover;
mod flat;
mod former;
mod health;
mod keeps;
mod loss;
mod pots;
mod quotas;
mod redis;
mod sentinel;
mod subjects;
mod vectors;
