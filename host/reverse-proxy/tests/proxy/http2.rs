//! Clients that speak HTTP/2.

use crate::gate;
use crate::peers::*;
use crate::setup::Setup;
use barmkin_reverse_proxy::Http;
use http::{Request, StatusCode, Version};
use http_body_util::BodyExt;
use std::time::Duration;
use tokio::net::TcpStream;

const PREFACE: &str = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

#[tokio::test]
async fn a_request_arrives_as_it_would_over_http_1() {
    let mut behind = Behind::start().await;
    let front = Front::before(&behind).await;
    let mut client = front.http2().await;
    let request = Request::get("http://app/public/%41?a=%zz&&b")
        .header("cookie", "a=1")
        .header("cookie", "b=2")
        .header("te", "trailers")
        .header("x-forwarded-for", "6.6.6.6")
        .body(whole(""))
        .unwrap();
    let response = client.send_request(request).await.unwrap();
    assert_eq!((response.status(), response.version()), (StatusCode::OK, Version::HTTP_2));
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "ok");
    let seen = behind.seen.recv().await.unwrap();
    assert_eq!((seen.version, seen.target.as_str()), (Version::HTTP_11, "/public/%41?a=%zz&&b"));
    for (field, value) in
        [("host", "app"), ("cookie", "a=1; b=2"), ("x-forwarded-for", "127.0.0.1"), ("x-forwarded-host", "app")]
    {
        let values: Vec<_> = seen.fields.get_all(field).iter().collect();
        assert_eq!(values, [value], "{field}");
    }
    assert!(!seen.fields.contains_key("te") && !seen.fields.contains_key("transfer-encoding"), "{:?}", seen.fields);
}

#[tokio::test]
async fn it_is_decided_about_as_over_http_1() {
    let mut behind = Behind::start().await;
    let front = Front::guarded(plain(&[behind.address], Http::Auto)).await;
    let mut client = front.http2().await;
    let mut send = async |request| reason_of(&client.send_request(request).await.unwrap());
    let forged = Request::post("http://app/github").header("x-hub-signature-256", gate::sign(b"other"));
    assert_eq!(send(forged.body(whole("body")).unwrap()).await.as_deref(), Some("signature-mismatch"));
    let two_hosts = Request::get("http://app/public").header("host", "other").body(whole("")).unwrap();
    assert_eq!(send(two_hosts).await.as_deref(), Some("ambiguous-authority"));
    assert!(behind.seen.try_recv().is_err());
    assert_eq!(send(delivery("/github", "body")).await, None);
    let seen = behind.seen.recv().await.unwrap();
    assert_eq!(seen.body, "body");
    assert_eq!(seen.fields["x-gate-principal"], "github");
}

#[tokio::test]
async fn it_is_spoken_where_it_is_to_be_and_nowhere_else() {
    let setup = Setup::new(crate::setup::Upstream::Answers(crate::setup::OK)).await;
    let answer = setup.send(PREFACE).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{answer:?}");
    // Where it is, HTTP/1.1 is as before.
    let behind = Behind::start().await;
    assert_eq!(Front::before(&behind).await.get("/public").await, (StatusCode::OK, None));
}

#[tokio::test]
async fn headers_past_the_limit_are_refused_with_the_reason() {
    let mut behind = Behind::start().await;
    let front = Front::before(&behind).await;
    let mut client = front.http2().await;
    let mut fields = |count: usize, bytes: usize| {
        let request = (0..count).fold(Request::get("http://app/public"), |request, index| {
            request.header(format!("x-{index}"), "a".repeat(bytes))
        });
        client.send_request(request.body(whole("")).unwrap())
    };
    for (count, bytes) in [(129, 1), (9, 8 * 1024)] {
        let response = fields(count, bytes).await.unwrap();
        assert_eq!(response.status(), StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "{count} of {bytes}");
    }
    assert!(behind.seen.try_recv().is_err());
    assert_eq!(fields(7, 8 * 1024).await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn each_request_has_a_place() {
    let mut behind = Behind::start().await;
    let upstream = plain(&[behind.address], Http::Auto);
    let front = Front::with(upstream, |options| options.bounds.connections_max = 3).await;
    let client = front.http2().await;
    // The connection has one, too.
    let held: Vec<_> = (0..2).map(|_| tokio::spawn(client.clone().send_request(get("/public/wait")))).collect();
    for _ in &held {
        behind.seen.recv().await.unwrap();
    }
    let refused = client.clone().send_request(get("/public")).await.unwrap();
    assert_eq!(
        (refused.status(), reason_of(&refused).as_deref()),
        (StatusCode::SERVICE_UNAVAILABLE, Some("overloaded"))
    );
    assert!(behind.seen.try_recv().is_err());
    behind.go_on.add_permits(2);
    for request in held {
        assert_eq!(request.await.unwrap().unwrap().into_body().collect().await.unwrap().to_bytes(), "ok");
    }
    let next = async { while client.clone().send_request(get("/public")).await.unwrap().status() != StatusCode::OK {} };
    tokio::time::timeout(Duration::from_secs(5), next).await.unwrap();
}

#[tokio::test]
async fn a_connection_without_a_place_is_told_so() {
    let behind = Behind::start().await;
    let upstream = plain(&[behind.address], Http::Auto);
    let front = Front::with(upstream, |options| options.bounds.connections_max = 1).await;
    let _held = TcpStream::connect(front.address).await.unwrap();
    let refused = front.http2().await.send_request(get("/public")).await.unwrap();
    assert_eq!(reason_of(&refused).as_deref(), Some("overloaded"));
    let problem = refused.into_body().collect().await.unwrap().to_bytes();
    assert!(problem.starts_with(b"{"), "{problem:?}");
}

#[tokio::test]
async fn whoever_gives_up_one_request_after_another_is_cut_off() {
    let mut behind = Behind::start().await;
    let front = Front::before(&behind).await;
    let client = front.http2().await;
    let patient = front.http2().await;
    let mut given_up = 0;
    while !client.is_closed() {
        let request = tokio::spawn(client.clone().send_request(get("/public/forever")));
        tokio::select! {
            _ = behind.seen.recv() => {}
            () = tokio::time::sleep(Duration::from_secs(5)) => panic!("after {given_up}"),
            () = async { while !client.is_closed() { tokio::task::yield_now().await } } => {}
        }
        request.abort();
        given_up += 1;
        assert!(given_up < 200, "it is bounded");
        // Those that are answered count for it.
        assert_eq!(patient.clone().send_request(get("/public")).await.unwrap().status(), StatusCode::OK);
        behind.seen.recv().await;
    }
    assert!(given_up > 100, "{given_up}: a client may change its mind");
    assert!(!patient.is_closed());
}

/// The window of a stream is the client's, and the socket's buffers have nothing to
/// do with it.
#[tokio::test]
async fn an_answer_that_nobody_reads_is_given_up_and_the_others_go_on() {
    let behind = Behind::start().await;
    let upstream = plain(&[behind.address], Http::Auto);
    let front = Front::with(upstream, |options| options.bounds.stall = Duration::from_millis(200)).await;
    let client = front.http2().await;
    let unread = client.clone().send_request(get("/public/large")).await.unwrap();
    let began = std::time::Instant::now();
    while began.elapsed() < Duration::from_secs(1) {
        assert_eq!(client.clone().send_request(get("/public")).await.unwrap().status(), StatusCode::OK);
    }
    assert!(unread.into_body().collect().await.is_err(), "it was given up");
    let read = client.clone().send_request(get("/public/large")).await.unwrap();
    assert_eq!(read.into_body().collect().await.unwrap().to_bytes().len(), LARGE);
}

#[tokio::test]
async fn a_delivery_goes_on_when_its_sender_gives_it_up() {
    let mut behind = Behind::start().await;
    let front = Front::guarded(plain(&[behind.address], Http::Auto)).await;
    let client = front.http2().await;
    let request = tokio::spawn(client.clone().send_request(delivery("/retried/wait", "one")));
    behind.seen.recv().await.unwrap();
    request.abort();
    let _ = request.await;
    behind.go_on.add_permits(1);
    let again = async {
        loop {
            let answer = client.clone().send_request(delivery("/retried/wait", "one")).await.unwrap();
            match reason_of(&answer).as_deref() {
                Some("duplicate-acknowledged") => break,
                other => assert_eq!(other, Some("in-progress")),
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(5), again).await.unwrap();
    assert!(behind.seen.try_recv().is_err(), "it is seen once");
}
