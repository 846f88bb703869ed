//! Attacks on the wire: what no client can get by writing a request in another
//! way, over raw sockets, through real proxies and in front of real
//! applications. A case is a denied request that must not arrive, or two
//! readings of one request that must not differ.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends by panicking"
)]

mod backends;
mod connection;
mod proxies;
