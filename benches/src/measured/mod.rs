//! Measurements of whole processes: counted, or timed by the wall clock.

mod clock;
mod envoy;
mod latency;
mod load;
mod reload;
mod steady;
mod suspended;
mod threads;

pub use envoy::{envoy, serve_all, serve_gate};
pub use latency::{Latency, latency, serve_http};
pub use reload::{code_kib_per_policy, reload};
pub use steady::{Pool, Steady, faults, steady};
pub use suspended::{suspend, suspended};
pub use threads::threads;
