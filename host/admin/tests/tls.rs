//! Operators on other machines: known by their certificates, or not answered.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

#[path = "../../tls/tests/support/mod.rs"]
mod support;

use barmkin_admin::{Answered, By, Command, Control, Health, Nonces, Outcome, Timeouts, serve};
use barmkin_tls::{HTTP1, Opening, ServerTls, Socket};
use serde_json::Value;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use support::{Ca, Folder, Identity, client};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;

#[derive(Default)]
struct Asked(Mutex<Vec<String>>);

impl Health for Asked {
    fn is_ready(&self) -> bool {
        true
    }

    fn metrics(&self) -> String {
        String::new()
    }
}

impl Control for Asked {
    fn status(&self) -> Value {
        Value::Null
    }

    fn nonces(&self, _: Nonces, _: By) -> Pin<Box<dyn Future<Output = Answered> + Send>> {
        Box::pin(async { Answered { outcome: Outcome::Done, body: Value::Null } })
    }

    fn command(&self, _: Command, by: By) -> Pin<Box<dyn Future<Output = Answered> + Send>> {
        self.0.lock().unwrap().push(by.to_string());
        Box::pin(async { Answered { outcome: Outcome::Done, body: Value::Null } })
    }
}

/// The answer to a client of `ca`, under any name that it calls the gate by.
async fn reload(address: SocketAddr, ca: &Ca, identity: Option<&Identity>) -> std::io::Result<String> {
    reload_with(address, ca, identity, "").await
}

/// The same, with further fields.
async fn reload_with(
    address: SocketAddr,
    ca: &Ca,
    identity: Option<&Identity>,
    fields: &str,
) -> std::io::Result<String> {
    let connector = TlsConnector::from(Arc::new(client(ca, identity, &rustls::version::TLS13)));
    let stream = TcpStream::connect(address).await?;
    let mut stream = connector.connect("localhost".try_into().unwrap(), stream).await?;
    let request = format!("POST /reload HTTP/1.1\r\nhost: gate.example\r\n{fields}content-length: 0\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

#[tokio::test]
async fn who_asks_from_elsewhere_has_a_certificate_and_is_named_by_it() {
    let (ca, other, folder) = (Ca::new(), Ca::new(), Folder::new());
    let files = folder.files(&ca.server(), Some((&ca, true)));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let socket = Socket::from(listener).with_tls(ServerTls::load(files, HTTP1).unwrap());
    let asked = Arc::new(Asked::default());
    tokio::spawn(serve(socket, Timeouts::default(), asked.clone(), std::future::pending()));

    let operator = ca.issue(&[], &["spiffe://example/operator"]);
    let answer = reload(address, &ca, Some(&operator)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let by = asked.0.lock().unwrap().remove(0);
    assert!(by.starts_with("`spiffe://example/operator` from 127.0.0.1:"), "{by}");

    let stranger = other.issue(&[], &["spiffe://example/operator"]);
    for identity in [None, Some(&stranger)] {
        // In TLS 1.3 a client learns it with the first answer.
        assert!(reload(address, &ca, identity).await.map_or(true, |answer| answer.is_empty()));
    }
    assert!(asked.0.lock().unwrap().is_empty());
}

/// However many connect from the same address.
#[tokio::test]
async fn nobody_crowds_out_an_operator_who_has_proved_who_it_is() {
    let (ca, folder) = (Ca::new(), Folder::new());
    let files = folder.files(&ca.server(), Some((&ca, true)));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let socket = Socket::from(listener).with_tls(ServerTls::load(files, HTTP1).unwrap());
    tokio::spawn(serve(socket, Timeouts::default(), Arc::<Asked>::default(), std::future::pending()));

    let operator = ca.issue(&[], &["spiffe://example/operator"]);
    let connector = TlsConnector::from(Arc::new(client(&ca, Some(&operator), &rustls::version::TLS13)));
    let stream = TcpStream::connect(address).await.unwrap();
    let mut stream = connector.connect("localhost".try_into().unwrap(), stream).await.unwrap();
    stream.write_all(b"POST /reload HTTP/1.1\r\nhost: gate.example\r\n").await.unwrap();
    // The bytes that it has sent are there before the others come.
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    let mut crowd = Vec::new();
    for _ in 0..300 {
        let mut one = TcpStream::connect(address).await.unwrap();
        // As a handshake begins.
        let _ = one.write_all(b"\x16\x03\x01\x02\x00\x01\x00\x01").await;
        crowd.push(one);
    }
    stream.write_all(b"content-length: 0\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[tokio::test]
async fn web_pages_cannot_command_with_the_certificate_of_an_operator() {
    let (ca, folder) = (Ca::new(), Folder::new());
    let files = folder.files(&ca.server(), Some((&ca, true)));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let opening = Opening { tls: Some(ServerTls::load(files, HTTP1).unwrap()), ..Opening::default() };
    let socket = Socket { listener: listener.into(), opening };
    let asked = Arc::new(Asked::default());
    tokio::spawn(serve(socket, Timeouts::default(), asked.clone(), std::future::pending()));
    let operator = ca.issue(&[], &["spiffe://example/operator"]);
    for fields in ["origin: https://a.example\r\n", "origin: null\r\n", "sec-fetch-site: cross-site\r\n"] {
        let answer = reload_with(address, &ca, Some(&operator), fields).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 403 "), "{fields}: {answer}");
    }
    assert!(asked.0.lock().unwrap().is_empty());
}
