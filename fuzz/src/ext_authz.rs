//! Any bytes as a check of Envoy: each is answered, and none is let in.

use barmkin_envoy::{Authorizer, Options};
use barmkin_host::Spec;
use envoy_types::ext_authz::v3::pb::{Authorization, CheckRequest, HttpResponse};
use prost::Message;
use std::pin::pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Waker};

/// A gate without routes.
static AUTHORIZER: LazyLock<Authorizer> = LazyLock::new(|| {
    let options = Options { body_bytes_max: Some(1_024), client_certificate: true, ..Options::default() };
    Authorizer::new(Arc::new(crate::gate(&Spec::default())), options)
});

pub(crate) fn check(input: &[u8]) {
    let Ok(check) = CheckRequest::decode(input) else { return };
    let mut answer = pin!(AUTHORIZER.check(tonic::Request::new(check)));
    let answer = loop {
        if let Poll::Ready(answer) = answer.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            break answer.expect("a gRPC error is not a verdict").into_inner();
        }
    };
    assert!(!matches!(answer.http_response, Some(HttpResponse::OkResponse(_))), "it was let in");
    assert_ne!(answer.status.map(|status| status.code), Some(0), "it was let in");
}
