//! Changes of the protocol, and the tunnels behind them.

use crate::setup::*;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub(crate) const HANDSHAKE: &str =
    "GET /public HTTP/1.1\r\nhost: app\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n";
pub(crate) const SWITCHES: &str =
    "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";

#[tokio::test]
async fn an_upgrade_is_decided_at_its_handshake_and_then_tunnelled() {
    let mut setup = Setup::new(Upstream::Switches(SWITCHES)).await;
    let denied = setup.send(HANDSHAKE.replace("/public", "/github").replace("Upgrade\r\n", "Upgrade, close\r\n")).await;
    assert_eq!(reason(&denied), Some("missing-signature"));
    assert!(setup.nothing_received());

    let mut stream = TcpStream::connect(setup.address).await.unwrap();
    stream.write_all(HANDSHAKE.as_bytes()).await.unwrap();
    assert!(setup.received.recv().await.unwrap().contains("upgrade: websocket\r\n"));
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        assert_ne!(stream.read_buf(&mut answer).await.unwrap(), 0);
    }
    assert!(answer.starts_with(b"HTTP/1.1 101"));
    stream.write_all(b"\x00 ping").await.unwrap();
    let mut echo = [0; 6];
    stream.read_exact(&mut echo).await.unwrap();
    assert_eq!(&echo, b"\x00 ping");

    setup.stop.send(()).unwrap();
    setup.proxy.await.unwrap();
    assert_eq!(stream.read(&mut echo).await.unwrap(), 0, "a stopped server cuts its tunnels");
}

#[tokio::test]
async fn an_upstream_cannot_switch_to_what_was_not_asked_for() {
    let setup = Setup::new(Upstream::Switches(SWITCHES)).await;
    let plain = "GET /public HTTP/1.1\r\nhost: app\r\nconnection: close\r\n\r\n";
    assert_eq!(reason(&setup.send(plain).await), Some("upstream-failed"));
    let setup = Setup::with(Upstream::Switches(SWITCHES), |options| options.upgrades = vec!["other".into()]).await;
    let other = HANDSHAKE.replace("Upgrade\r\n", "Upgrade, close\r\n").replace("websocket", "other");
    assert_eq!(reason(&setup.send(other).await), Some("upstream-failed"));
}

#[tokio::test]
async fn a_protocol_that_is_not_listed_is_refused() {
    let mut setup = Setup::new(Upstream::Switches(SWITCHES)).await;
    for protocol in ["other", "websocket, h2c", "h2c, websocket", "websocket, other", "websocket\r\nupgrade: other"] {
        let request = HANDSHAKE.replace("Upgrade\r\n", "Upgrade, close\r\n").replace("websocket", protocol);
        let answer = setup.send(request).await;
        assert!(answer.starts_with("HTTP/1.1 403"), "{protocol}: {answer}");
        assert_eq!(reason(&answer), Some("upgrade-refused"), "{protocol}");
        assert!(setup.nothing_received(), "{protocol}");
    }
}

#[tokio::test]
async fn tunnels_have_places_of_their_own_and_end_when_nothing_moves() {
    let idle = Duration::from_millis(200);
    let setup = Setup::with(Upstream::Switches(SWITCHES), |options| {
        options.timeouts.tunnel_idle = idle;
        options.bounds.tunnels_max = 1;
        options.bounds.connections_max = 1;
    })
    .await;
    let mut tunnel = TcpStream::connect(setup.address).await.unwrap();
    tunnel.write_all(HANDSHAKE.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        assert_ne!(tunnel.read_buf(&mut answer).await.unwrap(), 0);
    }
    let began = tokio::time::Instant::now();
    // It lives while something moves. Its place among the connections is free.
    let mut echo = [0; 1];
    for _ in 0..4 {
        tokio::time::sleep(idle / 2).await;
        tunnel.write_all(b"a").await.unwrap();
        tunnel.read_exact(&mut echo).await.unwrap();
    }
    let refused = setup.send(HANDSHAKE.replace("Upgrade\r\n", "Upgrade, close\r\n")).await;
    assert!(refused.starts_with("HTTP/1.1 503"), "{refused}");
    assert_eq!(reason(&refused), Some("overloaded"));
    assert_eq!(tunnel.read(&mut echo).await.unwrap_or(0), 0, "idle for too long");
    assert!(began.elapsed() >= 3 * idle);
}
