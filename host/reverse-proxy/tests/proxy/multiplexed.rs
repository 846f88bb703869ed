//! Upstreams that speak HTTP/2.

use crate::peers::*;
use barmkin_reverse_proxy::Http;
use http::{HeaderValue, Request, StatusCode, Version};
use http_body_util::BodyExt;
use std::time::Duration;

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
