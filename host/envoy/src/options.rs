//! What the service has to be told about its Envoy.

use std::sync::Arc;

/// What the service has to be told about its Envoy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// `max_request_bytes` of Envoy's `with_request_body`; `None` where Envoy
    /// has none, and so sends no bodies.
    ///
    /// Envoy does not say whether it has one when a request comes without a
    /// body: a wrong `Some` makes chunked bodies look empty.
    pub body_bytes_max: Option<usize>,
    /// Whether the client certificate that Envoy verified names the principal:
    /// by its SPIFFE or other URI, else its DNS name, else its subject. Only
    /// for an Envoy that asks for certificates and verifies them.
    pub client_certificate: bool,
    /// Its name, for routes that name their listeners.
    pub listener: Option<Arc<str>>,
}
