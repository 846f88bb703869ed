//! Measurements by the CPU clock of a thread, in batches that take turns.

mod chain;
mod hmac;
mod parts;
mod rbac;
mod rounds;

pub use chain::chain;
pub use hmac::hmac;
pub use parts::{derive_parts, parts};
pub use rbac::rbac;
pub use rounds::{Times, median, rounds};
