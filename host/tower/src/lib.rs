//! Guards a tower service with a Barmkin gate.
//!
//! [`BarmkinLayer`] asks the gate about every request. What is allowed reaches
//! the inner service with the gate's changes to its fields, all of its body,
//! and a [`Permitted`] among its extensions; what is denied is answered here.
//! The status of the inner service's response settles the effects that wait
//! for it.
//!
//! ```no_run
//! # use std::{convert::Infallible, sync::Arc};
//! # use barmkin_tower::{BarmkinLayer, GuardedBody, Options};
//! # use bytes::Bytes;
//! # use http_body_util::Full;
//! # async fn handle(_: http::Request<GuardedBody<Full<Bytes>>>) -> Result<http::Response<Full<Bytes>>, Infallible> {
//! #     Ok(http::Response::default())
//! # }
//! # fn wrap(gate: Arc<barmkin_host::Gate>) {
//! let service = tower::Layer::layer(&BarmkinLayer::new(gate, Options::default()), tower::util::service_fn(handle));
//! # }
//! ```
//!
//! The layer reads a body only when the chain needs it, up to the route's
//! limit. It keeps no time: a server in front of it bounds how slowly a body
//! may arrive, for example with a body that fails when it stalls, which counts
//! as a body that broke off.
//!
//! Architecture invariant: this crate decides nothing and knows no proxy.

mod body;
mod collect;
mod layer;
mod options;
mod permitted;
mod secured;
#[cfg(feature = "server")]
pub mod server;
mod turned_away;

pub use body::GuardedBody;
pub use layer::{BarmkinLayer, BarmkinService};
pub use options::{Options, peer_from_extension};
pub use permitted::Permitted;
pub use secured::Secured;
pub use turned_away::TurnedAway;

#[cfg(feature = "axum")]
pub use options::peer_from_connect_info;
