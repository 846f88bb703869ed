//! The tower layer, in a server of this process.

use barmkin_tests::harness::{Recorder, Server, reference_gate};
use barmkin_tests::rules;
use barmkin_tower::server::{Bounds, serve as serve_http};
use barmkin_tower::{BarmkinLayer, Options};
use tower::{ServiceBuilder, service_fn};

/// A server whose handler is behind the layer.
pub(crate) fn serve(recorder: Recorder) -> Server {
    let gate = reference_gate(&rules::api_and_webhooks()).gate;
    let service = ServiceBuilder::new()
        .layer(BarmkinLayer::new(gate, Options::default()))
        .service(service_fn(move |request| recorder.clone().answer(request)));
    Server::start(|listener| serve_http(listener, service, Bounds::default(), std::future::pending()))
}
