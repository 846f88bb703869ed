//! Barmkin as an Envoy `ext_authz` service over gRPC
//! (`envoy.service.auth.v3.Authorization`).
//!
//! The settings that Envoy needs:
//!
//! ```yaml
//! transport_api_version: V3
//! failure_mode_allow: false
//! encode_raw_headers: true
//! include_peer_certificate: true
//! include_tls_session: true
//! grpc_service: {envoy_grpc: {cluster_name: barmkin}, timeout: 1s}
//! with_request_body: {max_request_bytes: 1048576, allow_partial_message: false, pack_as_bytes: true}
//! ```
//!
//! - Without `encode_raw_headers` Envoy joins duplicates of a field and
//!   replaces bytes that are not UTF-8, so that neither is noticed here.
//! - Without `pack_as_bytes` it replaces such bytes in bodies: what is
//!   verified would not be what is forwarded. Such a body counts as not
//!   carried.
//! - Envoy sees to it that `source` is the client (`use_remote_address`,
//!   `xff_num_trusted_hops`) and that `x-request-id` is its own.
//!
//! A check that cannot be read, or that there is no room for, is a deny and no
//! gRPC error, which Envoy would let pass under `failure_mode_allow`.
//!
//! Architecture invariant: this crate decides nothing, and is the only one that
//! knows Envoy's API.

mod body;
mod charged;
mod check;
mod health;
mod incoming;
mod listen;
mod metadata;
mod options;
#[cfg(feature = "probe")]
mod probe;
mod request;
mod response;

pub use barmkin_tls::{Socket, UnixSocket};
pub use check::Authorizer;
pub use listen::serve;
pub use options::{Bounds, Options};
#[cfg(feature = "probe")]
pub use probe::{Probe, Probed};
