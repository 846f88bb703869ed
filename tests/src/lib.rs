//! Proof: vectors that others wrote, and real proxies.
//!
//! [`conformance`] runs vector files through the real components in the host;
//! [`hostile`] has policies that no operator should meet; [`harness`] starts real servers for the tests in `tests/`, with [`rules`].

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on ends by panicking"
)]

pub mod conformance;
pub mod harness;
pub mod hostile;
pub mod rules;
