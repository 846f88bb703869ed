//! Guards a tower service with a Barmkin gate.
//!
//! [`BarmkinLayer`] asks the gate about every request. What is allowed reaches
//! the inner service with the gate's changes to its fields, all of its body,
//! and a [`Permitted`] among its extensions; what is denied is answered here, in the
//! gate's own form or the embedder's
//! ([`Services::denial_form`](barmkin_host::Services::denial_form)).
//! The inner service's response settles the effects that wait for it, when it has
//! ended: a delivery is used when the response was 2xx and whole. A request with
//! such effects goes on although its client hangs up, within
//! [`Options::finish_within`].
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
//! limit. A server in front of it bounds how slowly a body may arrive, for example
//! with a body that fails when it stalls, which counts as a body that broke off.
//! It needs a tokio runtime with time.
//!
//! Architecture invariant: this crate decides nothing and knows no proxy.

mod body;
mod collect;
mod finishing;
mod followed;
mod lasting;
mod layer;
mod options;
mod permitted;
mod secured;
#[cfg(feature = "server")]
pub mod server;
mod turned_away;

pub use body::GuardedBody;
pub use followed::FollowedBody;
pub use lasting::{CameToNothing, Lasting};
pub use layer::{AnswerBody, BarmkinLayer, BarmkinService};
pub use options::{Options, peer_from_extension};
pub use permitted::Permitted;
pub use secured::Secured;
pub use turned_away::TurnedAway;

#[cfg(feature = "axum")]
pub use options::peer_from_connect_info;
