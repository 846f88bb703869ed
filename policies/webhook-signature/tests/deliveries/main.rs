//! Deliveries, as senders write them, on the native double of the host.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests")]

mod headers;
mod statuses;
mod support;
mod times;
mod writings;
