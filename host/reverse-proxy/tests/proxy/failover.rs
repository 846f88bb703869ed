//! Upstreams of several addresses.

use crate::certificates::{Ca, Folder};
use crate::peers::*;
use barmkin_reverse_proxy::{Http, Options, Tls, Upstream, UpstreamTls};
use bytes::Bytes;
use h2::Reason;
use http::StatusCode;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};

/// Where nobody listens.
async fn gone() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

/// Takes connections, and does with each what `act` says.
async fn server<F: Future<Output = ()> + Send>(
    act: impl Fn(TcpStream) -> F + Send + Sync + 'static,
) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let taken = Arc::<AtomicUsize>::default();
    let count = taken.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::Relaxed);
            act(stream).await;
        }
    });
    (address, taken)
}

#[tokio::test]
async fn a_request_goes_to_the_first_that_takes_a_connection() {
    let (first, mut second) = (gone().await, Behind::start().await);
    for http in [Http::One, Http::Two] {
        let front = Front::with(plain(&[first, second.address], http), |_| {}).await;
        let mut client = front.http2().await;
        for body in ["one", "two"] {
            let answer = client.send_request(post("/public", body)).await.unwrap();
            assert_eq!((answer.status(), reason_of(&answer)), (StatusCode::OK, None));
            assert_eq!(second.seen.recv().await.unwrap().body, body);
        }
    }
    let none = Front::with(plain(&[first, gone().await], Http::Auto), |_| {}).await;
    let refused = none.get("/public").await;
    assert_eq!(refused, (StatusCode::BAD_GATEWAY, Some("upstream-unreachable".to_owned())));
}

#[tokio::test]
async fn an_address_that_failed_is_left_alone_for_a_while() {
    // It ends each handshake of TLS, which is as good as not being there.
    let (first, tried) = server(|stream| async { drop(stream) }).await;
    let (ca, folder) = (Ca::new(), Folder::new());
    let mut second = Behind::secure(crate::peers::server(&ca.server(), None)).await;
    let files = UpstreamTls::load(trusting(&folder, &ca)).unwrap();
    let addresses = [first, second.address].map(|address| format!("https://{address}").parse().unwrap());
    let tls = Tls { files, name: Some("localhost".to_owned()) };
    let upstream = Upstream::new(addresses.into(), Http::One, Some(tls)).unwrap();
    let front = Front::with(upstream, |_| {}).await;
    // Each needs a connection of its own.
    let client = front.http2().await;
    assert_eq!(client.clone().send_request(get("/public")).await.unwrap().status(), StatusCode::OK);
    let held: Vec<_> = (0..5).map(|_| tokio::spawn(client.clone().send_request(get("/public/wait")))).collect();
    for _ in 0..6 {
        second.seen.recv().await.unwrap();
    }
    assert_eq!(second.connections(), 5);
    assert_eq!(tried.load(Ordering::Relaxed), 1);
    drop(held);
}

#[tokio::test]
async fn what_may_have_been_taken_is_sent_nowhere_else() {
    // Each reads something, and goes.
    let one = server(|mut stream| async move { drop(stream.read_u8().await) }).await;
    let two = server(|stream| async move {
        let mut connection = h2::server::handshake(stream).await.unwrap();
        drop(connection.accept().await);
    });
    let mut second = Behind::start().await;
    for (http, (first, taken)) in [(Http::One, one), (Http::Two, two.await)] {
        let before = taken.load(Ordering::Relaxed);
        let front = Front::with(plain(&[first, second.address], http), |_| {}).await;
        let answer = front.http2().await.send_request(post("/public", "one")).await.unwrap();
        assert_eq!(answer.status(), StatusCode::BAD_GATEWAY, "{http:?}");
        assert_eq!(taken.load(Ordering::Relaxed), before + 1);
        assert!(second.seen.try_recv().is_err(), "{http:?}");
    }
}

/// An upstream of HTTP/2 that looks at no request.
async fn refusing() -> (SocketAddr, Arc<AtomicUsize>) {
    server(|stream| async move {
        let mut connection = h2::server::handshake(stream).await.unwrap();
        while let Some(Ok((_, mut respond))) = connection.accept().await {
            respond.send_reset(Reason::REFUSED_STREAM);
        }
    })
    .await
}

#[tokio::test]
async fn a_stream_that_was_refused_is_tried_elsewhere_unless_it_has_a_body() {
    let ((first, taken), mut second) = (refusing().await, Behind::start().await);
    let front = Front::with(plain(&[first, second.address], Http::Two), |_| {}).await;
    let mut client = front.http2().await;
    let answer = client.send_request(post("/public", "one")).await.unwrap();
    assert_eq!(answer.status(), StatusCode::BAD_GATEWAY);
    assert!(second.seen.try_recv().is_err());
    let answer = client.send_request(get("/public")).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(second.seen.recv().await.unwrap().target, "http://app/public");
    assert!(taken.load(Ordering::Relaxed) <= 2);
}

#[tokio::test]
async fn a_connection_that_was_closed_meanwhile_costs_no_request() {
    // One answer for each connection, although it says nothing of closing.
    let (address, taken) = server(|stream| async move {
        let mut stream = stream;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        let answer = Bytes::from_static(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
        tokio::io::AsyncWriteExt::write_all(&mut stream, &answer).await.unwrap();
    })
    .await;
    let front = Front::with(plain(&[address], Http::One), |_| {}).await;
    for _ in 0..20 {
        assert_eq!(front.get("/public").await, (StatusCode::OK, None));
    }
    assert_eq!(taken.load(Ordering::Relaxed), 20);
}

#[tokio::test]
async fn an_upstream_may_be_a_socket() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.sock");
    let mut behind = Behind::on_socket(tokio::net::UnixListener::bind(&path).unwrap());
    for http in [Http::One, Http::Two] {
        let address = format!("unix:{}", path.display()).parse().unwrap();
        let front = Front::with(Upstream::new(vec![address], http, None).unwrap(), |_: &mut Options| {}).await;
        assert_eq!(front.get("/public").await.0, StatusCode::OK);
        let seen = behind.seen.recv().await.unwrap();
        let host = seen.fields.get("host").map(|host| host.to_str().unwrap().to_owned());
        assert!(host.as_deref() == Some("app") || seen.target == "http://app/public", "{host:?} {}", seen.target);
    }
}
