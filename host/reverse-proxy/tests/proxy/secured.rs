//! Upstreams, and clients, with TLS.

use crate::certificates::{Ca, Folder, client};
use crate::peers::*;
use crate::routes::open;
use crate::upgrades::HANDSHAKE;
use barmkin_reverse_proxy::{Http, Options};
use barmkin_tls::{HTTP, ServerTls, UpstreamFiles};
use http::{StatusCode, Version};
use http_body_util::BodyExt;
use rustls::pki_types::ServerName;
use rustls::version::TLS13;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

fn unreachable() -> (StatusCode, Option<String>) {
    (StatusCode::BAD_GATEWAY, Some("upstream-unreachable".to_owned()))
}

#[tokio::test]
async fn the_handshake_agrees_on_the_version_of_http() {
    let (ca, folder) = (Ca::new(), Folder::new());
    for (http, spoken) in [(Http::Auto, Version::HTTP_2), (Http::One, Version::HTTP_11), (Http::Two, Version::HTTP_2)] {
        let mut behind = Behind::secure(server(&ca.server(), None)).await;
        let front = Front::with(https(behind.address, http, trusting(&folder, &ca)), |_| {}).await;
        for _ in 0..2 {
            assert_eq!(front.get("/public").await, (StatusCode::OK, None));
            assert_eq!(behind.seen.recv().await.unwrap().version, spoken, "{http:?}");
        }
    }
    // What speaks HTTP/1.1 only.
    let mut config = server(&ca.server(), None);
    config.alpn_protocols.clear();
    let mut behind = Behind::secure(config).await;
    let front = Front::with(https(behind.address, Http::Auto, trusting(&folder, &ca)), |_| {}).await;
    assert_eq!(front.get("/public").await, (StatusCode::OK, None));
    assert_eq!(behind.seen.recv().await.unwrap().version, Version::HTTP_11);
    let front = Front::with(https(behind.address, Http::Two, trusting(&folder, &ca)), |_| {}).await;
    assert_eq!(front.get("/public").await, unreachable());
}

#[tokio::test]
async fn an_upstream_that_is_not_who_it_should_be_sees_nothing() {
    let (ca, stranger, folder) = (Ca::new(), Ca::new(), Folder::new());
    let mut behind = Behind::secure(server(&stranger.server(), None)).await;
    let front = Front::with(https(behind.address, Http::Auto, trusting(&folder, &ca)), |_| {}).await;
    assert_eq!(front.get("/public").await, unreachable());
    assert!(behind.seen.try_recv().is_err());
}

#[tokio::test]
async fn the_gate_shows_its_certificate() {
    let (ca, clients, folder) = (Ca::new(), Ca::new(), Folder::new());
    let identity = clients.issue(&["gate"], &[]);
    let shown =
        (folder.write("client.pem", &identity.certificate, 0o644), folder.write("client.key", &identity.key, 0o600));
    for (identity, answers) in [(Some(shown), true), (None, false)] {
        let mut behind = Behind::secure(server(&ca.server(), Some(&clients))).await;
        let files = UpstreamFiles { identity, ..trusting(&folder, &ca) };
        let front = Front::with(https(behind.address, Http::Auto, files), |_| {}).await;
        let (status, _) = front.get("/public").await;
        assert_eq!((status == StatusCode::OK, behind.seen.try_recv().is_ok()), (answers, answers), "{status}");
    }
}

#[tokio::test]
async fn connections_by_roots_that_are_gone_carry_nothing_more() {
    let (before, after, folder) = (Ca::new(), Ca::new(), Folder::new());
    let mut behind = Behind::secure(server(&before.server(), None)).await;
    let front = Front::with(https(behind.address, Http::Auto, trusting(&folder, &before)), |_| {}).await;
    assert_eq!(front.get("/public").await, (StatusCode::OK, None));
    behind.seen.recv().await.unwrap();
    trusting(&folder, &after);
    let refused = async {
        while front.get("/public").await != unreachable() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), refused).await.unwrap();
}

#[tokio::test]
async fn an_upgrade_is_asked_for_in_http_1() {
    let (ca, folder) = (Ca::new(), Folder::new());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(server(&ca.server(), None)));
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = acceptor.accept(stream).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        stream.write_all(crate::upgrades::SWITCHES.as_bytes()).await.unwrap();
        let mut ping = [0; 4];
        stream.read_exact(&mut ping).await.unwrap();
        stream.write_all(&ping).await.unwrap();
        stream.flush().await.unwrap();
    });
    let front = Front::with(https(address, Http::Auto, trusting(&folder, &ca)), |_| {}).await;
    let mut stream = TcpStream::connect(front.address).await.unwrap();
    stream.write_all(HANDSHAKE.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        assert_ne!(stream.read_buf(&mut answer).await.unwrap(), 0);
    }
    assert!(answer.starts_with(b"HTTP/1.1 101"));
    stream.write_all(b"ping").await.unwrap();
    let mut echo = [0; 4];
    stream.read_exact(&mut echo).await.unwrap();
    assert_eq!(&echo, b"ping");

    let only_two = Front::with(plain(&[address], Http::Two), |_| {}).await;
    let mut stream = TcpStream::connect(only_two.address).await.unwrap();
    stream.write_all(HANDSHAKE.replace("Upgrade\r\n", "Upgrade, close\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert_eq!(crate::setup::reason(&answer), Some("upgrade-refused"), "{answer}");
}

#[tokio::test]
async fn a_client_may_speak_either_version_over_tls() {
    let (ca, folder) = (Ca::new(), Folder::new());
    let mut behind = Behind::start().await;
    let tls = ServerTls::load(folder.files(&ca.server(), None), HTTP).unwrap();
    let options = Options::new(plain(&[behind.address], Http::Auto));
    let front = Front::serve(open(&[("/", None)]), options, Some(tls)).await;
    for two in [true, false] {
        let mut config = client(&ca, None, &TLS13);
        config.alpn_protocols = if two { vec![b"h2".to_vec(), b"http/1.1".to_vec()] } else { Vec::new() };
        let stream = TcpStream::connect(front.address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
        if two {
            let answer = http2_on(stream).await.send_request(get("/a")).await.unwrap();
            assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "ok");
        } else {
            stream.write_all(b"GET /a HTTP/1.1\r\nhost: app\r\nconnection: close\r\n\r\n").await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        }
        assert_eq!(behind.seen.recv().await.unwrap().fields["x-forwarded-proto"], "https");
    }
}
