//! HAProxy in front of the gate as a reverse proxy: it says who the client is.

use super::origin::{Arrived, Origin};
use barmkin_tests::harness::{Barmkin, Haproxy, ListenerKind, Tool, free_address};
use barmkin_tests::rules::{self, SECRETS};
use std::net::{Ipv4Addr, SocketAddr};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;

/// An address of the loopback range that is not HAProxy's.
const CLIENT: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 9);

/// `connection` cannot hide the client behind HAProxy, which passes on what a
/// client names there: it is refused, or the client is told all the same.
#[test]
fn connection_does_not_hide_the_client() {
    let Some(program) = Tool::Haproxy.find("HAProxy in front of the gate") else { return };
    let (origin, address) = (Origin::start(), free_address());
    // It is opened before the other, for which the harness waits.
    let behind = format!(
        "\n[listen.behind]\nkind = \"reverse-proxy\"\naddress = \"{address}\"\nupstream = \"http://{}\"\n\
         trusted-proxies = [\"127.0.0.1\"]\n",
        origin.address()
    );
    let other = ("in", ListenerKind::ReverseProxy(origin.address()));
    let _gate = Barmkin::serve(&(rules::api() + &behind), &SECRETS, &[other]);
    let haproxy = Haproxy::in_front_of(&program, address);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for options in ["close", "close, x-forwarded-for", "close, X-Forwarded-For, x-forwarded-host"] {
        let answer = runtime.block_on(send(haproxy.address(), options));
        let arrived = origin.take();
        let tells = |arrived: &Arrived| match arrived {
            Arrived::Request { fields, .. } => {
                fields.iter().any(|(name, value)| name == "x-forwarded-for" && value.contains("127.0.0.9"))
            }
            Arrived::Tunnelled(_) => false,
        };
        assert!(arrived.iter().all(tells), "{options}: {arrived:?}");
        assert!(!arrived.is_empty() || answer.starts_with("HTTP/1.1 4"), "{options}: {answer}");
        assert!(options != "close" || answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
}

async fn send(address: SocketAddr, options: &str) -> String {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((CLIENT, 0).into()).unwrap();
    let mut stream = socket.connect(address).await.unwrap();
    let request = format!("GET /public HTTP/1.1\r\nHost: api.example.com\r\nConnection: {options}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}
