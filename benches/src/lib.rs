//! The cost of a check.
//!
//! [`timed`] has what is timed by the CPU clock, in batches that take turns;
//! [`measured`] what is counted or timed otherwise, mostly in processes of
//! their own; [`report`] the summary and the bar. [`fixture`] makes the gates
//! and the requests that all of them decide, and [`native`] runs the same rules
//! without sandboxes. The program `bench`, which `cargo xtask bench` builds and
//! runs, does all of it in one go.

#![allow(clippy::expect_used, clippy::panic, reason = "a bench that cannot go on ends by panicking")]

pub mod fixture;
pub mod measured;
pub mod native;
pub mod process;
pub mod report;
pub mod timed;
