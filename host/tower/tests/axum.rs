//! The extractor, in an axum router.
#![allow(clippy::unwrap_used, reason = "tests")]

mod gate;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::routing::any;
use barmkin_tower::{BarmkinLayer, Options, Permitted, peer_from_connect_info};
use gate::sign;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use std::net::SocketAddr;
use tower::ServiceExt;

fn router() -> Router {
    Router::new().fallback(any(async |permitted: Permitted, body: String| {
        let sender = permitted.principal().map_or("nobody", |principal| principal.id.as_str());
        format!("{body} from {sender} by {}", permitted.route())
    }))
}

async fn answer(router: Router, request: http::request::Builder, body: &'static str) -> (StatusCode, String) {
    let request = request.header("host", "app").body(Body::from(body)).unwrap();
    let response = router.oneshot(request).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn a_handler_takes_the_permit_and_the_body() {
    let options = Options { peer: peer_from_connect_info, ..Options::default() };
    let guarded = router().layer(BarmkinLayer::new(gate::gate(), options));
    let peer = ConnectInfo::<SocketAddr>("127.0.0.1:9".parse().unwrap());
    let delivery = Request::post("/github").header("x-hub-signature-256", sign(b"news")).extension(peer);
    assert_eq!(answer(guarded.clone(), delivery, "news").await, (StatusCode::OK, "news from github by github".into()));
    let (status, problem) = answer(guarded, Request::post("/github"), "news").await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(problem.contains("missing-signature"), "{problem}");
}

#[tokio::test]
async fn a_route_without_the_layer_fails() {
    let (status, _) = answer(router(), Request::get("/public"), "").await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
}
