//! Real servers for tests: each on its own port of 127.0.0.1, ready when it is
//! handed out, gone when it is dropped.

mod backend;
mod barmkin;
mod caddy;
mod envoy;
mod haproxy;
mod net;
mod nginx;
mod printed;
mod process;
mod raw;
mod redis;
mod reference;
mod sign;
mod tool;
mod upstream;

pub use backend::{Backend, Stack};
pub use barmkin::{Barmkin, ListenerKind};
pub use caddy::Caddy;
pub use envoy::{Envoy, Gate};
pub use haproxy::Haproxy;
pub use net::free_address;
pub use nginx::Nginx;
pub use raw::{Framing, Request, Response};
pub use redis::{MASTER, Redis, RedisCluster, Reply, Sentinel};
pub use reference::{ReferenceGate, reference_gate};
pub use sign::{github_signature, keyed_hash};
pub use tool::{Tool, skip, vectors};
pub use upstream::{Received, Recorder, Server, Upstream};
