//! The interface of a running gate to its operators.
//!
//! [`Tally`] counts what the gate decides, within bounds, for `/metrics` and
//! `/status`; [`Reloads`] counts the outcomes of reloads, and [`StoreHealth`] how
//! the store answers. [`serve`] answers operators on a socket, through a
//! [`Control`] that the program brings; [`ask`] is the other end, for commands.
//!
//! | request | answer |
//! |---|---|
//! | `GET /healthz` | 200 while the process answers |
//! | `GET /readyz` | 200 while requests may be sent here, else 503 |
//! | `GET /status` | what serves, since when, and what it did, as JSON |
//! | `GET /metrics` | the same for Prometheus |
//! | `POST /reload` | 200 when what is on disk serves, else 500 and why |
//! | `GET /nonces?space=NAME` | what is claimed in a nonce space |
//! | `POST /nonces/forget?space=NAME&digest=HEX` | 200 when that was claimed and is free again, else 404 |
//! | `POST /rollback` | 200 when an earlier generation serves, else 409 or 500 and why |
//!
//! The first two and `/metrics` are also answered by [`serve_health`], to anybody: a
//! listener without powers, for balancers and scrapers on other machines.
//!
//! Architecture invariant: this crate knows no configuration file and no way
//! in for requests.

mod client;
mod control;
mod pool;
mod query;
mod reloads;
mod server;
mod store;
mod tally;

pub use client::{Answer, AskError, ask, ask_by_tls};
pub use control::{Answered, By, Command, Control, Health, Nonces, Outcome};
pub use pool::pool;
pub use prometheus_client::registry::Registry;
pub use reloads::{Attempt, Reloads};
pub use server::{Timeouts, serve, serve_health};
pub use store::StoreHealth;
pub use tally::Tally;

/// Everything in `registry` in Prometheus' text format.
pub fn expose(registry: &Registry) -> String {
    let mut text = String::new();
    // Writing to a string does not fail; what a collector fails at is left out.
    if let Err(error) = prometheus_client::encoding::prometheus_text::encode(&mut text, registry) {
        tracing::warn!(%error, "metrics are incomplete");
    }
    text
}

/// `at`, time since 1970, as RFC 3339 has it.
pub fn rfc3339(at: std::time::Duration) -> String {
    let at = i64::try_from(at.as_millis()).ok().and_then(|at| jiff::Timestamp::from_millisecond(at).ok());
    at.map(|at| at.to_string()).unwrap_or_default()
}
