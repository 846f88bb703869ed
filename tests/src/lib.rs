//! Proof: vectors that others wrote, and real proxies.
//!
//! [`conformance`] runs vector files through the real components in the host;
//! [`harness`] starts real servers for the tests in `tests/`, with [`rules`];
//! [`hostile`] has policies that no operator should meet, [`loading`] components
//! that cost more to load than their size shows; [`soak`] keeps gates busy for
//! minutes.

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
pub mod loading;
pub mod rules;
pub mod soak;
