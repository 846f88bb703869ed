//! Who would keep everybody else out.

use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

/// Addresses of the loopback range.
const ADDRESSES: u8 = 64;

/// Connections of each kind that each address has open.
const EACH: usize = 2;

/// Before what was cut off is tried again, and within which all begin: it is a
/// siege, and not a storm, which `overload` is for.
const PAUSE: Duration = Duration::from_secs(2);

/// Between two bytes of what drips.
const DRIP: Duration = Duration::from_secs(2);

/// Between two requests of one that asks without end.
const BUSY: Duration = Duration::from_millis(250);

/// Bytes of a body that is read before the verdict: as many as may be.
const BODY: usize = 1024 * 1024;

/// How a handshake begins: the first bytes of a record that announces more.
const HELLO: [u8; 11] = [0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3];

/// An attempt that has gone on for this long has a place, and keeps it.
const PATIENCE: Duration = Duration::from_secs(90);

/// Who is besieged.
#[derive(Clone)]
pub(super) struct Targets {
    pub(super) proxy: SocketAddr,
    pub(super) checks: SocketAddr,
    /// The same two with TLS.
    pub(super) proxy_tls: SocketAddr,
    pub(super) checks_tls: SocketAddr,
    /// With TLS.
    pub(super) admin: SocketAddr,
}

/// A way to hold what others need.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// Connects, and says nothing.
    Silent,
    SilentAtChecks,
    SilentAtAdmin,
    /// Begins a handshake, and says no more.
    Handshake,
    HandshakeAtChecks,
    HandshakeAtAdmin,
    /// Begins HTTP/2, and asks nothing.
    Begun,
    /// A check of which only a part comes.
    Check,
    /// A header of which a byte comes now and then.
    Header,
    /// Half of a body that is read before the verdict, and then a byte now and
    /// then.
    Body,
    /// All of it but a byte.
    Held,
    /// The same of a body that streams.
    Streamed,
    /// A body that is announced, and does not come.
    Announced,
    /// An answer that it does not read.
    Deaf,
    /// An answer of which it reads a little now and then.
    Slow,
    /// Many denials that it does not read.
    Denials,
    /// Tunnels and event streams through which nothing goes.
    Tunnel,
    Events,
    /// Requests without end.
    Busy,
}

const KINDS: [(Kind, &str); 19] = [
    (Kind::Silent, "silent"),
    (Kind::SilentAtChecks, "silent_at_checks"),
    (Kind::SilentAtAdmin, "silent_at_admin"),
    (Kind::Handshake, "handshake"),
    (Kind::HandshakeAtChecks, "handshake_at_checks"),
    (Kind::HandshakeAtAdmin, "handshake_at_admin"),
    (Kind::Begun, "begun_at_checks"),
    (Kind::Check, "check"),
    (Kind::Header, "header"),
    (Kind::Body, "body"),
    (Kind::Held, "held"),
    (Kind::Streamed, "streamed"),
    (Kind::Announced, "announced"),
    (Kind::Deaf, "deaf"),
    (Kind::Slow, "slow"),
    (Kind::Denials, "denials"),
    (Kind::Tunnel, "tunnel"),
    (Kind::Events, "events"),
    (Kind::Busy, "busy"),
];

pub(super) struct Attackers {
    runtime: tokio::runtime::Runtime,
    stop: watch::Sender<bool>,
    tried: BTreeMap<&'static str, Arc<AtomicU64>>,
}

impl Attackers {
    pub(super) fn start(targets: &Targets) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let (stop, stopped) = watch::channel(false);
        let mut tried = BTreeMap::new();
        for (kind, name) in KINDS {
            let count = Arc::new(AtomicU64::new(0));
            tried.insert(name, count.clone());
            for last in 1..=ADDRESSES {
                for _ in 0..EACH {
                    let from = Ipv4Addr::new(127, 0, 1, last);
                    runtime.spawn(attack(kind, from, targets.clone(), count.clone(), stopped.clone()));
                }
            }
        }
        Ok(Self { runtime, stop, tried })
    }

    /// Ends them, and says how often each kind was tried.
    pub(super) fn stop(self) -> BTreeMap<&'static str, u64> {
        self.stop.send_replace(true);
        self.runtime.shutdown_timeout(Duration::from_secs(2));
        self.tried.iter().map(|(name, count)| (*name, count.load(Ordering::Relaxed))).collect()
    }
}

async fn attack(
    kind: Kind,
    from: Ipv4Addr,
    targets: Targets,
    count: Arc<AtomicU64>,
    mut stopped: watch::Receiver<bool>,
) {
    let again = async {
        sleep(PAUSE * u32::from(from.octets()[3]) / u32::from(ADDRESSES)).await;
        loop {
            count.fetch_add(1, Ordering::Relaxed);
            // However it ends, it is tried again.
            let _ = timeout(PATIENCE, attempt(kind, from, &targets)).await;
            sleep(PAUSE).await;
        }
    };
    tokio::select! {
        () = again => {}
        _ = stopped.changed() => {}
    }
}

async fn attempt(kind: Kind, from: Ipv4Addr, targets: &Targets) -> Result<()> {
    let target = match kind {
        Kind::SilentAtChecks | Kind::Begun | Kind::Check => targets.checks,
        Kind::SilentAtAdmin | Kind::HandshakeAtAdmin => targets.admin,
        Kind::Handshake => targets.proxy_tls,
        Kind::HandshakeAtChecks => targets.checks_tls,
        _ => targets.proxy,
    };
    let mut stream = connect(from, target).await?;
    match kind {
        Kind::Silent | Kind::SilentAtChecks | Kind::SilentAtAdmin => until_closed(&mut stream).await,
        Kind::Header => drip(&mut stream, &get("/", "x-a: ").replace("\r\n\r\n", "")).await,
        Kind::Handshake | Kind::HandshakeAtChecks | Kind::HandshakeAtAdmin => {
            stream.write_all(&HELLO).await?;
            until_closed(&mut stream).await
        }
        Kind::Begun => {
            stream.write_all(&http2_begins()).await?;
            until_closed(&mut stream).await
        }
        Kind::Check => {
            stream.write_all(&[http2_begins(), part_of_a_check()].concat()).await?;
            until_closed(&mut stream).await
        }
        Kind::Body => drip(&mut stream, &upload(BODY / 2)).await,
        Kind::Held => {
            stream.write_all(upload(BODY - 1).as_bytes()).await?;
            until_closed(&mut stream).await
        }
        Kind::Streamed => {
            let head = "POST /up HTTP/1.1\r\nhost: api.example.com\r\ncontent-length: 1000000\r\n\r\na";
            drip(&mut stream, head).await
        }
        Kind::Announced => {
            stream.write_all(upload(0).as_bytes()).await?;
            until_closed(&mut stream).await
        }
        Kind::Deaf => {
            stream.write_all(get("/large", "accept: *").as_bytes()).await?;
            until_reset(&mut stream).await
        }
        Kind::Slow => {
            stream.write_all(get("/large", "accept: *").as_bytes()).await?;
            while stream.read(&mut [0; 64]).await? > 0 {
                sleep(DRIP).await;
            }
            Ok(())
        }
        Kind::Denials => {
            stream.write_all(get("/v1/items", "accept: *").repeat(300).as_bytes()).await?;
            until_reset(&mut stream).await
        }
        Kind::Tunnel => {
            let upgrade = "connection: upgrade\r\nupgrade: websocket";
            stream.write_all(get("/tunnel", upgrade).as_bytes()).await?;
            until_closed(&mut stream).await
        }
        Kind::Events => {
            stream.write_all(get("/events", "accept: text/event-stream").as_bytes()).await?;
            until_closed(&mut stream).await
        }
        Kind::Busy => loop {
            stream.write_all(get("/v1/items", "accept: *").as_bytes()).await?;
            anyhow::ensure!(stream.read(&mut [0; 4_096]).await? > 0, "closed");
            sleep(BUSY).await;
        },
    }
}

async fn connect(from: Ipv4Addr, to: SocketAddr) -> Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(4_096)?;
    socket.bind((from, 0).into())?;
    timeout(Duration::from_secs(5), socket.connect(to)).await?.context("it takes no connections")
}

fn get(path: &str, field: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: api.example.com\r\n{field}\r\n\r\n")
}

/// A signed body, as far as it has come.
fn upload(bytes: usize) -> String {
    format!(
        "POST /webhooks/github HTTP/1.1\r\nhost: hooks.example.com\r\nx-hub-signature-256: sha256={:064}\r\n\
         content-length: {BODY}\r\n\r\n{}",
        0,
        "a".repeat(bytes)
    )
}

/// The preface, and no settings.
pub(super) fn http2_begins() -> Vec<u8> {
    [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &[0, 0, 0, 4, 0, 0, 0, 0, 0][..]].concat()
}

/// The header of a call, and of its message as much as fits into the first
/// window, of 16 MiB that it announces.
fn part_of_a_check() -> Vec<u8> {
    let text = |text: &str| [&[u8::try_from(text.len()).unwrap_or_default()], text.as_bytes()].concat();
    // By RFC 7541: `:method: POST`, `:scheme: http`, and names of the static table
    // with values that are not kept.
    let header = [
        vec![0x83, 0x86, 0x04],
        text("/envoy.service.auth.v3.Authorization/Check"),
        vec![0x01],
        text("gate"),
        vec![0x0f, 0x10],
        text("application/grpc"),
        vec![0x00],
        text("te"),
        text("trailers"),
    ]
    .concat();
    let frame = |kind: u8, flags: u8, payload: &[u8]| {
        let length = u32::try_from(payload.len()).unwrap_or_default().to_be_bytes();
        [&length[1..], &[kind, flags, 0, 0, 0, 1], payload].concat()
    };
    let mut sent = frame(1, 4, &header);
    sent.extend(frame(0, 0, &[0, 1, 0, 0, 0]));
    for _ in 0..3 {
        sent.extend(frame(0, 0, &[0; 16 * 1024]));
    }
    sent
}

async fn drip(stream: &mut TcpStream, first: &str) -> Result<()> {
    stream.write_all(first.as_bytes()).await?;
    loop {
        stream.write_all(b"a").await?;
        sleep(DRIP).await;
    }
}

async fn until_closed(stream: &mut TcpStream) -> Result<()> {
    while stream.read(&mut [0; 4_096]).await? > 0 {}
    Ok(())
}

/// Reads nothing.
async fn until_reset(stream: &mut TcpStream) -> Result<()> {
    loop {
        sleep(DRIP).await;
        stream.write_all(b"G").await?;
    }
}
