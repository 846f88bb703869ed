//! Upstreams that speak HTTP/2.

use crate::peers::*;
use barmkin_reverse_proxy::Http;
use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, Version};
use http_body_util::{BodyExt, Full};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::convert::Infallible;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

async fn front(behind: &Behind) -> Front {
    Front::with(plain(&[behind.address], Http::Two), |_| {}).await
}

#[tokio::test]
async fn a_request_keeps_its_host_and_both_sides_their_trailers() {
    let mut behind = Behind::start().await;
    let front = front(&behind).await;
    assert_eq!(front.get("/public/%41?a=%zz&&b").await.0, StatusCode::OK);
    let seen = behind.seen.recv().await.unwrap();
    assert_eq!((seen.version, seen.target.as_str()), (Version::HTTP_2, "http://app/public/%41?a=%zz&&b"));
    assert!(!seen.fields.contains_key("host") && !seen.fields.contains_key("te"), "{:?}", seen.fields);

    let request = Request::get("http://app/public/trailers").header("te", "trailers").body(whole("")).unwrap();
    let answer = front.http2().await.send_request(request).await.unwrap();
    let body = answer.into_body().collect().await.unwrap();
    assert_eq!(body.trailers().map(|trailers| &trailers["x-checksum"]), Some(&HeaderValue::from_static("1")));
    assert_eq!(body.to_bytes(), "a part");
    assert_eq!(behind.seen.recv().await.unwrap().fields["te"], "trailers");
}

#[tokio::test]
async fn requests_share_a_connection_for_as_long_as_it_has_room() {
    for (streams, connections) in [(200, 1), (2, 3)] {
        let mut behind = Behind::with(None, streams).await;
        let front = front(&behind).await;
        // It has said by now how much room there is.
        assert_eq!(front.get("/public").await.0, StatusCode::OK);
        behind.seen.recv().await.unwrap();
        let client = front.http2().await;
        let requests: Vec<_> = (0..6).map(|_| tokio::spawn(client.clone().send_request(get("/public/wait")))).collect();
        for _ in &requests {
            let seen = tokio::time::timeout(Duration::from_secs(5), behind.seen.recv());
            assert!(seen.await.is_ok(), "none waits for another");
        }
        assert_eq!(behind.connections(), connections);
        behind.go_on.add_permits(requests.len());
        for request in requests {
            assert_eq!(request.await.unwrap().unwrap().status(), StatusCode::OK);
        }
    }
}

#[tokio::test]
async fn a_delivery_whose_answer_breaks_off_is_free_again() {
    let mut behind = Behind::start().await;
    let front = Front::guarded(plain(&[behind.address], Http::Two)).await;
    let mut client = front.http2().await;
    for _ in 0..2 {
        let answer = client.send_request(delivery("/retried/breaks", "one")).await.unwrap();
        assert_eq!(reason_of(&answer), None);
        behind.go_on.add_permits(1);
        assert!(answer.into_body().collect().await.is_err());
        assert_eq!(behind.seen.recv().await.unwrap().body, "one");
    }
}

#[tokio::test]
async fn an_answer_that_is_not_read_keeps_no_other_waiting() {
    let behind = Behind::start().await;
    let front = front(&behind).await;
    let slow = front.http2().await;
    let mut unread = Vec::new();
    for _ in 0..20 {
        unread.push(slow.clone().send_request(get("/public/large")).await.unwrap());
    }
    let mut client = front.http2().await;
    for _ in 0..3 {
        let answer = client.send_request(get("/public/large")).await.unwrap().into_body().collect();
        let answer = tokio::time::timeout(Duration::from_secs(20), answer).await.unwrap();
        assert_eq!(answer.unwrap().to_bytes().len(), LARGE);
    }
    assert_eq!(behind.connections(), 1);
}

/// A request may meet the end of a connection; those after it have another.
#[tokio::test]
async fn an_upstream_that_comes_back_is_asked_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (begun, mut connections) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let answer = service_fn(async |_| Ok::<_, Infallible>(Response::new(Full::new(Bytes::from("ok")))));
            let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), answer);
            begun.send(tokio::spawn(connection)).unwrap();
        }
    });
    let front = Front::with(plain(&[address], Http::Two), |_| {}).await;
    for _ in 0..3 {
        let mut last = None;
        for _ in 0..2 {
            let answer = tokio::time::timeout(Duration::from_secs(10), front.get("/public")).await;
            last = Some(answer.expect("nobody waits for a connection that has ended").0);
        }
        assert_eq!(last, Some(StatusCode::OK));
        let connection = connections.recv().await.unwrap();
        connection.abort();
        assert!(connection.await.is_err());
    }
}

/// It would end the connection, with what others have on it.
#[tokio::test]
async fn more_fields_than_an_upstream_takes_are_refused() {
    let behind = Behind::start().await;
    let front = front(&behind).await;
    assert_eq!(front.get("/public").await.0, StatusCode::OK);
    let request = (0..70).fold(Request::get("http://app/public"), |request, number| {
        request.header(format!("x-{number}"), "v".repeat(900))
    });
    let answer = front.http2().await.send_request(request.body(whole("")).unwrap()).await.unwrap();
    assert_eq!(
        (answer.status(), reason_of(&answer).as_deref()),
        (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, Some("headers-too-large"))
    );
    assert_eq!(front.get("/public").await.0, StatusCode::OK);
    assert_eq!(behind.connections(), 1);
}
