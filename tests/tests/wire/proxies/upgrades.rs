//! Changes of protocol, behind which nobody is asked.

use super::attacks::Expect::Judged;
use super::attacks::{attack, case};
use super::front::Front;
use super::origin::{Arrived, WEBSOCKET_KEY};
use barmkin_tests::harness::{Barmkin, ListenerKind};
use barmkin_tests::rules::{self, SECRETS};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

fn handshake(path: &str, upgrade: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: api.example.com\r\n{upgrade}Sec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: {WEBSOCKET_KEY}\r\n\r\n"
    )
}

/// The origin would agree to anything. Failed before through Caddy.
#[test]
fn only_websockets_are_passed_on() {
    let hidden = "GET /admin HTTP/1.1\r\nHost: api.example.com\r\n\r\n";
    let settings = "HTTP2-Settings: AAMAAABkAAQAAP__\r\n";
    let cases = [
        ("HTTP/2", format!("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n{settings}")),
        ("HTTP/2 without settings", "Connection: Upgrade\r\nUpgrade: h2c\r\n".to_owned()),
        ("HTTP/2 in capitals", "Connection: Upgrade\r\nUpgrade: H2C\r\n".to_owned()),
        ("HTTP/2 without connection", "Upgrade: h2c\r\n".to_owned()),
        ("HTTP/2 after a websocket", "Connection: Upgrade\r\nUpgrade: websocket, h2c\r\n".to_owned()),
        ("HTTP/2 before a websocket", "Connection: Upgrade\r\nUpgrade: h2c, websocket\r\n".to_owned()),
        (
            "HTTP/2 and a websocket in two fields",
            "Connection: Upgrade\r\nUpgrade: h2c\r\nUpgrade: websocket\r\n".to_owned(),
        ),
        (
            "a websocket and HTTP/2 in two fields",
            "Connection: Upgrade\r\nUpgrade: websocket\r\nUpgrade: h2c\r\n".to_owned(),
        ),
        ("another protocol", "Connection: Upgrade\r\nUpgrade: other\r\n".to_owned()),
        ("a version of it", "Connection: Upgrade\r\nUpgrade: websocket/13\r\n".to_owned()),
        ("TLS", "Connection: Upgrade\r\nUpgrade: TLS/1.0\r\n".to_owned()),
        ("settings alone", format!("Connection: HTTP2-Settings\r\n{settings}")),
        (
            "settings beside a websocket",
            format!("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: websocket\r\n{settings}"),
        ),
        (
            "a websocket and the principal",
            "Connection: Upgrade, barmkin-principal\r\nUpgrade: websocket\r\n".to_owned(),
        ),
    ];
    let cases = cases.map(|(name, upgrade)| case(name, Judged, handshake("/public", &upgrade) + hidden));
    attack(&Front::ALL, &cases);
}

/// Opens a websocket at `address`; gives the answer's first line and what came
/// back of a message.
fn websocket(address: SocketAddr, path: &str) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let request = handshake(path, "Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte), Ok(1)) {
        head.push(byte[0]);
    }
    let line = String::from_utf8_lossy(&head).lines().next().unwrap_or_default().to_owned();
    let mut echo = vec![0; 6];
    if line.contains(" 101 ") {
        stream.write_all(b"\x81\x04ping").unwrap();
        stream.read_exact(&mut echo).unwrap();
    }
    (line, echo)
}

#[test]
fn a_websocket_works_from_end_to_end() {
    for front in Front::ALL {
        let Some(setup) = front.start() else { continue };
        let (line, echo) = websocket(setup.address, "/public");
        assert!(line.contains(" 101 "), "{front:?}: {line}");
        assert_eq!(echo, b"\x81\x04ping", "{front:?}");
        let arrived = setup.origin.take();
        let tunnelled = |arrived: &Arrived| match arrived {
            Arrived::Tunnelled(bytes) => bytes.clone(),
            Arrived::Request { .. } => Vec::new(),
        };
        assert_eq!(arrived.iter().flat_map(tunnelled).collect::<Vec<_>>(), b"\x81\x04ping", "{front:?}: {arrived:?}");
        // One that is denied reaches nobody.
        let (line, _) = websocket(setup.address, "/v1/items");
        assert!(line.contains(" 401 "), "{front:?}: {line}");
        assert!(setup.origin.take().is_empty(), "{front:?}");
    }
}

#[test]
fn the_reverse_proxy_passes_websockets_on_and_refuses_others() {
    let origin = super::origin::Origin::start();
    let kind = ListenerKind::ReverseProxy(origin.address());
    let gate = Barmkin::serve(&rules::api(), &SECRETS, &[("in", kind)]);
    let (line, echo) = websocket(gate.address("in"), "/public");
    assert!(line.contains(" 101 "), "{line}");
    assert_eq!(echo, b"\x81\x04ping");
    origin.take();
    for protocol in ["other", "websocket, other", "h2c, websocket"] {
        let request = handshake("/public", &format!("Connection: Upgrade, close\r\nUpgrade: {protocol}\r\n"));
        let mut stream = TcpStream::connect(gate.address("in")).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 403") && answer.contains("upgrade-refused"), "{protocol}: {answer}");
        assert!(origin.take().is_empty(), "{protocol}");
    }
}
