//! A proxy on another machine, which proves who it is.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

#[path = "../../tls/tests/support/mod.rs"]
mod certificates;
#[path = "../../tower/tests/gate/mod.rs"]
mod gate;

use barmkin_forward_auth::{Dialect, Options, Socket, serve};
use barmkin_tls::{HTTP1, REREAD_AFTER, ServerTls};
use certificates::{Ca, Folder, Identity, client};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// An endpoint for proxies that `files` let in.
async fn endpoint(tls: Arc<ServerTls>, connections_max: usize) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut options = Options::new(Dialect::Caddy);
    options.bounds.connections_max = connections_max;
    tokio::spawn(serve(Socket::from(listener).with_tls(tls), gate::gate(), options, std::future::pending()));
    address
}

async fn connect(address: SocketAddr, ca: &Ca, identity: Option<&Identity>) -> io::Result<TlsStream<TcpStream>> {
    let connector = TlsConnector::from(Arc::new(client(ca, identity, &rustls::version::TLS13)));
    connector.connect("localhost".try_into().unwrap(), TcpStream::connect(address).await?).await
}

/// Asks about a request, and reads the header of the answer, if there is one:
/// in TLS 1.3 a client learns only then whether it was let in.
async fn ask(stream: &mut TlsStream<TcpStream>) -> io::Result<String> {
    let about =
        "x-forwarded-method: GET\r\nx-forwarded-uri: /public\r\nx-forwarded-host: app\r\nx-forwarded-proto: https";
    stream.write_all(format!("GET / HTTP/1.1\r\nhost: gate\r\n{about}\r\n\r\n").as_bytes()).await?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    Ok(String::from_utf8(head).unwrap())
}

async fn answer(address: SocketAddr, ca: &Ca, identity: Option<&Identity>) -> io::Result<String> {
    ask(&mut connect(address, ca, identity).await?).await
}

#[tokio::test]
async fn only_a_proxy_with_a_certificate_is_answered() {
    let (ca, proxies, folder) = (Ca::new(), Ca::new(), Folder::new());
    let tls = ServerTls::load(folder.files(&ca.server(), Some((&proxies, true))), HTTP1).unwrap();
    let address = endpoint(tls, 64).await;
    // One that says nothing keeps nobody waiting.
    let _silent = TcpStream::connect(address).await.unwrap();
    let proxy = proxies.issue(&["proxy"], &[]);
    assert!(answer(address, &ca, Some(&proxy)).await.unwrap().starts_with("HTTP/1.1 200 "));
    assert!(answer(address, &ca, None).await.is_err());
    assert!(answer(address, &ca, Some(&Ca::new().issue(&["proxy"], &[]))).await.is_err(), "of another CA");
    // One that does not know the gate does not tell it anything.
    assert!(connect(address, &Ca::new(), Some(&proxy)).await.is_err());
    // And what is no TLS is not answered.
    let mut plain = TcpStream::connect(address).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\nhost: gate\r\n\r\n").await.unwrap();
    let mut told = Vec::new();
    let _ = plain.read_to_end(&mut told).await;
    assert!(!told.starts_with(b"HTTP"), "{told:?}");
}

#[tokio::test]
async fn a_connection_that_rests_gives_its_place_to_one_that_comes() {
    let (ca, folder) = (Ca::new(), Folder::new());
    let address = endpoint(ServerTls::load(folder.files(&ca.server(), None), HTTP1).unwrap(), 1).await;
    let mut held = connect(address, &ca, None).await.unwrap();
    assert!(ask(&mut held).await.unwrap().starts_with("HTTP/1.1 200 "));
    assert!(answer(address, &ca, None).await.unwrap().starts_with("HTTP/1.1 200 "));
    assert!(ask(&mut held).await.is_err(), "it was closed");
}

#[tokio::test]
async fn certificates_that_change_are_taken_while_it_serves() {
    let (ca, before, after, folder) = (Ca::new(), Ca::new(), Ca::new(), Folder::new());
    let tls = ServerTls::load(folder.files(&ca.server(), Some((&before, true))), HTTP1).unwrap();
    let address = endpoint(tls, 64).await;
    let [of_before, of_after] = [&before, &after].map(|ca| ca.issue(&["proxy"], &[]));
    let shown = |stream: &TlsStream<TcpStream>| stream.get_ref().1.peer_certificates().unwrap()[0].clone().into_owned();
    let mut open = connect(address, &ca, Some(&of_before)).await.unwrap();
    assert!(ask(&mut open).await.unwrap().starts_with("HTTP/1.1 200 "));
    assert!(answer(address, &ca, Some(&of_after)).await.is_err());

    let files = folder.files(&ca.server(), Some((&after, true)));
    let next = certificates::first_certificate(&files.certificate);
    assert_ne!(shown(&open), next);
    tokio::time::pause();
    tokio::time::advance(REREAD_AFTER + Duration::from_millis(1)).await;
    tokio::time::resume();
    // It has looked, or is about to.
    while shown(&connect(address, &ca, Some(&of_after)).await.unwrap()) != next {}
    assert!(answer(address, &ca, Some(&of_after)).await.unwrap().starts_with("HTTP/1.1 200 "));
    assert!(answer(address, &ca, Some(&of_before)).await.is_err(), "its CA is gone");
    assert!(ask(&mut open).await.unwrap().starts_with("HTTP/1.1 200 "), "what is open goes on");
}
