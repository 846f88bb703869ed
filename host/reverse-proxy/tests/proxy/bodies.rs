//! Requests' bodies.

use crate::gate::{self, BODY_BYTES_MAX};
use crate::setup::*;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::test]
async fn a_coding_that_would_be_lost_is_refused() {
    let mut setup = Setup::new(Upstream::Answers(OK)).await;
    for coding in ["gzip, chunked", "chunked, chunked", "Gzip,CHUNKED", "identity, chunked"] {
        let answer = setup
            .send(format!(
                "POST /public HTTP/1.1\r\nhost: app\r\nconnection: close\r\ntransfer-encoding: {coding}\r\n\r\n0\r\n\r\n"
            ))
            .await;
        assert!(answer.starts_with("HTTP/1.1 501 "), "{coding}: {answer}");
        assert_eq!(reason(&answer), Some("transfer-coding-unsupported"));
    }
    assert!(setup.nothing_received());
}

#[tokio::test]
async fn a_collected_body_is_sent_with_its_length_and_others_stream() {
    let mut setup = Setup::new(Upstream::Answers(OK)).await;
    let chunked = |path: &str| {
        let head = delivery(path, "chunks").replace("content-length: 6", "transfer-encoding: chunked");
        head.replace("\r\n\r\nchunks", "\r\n\r\n5\r\nchunk\r\n1\r\ns\r\n0\r\n\r\n")
    };
    setup.send(chunked("/github")).await;
    let collected = setup.received.recv().await.unwrap();
    assert!(collected.contains("content-length: 6\r\n") && collected.ends_with("\r\n\r\nchunks"), "{collected}");
    assert!(!collected.contains("transfer-encoding"));
    setup.send(chunked("/public")).await;
    let streamed = setup.received.recv().await.unwrap();
    assert!(streamed.contains("transfer-encoding: chunked\r\n") && !streamed.contains("content-length"), "{streamed}");
}

#[tokio::test]
async fn two_framings_are_never_forwarded() {
    for framing in
        ["content-length: 6\r\ntransfer-encoding: chunked", "transfer-encoding: chunked\r\ncontent-length: 6"]
    {
        let mut setup = Setup::new(Upstream::Answers(OK)).await;
        let smuggling = format!(
            "POST /public HTTP/1.1\r\nhost: app\r\nconnection: close\r\n{framing}\r\n\r\n0\r\n\r\nGET /github HTTP/1.1\r\n\r\n"
        );
        setup.send(smuggling).await;
        let received = setup.received.recv().await.unwrap();
        assert!(!received.contains("content-length: 6") && !received.contains("GET /github"), "{received}");
        assert!(setup.nothing_received());
    }
}

#[tokio::test]
async fn the_body_limit_is_the_last_that_passes() {
    let mut setup = Setup::new(Upstream::Answers(OK)).await;
    let at = "a".repeat(gate::BODY_BYTES_MAX);
    assert!(setup.send(delivery("/github", &at)).await.starts_with("HTTP/1.1 200"));
    setup.received.recv().await.unwrap();
    let past = setup.send(delivery("/github", &format!("{at}a"))).await;
    assert!(past.starts_with("HTTP/1.1 413"), "{past}");
    assert_eq!(reason(&past), Some("body-too-large"));
    assert!(setup.nothing_received());
}

#[tokio::test]
async fn a_client_waits_for_leave_to_send_its_body() {
    let setup = Setup::new(Upstream::Answers(OK)).await;
    let request = delivery("/github", "body").replace("host: app", "host: app\r\nexpect: 100-continue");
    let (head, body) = request.split_at(request.len() - 4);
    let mut stream = TcpStream::connect(setup.address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut leave = [0; 25];
    stream.read_exact(&mut leave).await.unwrap();
    assert_eq!(&leave, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(body.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn a_body_that_stalls_or_breaks_off_never_arrives() {
    let mut setup = Setup::with(Upstream::Answers(OK), |options| {
        options.timeouts.body_read = Duration::from_millis(50);
    })
    .await;
    let request = delivery("/github", "body");
    let (short, _) = request.split_at(request.len() - 1);
    let stalled = setup.send(short).await;
    assert!(stalled.starts_with("HTTP/1.1 400"), "{stalled}");
    assert_eq!(reason(&stalled), Some("body-truncated"));
    let mut stream = TcpStream::connect(setup.address).await.unwrap();
    stream.write_all(short.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer).await;
    assert!(!answer.contains(" 200 "), "{answer}");
    assert!(setup.nothing_received());
}

/// Sends a part of a body now and then, until it is cut off or has been for
/// `patience`.
async fn drip(address: SocketAddr, path: &str, every: Duration, patience: Duration) -> Option<String> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = delivery(path, "").replace("content-length: 0", &format!("content-length: {BODY_BYTES_MAX}"));
    stream.write_all(head.as_bytes()).await.unwrap();
    let (mut read, mut write) = stream.split();
    let mut answer = String::new();
    let dripping = async {
        while write.write_all(b"a").await.is_ok() {
            tokio::time::sleep(every).await;
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = dripping => None,
        () = tokio::time::sleep(patience) => None,
        _ = read.read_to_string(&mut answer) => Some(answer),
    }
}

#[tokio::test]
async fn a_body_that_drips_is_cut_off_before_the_verdict_and_streams_after() {
    let mut setup = Setup::with(Upstream::Answers(OK), |options| {
        options.timeouts.body_read = Duration::from_secs(10);
        options.timeouts.body_whole = Duration::from_millis(200);
    })
    .await;
    let (every, patience) = (Duration::from_millis(20), Duration::from_secs(5));
    let answer = drip(setup.address, "/github", every, patience).await.unwrap();
    // What is still under way when it is answered may cost it the answer.
    assert!(answer.is_empty() || reason(&answer) == Some("body-truncated"), "{answer}");
    assert!(setup.nothing_received());
    assert_eq!(drip(setup.address, "/public", every, Duration::from_millis(600)).await, None);
}

/// The chain decided about it, too.
#[tokio::test]
async fn a_get_has_the_body_that_it_came_with() {
    let mut setup = Setup::new(Upstream::Answers(OK)).await;
    let request = "GET /public HTTP/1.1\r\nhost: app\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n\
                   5\r\nhello\r\n0\r\nx-trailer: 1\r\n\r\n";
    assert!(setup.send(request).await.starts_with("HTTP/1.1 200 "));
    let received = setup.received.recv().await.unwrap();
    assert!(received.ends_with("\r\n5\r\nhello\r\n0\r\n\r\n"), "{received}");
}
