//! The proxy between clients and upstreams, raw ones and those of others.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::disallowed_methods, reason = "tests")]

mod bodies;
#[path = "../../../tls/tests/support/mod.rs"]
mod certificates;
mod failover;
mod forwarding;
#[path = "../../../tower/tests/gate/mod.rs"]
mod gate;
mod grpc;
mod http2;
mod multiplexed;
mod outcomes;
mod peers;
mod places;
mod routes;
mod secured;
mod setup;
mod upgrades;
