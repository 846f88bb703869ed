//! A client with a certificate, through TLS that ends here.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

#[path = "../../tls/tests/support/mod.rs"]
mod certificates;

use barmkin_host::*;
use barmkin_reverse_proxy::{Options, Socket, serve};
use barmkin_tls::{HTTP1, ServerTls};
use certificates::{Ca, Folder, Identity, client};
use rustls::pki_types::ServerName;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_rustls::TlsConnector;

/// A gate that lets everybody through, and says who they are.
fn gate() -> Arc<Gate> {
    let mut route = Route::new("open");
    route.public = true;
    let principal_field = Some("barmkin-principal".parse().unwrap());
    let spec = Spec { routes: vec![route], principal_field, ..Spec::default() };
    let engine = Engine::new(&EngineSettings { concurrent_checks_max: 1, ..EngineSettings::default() }).unwrap();
    let services = Services::new(MemoryStore::default());
    Arc::new(Gate::new(Generation::build(&engine, &spec, &KeyRing::default(), services).unwrap()))
}

/// Answers one request, and says what it was.
async fn upstream() -> (SocketAddr, oneshot::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, told) = oneshot::channel();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
        tell.send(String::from_utf8(head).unwrap().to_ascii_lowercase()).unwrap();
    });
    (address, told)
}

/// The request that the upstream gets when a client with `identity` sends one.
async fn received(names_principal: bool, ca: &Ca, clients: &Ca, identity: Option<&Identity>) -> String {
    let (address, received) = upstream().await;
    let folder = Folder::new();
    let tls = ServerTls::load(folder.files(&ca.server(), Some((clients, false))), HTTP1).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gate_address = listener.local_addr().unwrap();
    let mut options = Options::new(format!("http://{address}").parse().unwrap());
    options.client_certificate = names_principal;
    let (stop, stopped) = oneshot::channel::<()>();
    let socket = Socket::from(listener).with_tls(tls);
    let server = tokio::spawn(serve(socket, gate(), options, async { drop(stopped.await) }));

    let stream = TcpStream::connect(gate_address).await.unwrap();
    let connector = TlsConnector::from(Arc::new(client(ca, identity, &rustls::version::TLS13)));
    let mut stream = connector.connect(ServerName::try_from("localhost").unwrap(), stream).await.unwrap();
    let request = b"GET / HTTP/1.1\r\nhost: app\r\nbarmkin-principal: forged\r\nconnection: close\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    stop.send(()).unwrap();
    server.await.unwrap();
    received.await.unwrap()
}

#[tokio::test]
async fn a_certificate_names_the_principal_where_it_is_to() {
    let (ca, clients) = (Ca::new(), Ca::new());
    let app = clients.issue(&[], &["spiffe://example/app"]);
    let told = received(true, &ca, &clients, Some(&app)).await;
    assert!(told.contains("\r\nbarmkin-principal: spiffe://example/app\r\n"), "{told}");
    assert!(told.contains("\r\nx-forwarded-proto: https\r\n"), "{told}");
    for (names_principal, identity) in [(false, Some(&app)), (true, None)] {
        let told = received(names_principal, &ca, &clients, identity).await;
        assert!(!told.contains("barmkin-principal"), "{told}");
    }
}
