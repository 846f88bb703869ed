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

/// Before what was cut off is tried again.
const PAUSE: Duration = Duration::from_millis(500);

/// Between two bytes of what drips.
const DRIP: Duration = Duration::from_millis(500);

/// An attempt that has gone on for so long has a place, and keeps it.
const PATIENCE: Duration = Duration::from_secs(90);

/// Who is besieged.
#[derive(Clone)]
pub(super) struct Targets {
    pub(super) proxy: SocketAddr,
    pub(super) checks: SocketAddr,
    pub(super) admin: SocketAddr,
}

/// A way to hold what others need.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// Connects, and says nothing.
    Silent,
    SilentAtChecks,
    SilentAtAdmin,
    /// A header of which a byte comes now and then.
    Header,
    /// Half of a body that is read before the verdict, and then a byte now and
    /// then.
    Body,
    /// The same of a body that streams.
    Streamed,
    /// A body that is announced, and does not come.
    Announced,
    /// An answer that it does not read.
    Deaf,
    /// Many denials that it does not read.
    Denials,
    /// Tunnels and event streams through which nothing goes.
    Tunnel,
    Events,
    /// Requests without end.
    Busy,
}

const KINDS: [(Kind, &str); 12] = [
    (Kind::Silent, "silent"),
    (Kind::SilentAtChecks, "silent_at_checks"),
    (Kind::SilentAtAdmin, "silent_at_admin"),
    (Kind::Header, "header"),
    (Kind::Body, "body"),
    (Kind::Streamed, "streamed"),
    (Kind::Announced, "announced"),
    (Kind::Deaf, "deaf"),
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
        Kind::SilentAtChecks => targets.checks,
        Kind::SilentAtAdmin => targets.admin,
        _ => targets.proxy,
    };
    let mut stream = connect(from, target).await?;
    match kind {
        Kind::Silent | Kind::SilentAtChecks | Kind::SilentAtAdmin => until_closed(&mut stream).await,
        Kind::Header => drip(&mut stream, &get("/", "x-a: ").replace("\r\n\r\n", "")).await,
        Kind::Body => {
            let head = format!(
                "POST /webhooks/github HTTP/1.1\r\nhost: hooks.example.com\r\nx-hub-signature-256: sha256={:064}\r\n\
                 content-length: 1000000\r\n\r\n{}",
                0,
                "a".repeat(500_000)
            );
            drip(&mut stream, &head).await
        }
        Kind::Streamed => {
            let head = "POST /up HTTP/1.1\r\nhost: api.example.com\r\ncontent-length: 1000000\r\n\r\na";
            drip(&mut stream, head).await
        }
        Kind::Announced => {
            let head = "POST /webhooks/github HTTP/1.1\r\nhost: hooks.example.com\r\ncontent-length: 1000000\r\n\r\n";
            stream.write_all(head.as_bytes()).await?;
            until_closed(&mut stream).await
        }
        Kind::Deaf => {
            stream.write_all(get("/large", "accept: *").as_bytes()).await?;
            until_reset(&mut stream).await
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
            sleep(DRIP / 2).await;
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
