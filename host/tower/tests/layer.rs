//! The layer over a real gate, without a server.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod gate;

use barmkin_host::{GateLimits, PrincipalKind};
use barmkin_tower::{BarmkinLayer, GuardedBody, Options, Permitted};
use bytes::Bytes;
use gate::{BODY_BYTES_MAX, PRINCIPAL, sign};
use http::{Method, Request, Response, StatusCode, Version};
use http_body_util::{BodyExt, Full};
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use tower::util::{BoxCloneSyncService, service_fn};
use tower::{Layer, ServiceExt};

type Guarded = BoxCloneSyncService<Request<Full<Bytes>>, Response<Bytes>, Infallible>;

/// An upstream behind the layer. It answers with the status that the request
/// asks for, and tells in its answer what reached it.
fn guarded() -> Guarded {
    let upstream = service_fn(async |request: Request<GuardedBody<Full<Bytes>>>| {
        let (parts, body) = request.into_parts();
        let mut response = Response::new(Full::new(body.collect().await.unwrap().to_bytes()));
        if let Some(status) = parts.headers.get("x-answer") {
            *response.status_mut() = StatusCode::from_bytes(status.as_bytes()).unwrap();
        }
        for (name, value) in &parts.headers {
            response.headers_mut().append(name.clone(), value.clone());
        }
        response.extensions_mut().insert(parts.extensions.get::<Permitted>().unwrap().clone());
        Ok::<_, Infallible>(response)
    });
    let guarded = BarmkinLayer::new(gate::gate(), Options::default()).layer(upstream);
    BoxCloneSyncService::new(guarded.then(async |response: Result<Response<_>, Infallible>| {
        let (parts, body) = response.unwrap().into_parts();
        let body: http_body_util::Collected<Bytes> = body.collect().await.unwrap();
        Ok(Response::from_parts(parts, body.to_bytes()))
    }))
}

fn delivery(path: &str, body: &[u8]) -> http::request::Builder {
    Request::post(path).header("x-hub-signature-256", sign(body))
}

async fn send(service: &Guarded, request: http::request::Builder, body: &[u8]) -> Response<Bytes> {
    let request = request.header("host", "app").body(Full::new(Bytes::copy_from_slice(body))).unwrap();
    service.clone().oneshot(request).await.unwrap()
}

fn reason(response: &Response<Bytes>) -> Option<&str> {
    response.headers().get("barmkin-reason").map(|reason| reason.to_str().unwrap())
}

#[tokio::test]
async fn a_signed_delivery_arrives_with_its_principal_and_every_byte() {
    let service = guarded();
    let body = b"\xff\x00 bytes";
    let forged = delivery("/github?x=1", body).header(PRINCIPAL, "admin").header("X_Gate_Principal", "admin");
    let response = send(&service, forged, body).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.body().as_ref(), body);
    let principals: Vec<_> = response.headers().get_all(PRINCIPAL).iter().collect();
    assert_eq!(principals, ["github"]);
    assert!(!response.headers().contains_key("x_gate_principal"));
    let permitted = response.extensions().get::<Permitted>().unwrap();
    let principal = permitted.principal().unwrap();
    assert_eq!((principal.id.as_str(), principal.kind), ("github", PrincipalKind::Provider));
    assert_eq!(permitted.route(), "github");
    assert_eq!(response.headers()["x-request-id"], permitted.request_id().to_string().as_str());
}

#[tokio::test]
async fn what_is_denied_does_not_arrive() {
    let service = guarded();
    let tampered = send(&service, delivery("/github", b"one"), b"two").await;
    assert_eq!((tampered.status(), reason(&tampered)), (StatusCode::FORBIDDEN, Some("signature-mismatch")));
    assert!(tampered.extensions().get::<Permitted>().is_none());
    let first = send(&service, delivery("/github", b"one"), b"one").await;
    assert_eq!(reason(&first), None);
    let again = send(&service, delivery("/github", b"one"), b"one").await;
    assert_eq!((again.status(), reason(&again)), (StatusCode::CONFLICT, Some("replayed")));
}

#[tokio::test]
async fn the_quota_is_spent_by_what_was_allowed_only() {
    let service = guarded();
    for number in 0..gate::QUOTA {
        let body = number.to_string();
        send(&service, delivery("/github", b"else"), body.as_bytes()).await;
        let response = send(&service, delivery("/github", body.as_bytes()), body.as_bytes()).await;
        assert_eq!(response.status(), StatusCode::OK);
    }
    let over = send(&service, delivery("/github", b"over"), b"over").await;
    assert_eq!((over.status(), reason(&over)), (StatusCode::TOO_MANY_REQUESTS, Some("over-quota")));
    assert!(over.headers().contains_key("retry-after"));
}

#[tokio::test]
async fn the_body_limit_is_the_last_that_passes() {
    let service = guarded();
    let at = [b'a'; BODY_BYTES_MAX];
    assert_eq!(send(&service, delivery("/github", &at), &at).await.status(), StatusCode::OK);
    let past = [b'a'; BODY_BYTES_MAX + 1];
    let response = send(&service, delivery("/github", &past), &past).await;
    assert_eq!((response.status(), reason(&response)), (StatusCode::PAYLOAD_TOO_LARGE, Some("body-too-large")));
    let streamed = send(&service, Request::post("/public"), &past).await;
    assert_eq!(streamed.body().as_ref(), past, "a route that reads no body has no limit");
}

#[tokio::test]
async fn a_route_that_observes_forwards_every_byte_of_what_it_would_refuse() {
    let service = guarded();
    let past = [b'a'; BODY_BYTES_MAX + 1];
    for (signed, body) in [(past.as_slice(), past.as_slice()), (b"one", b"two")] {
        let response = send(&service, delivery("/observed", signed), body).await;
        assert_eq!((response.status(), reason(&response)), (StatusCode::OK, None));
        assert_eq!(response.body().as_ref(), body);
    }
}

#[tokio::test]
async fn an_effect_that_waits_for_success_is_given_back_on_failure() {
    let service = guarded();
    let failed = send(&service, delivery("/retried", b"one").header("x-answer", "500"), b"one").await;
    assert_eq!(failed.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let retried = send(&service, delivery("/retried", b"one"), b"one").await;
    assert_eq!(retried.status(), StatusCode::OK);
    let replayed = send(&service, delivery("/retried", b"one"), b"one").await;
    assert_eq!((replayed.status(), reason(&replayed)), (StatusCode::OK, Some("duplicate-acknowledged")));
}

#[tokio::test]
async fn a_denied_grpc_call_is_answered_in_its_form() {
    let service = guarded();
    let call = || Request::post("/github").header("content-type", "application/grpc");
    // Over HTTP/1.1 there is no gRPC, and an empty 200 would be kept by caches.
    let response = send(&service, call(), b"").await;
    assert_eq!((response.status(), reason(&response)), (StatusCode::FORBIDDEN, Some("missing-signature")));
    assert!(!response.headers().contains_key("grpc-status"));
    assert_eq!(response.headers()["cache-control"], "no-store");
    let response = send(&service, call().version(Version::HTTP_2), b"").await;
    assert_eq!(response.headers()["cache-control"], "no-store");
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["grpc-status"], "7");
    assert_eq!(response.headers()["grpc-message"], "missing-signature");
}

#[tokio::test]
async fn a_method_in_another_case_is_refused_in_every_version() {
    let service = guarded();
    for version in [Version::HTTP_10, Version::HTTP_11, Version::HTTP_2, Version::HTTP_3] {
        for method in ["post", "Post", "gET", "connect"] {
            let request = Request::builder().method(Method::from_bytes(method.as_bytes()).unwrap()).uri("/public");
            let response = send(&service, request.version(version), b"").await;
            assert_eq!(response.status(), StatusCode::BAD_REQUEST);
            assert_eq!(reason(&response), Some("method-not-uppercase"), "{method} over {version:?}");
        }
        let request = Request::builder().method("PURGE").uri("/public").version(version);
        assert_eq!(reason(&send(&service, request, b"").await), None, "{version:?}");
    }
}

#[tokio::test]
async fn a_connection_cannot_take_the_principal_away() {
    let service = guarded();
    for named in ["x-gate-principal", "X-Hub-Signature-256", "x-forwarded-for"] {
        let request = delivery("/github", b"one").header("connection", format!("close, {named}"));
        assert_eq!(reason(&send(&service, request, b"one").await), Some("connection-names-field"), "{named}");
    }
}

/// Comes one byte at a time, and makes its reader wait for each.
struct Slow {
    left: usize,
    waits: bool,
}

impl http_body::Body for Slow {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Infallible>>> {
        context.waker().wake_by_ref();
        self.waits = !self.waits;
        if self.waits {
            return Poll::Pending;
        }
        let Some(left) = self.left.checked_sub(1) else { return Poll::Ready(None) };
        self.left = left;
        Poll::Ready(Some(Ok(http_body::Frame::data(Bytes::from_static(b"a")))))
    }
}

#[tokio::test]
async fn a_request_that_is_dropped_anywhere_gives_back_its_room_and_its_slot() {
    // For one request, and its body.
    let limits = GateLimits { undecided_max: 1, bodies_bytes_max: BODY_BYTES_MAX };
    let upstream = service_fn(async |request: Request<GuardedBody<Slow>>| {
        tokio::task::yield_now().await;
        Ok::<_, Infallible>(Response::new(request.into_body()))
    });
    let layer = BarmkinLayer::new(gate::gate_with(limits), Options::default()).layer(upstream);
    let body = [b'a'; BODY_BYTES_MAX];
    let ask = |path| {
        let request =
            delivery(path, &body).header("host", "app").body(Slow { left: BODY_BYTES_MAX, waits: false }).unwrap();
        Box::pin(layer.clone().oneshot(request))
    };
    // Where a delivery is taken once, it is told so; nothing is `overloaded`.
    let mut polls = 0;
    loop {
        let mut asked = ask("/github");
        let answered = (0..polls).any(|_| asked.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready());
        drop(asked);
        let refused = ask("/retried").await.unwrap();
        let reason = refused.headers().get("barmkin-reason").cloned();
        assert!(reason.is_none_or(|reason| reason == "duplicate-acknowledged"), "after {polls} polls");
        refused.into_body().collect().await.unwrap();
        if answered {
            break;
        }
        polls += 1;
    }
    assert!(polls > BODY_BYTES_MAX, "{polls}");
}
