//! Connections, and the places that they have.

use crate::setup::*;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::test]
async fn connections_past_the_bound_are_told_so() {
    let mut setup = Setup::with(Upstream::Answers(OK), |options| options.bounds.connections_max = 1).await;
    // It has its place before the next one comes.
    let mut held = TcpStream::connect(setup.address).await.unwrap();
    for path in ["/public", "/github"] {
        let refused = setup.send(delivery(path, "body")).await;
        let (head, problem) = refused.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 503 "), "{refused}");
        for line in ["connection: close", "retry-after: 1", "content-type: application/problem+json"] {
            assert!(head.lines().any(|found| found == line), "`{line}` is not in {head}");
        }
        assert_eq!(reason(&refused), Some("overloaded"));
        assert!(problem.contains(r#""reason":"overloaded""#) && problem.contains(r#""status":503"#), "{problem}");
    }
    assert!(setup.nothing_received());
    // What has a place goes on, and leaves it.
    held.write_all(delivery("/github", "body").as_ref()).await.unwrap();
    let mut answer = String::new();
    held.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    drop(held);
    while !setup.send(delivery("/github", "another")).await.starts_with("HTTP/1.1 200") {}
}

#[tokio::test]
async fn event_streams_have_places_of_their_own() {
    const EVENTS: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n\
                          connection: keep-alive\r\ntransfer-encoding: chunked\r\n\r\n5\r\nevent\r\n0\r\n\r\n";
    let setup = Setup::with(Upstream::Answers(EVENTS), |options| options.bounds.tunnels_max = 1).await;
    let asks = "GET /public HTTP/1.1\r\nhost: app\r\n\r\n";
    // It ends, although the client keeps its connection.
    for _ in 0..2 {
        let answer = setup.send(asks).await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("connection: close"), "{answer}");
        assert!(answer.contains("event"), "{answer}");
    }
}

#[tokio::test]
async fn a_trusted_proxys_requests_count_by_the_clients_that_they_name() {
    let setup = Setup::with(Upstream::Answers(OK), |options| {
        options.bounds.connections_max = 4;
        options.client_address = barmkin_host::ClientAddress::RightmostUntrusted(vec!["127.0.0.1/32".parse().unwrap()]);
    })
    .await;
    let by = |client: &str, request: String| {
        request.replacen("host: app", &format!("host: app\r\nx-forwarded-for: {client}"), 1)
    };
    let mut slow = Vec::new();
    for _ in 0..4 {
        let mut stream = TcpStream::connect(setup.address).await.unwrap();
        let head = by("192.0.2.7", delivery("/github", "")).replace("content-length: 0", "content-length: 9");
        stream.write_all(format!("{head}a").as_bytes()).await.unwrap();
        slow.push(stream);
    }
    // All have their places, and until it is known for whom, none gives way.
    let answered = async {
        loop {
            let answer = setup.send(by("192.0.2.8", delivery("/github", "body"))).await;
            if answer.starts_with("HTTP/1.1 200") {
                break;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(5), answered).await.unwrap();
}
