//! The client that behaves: small signed deliveries over connections that it
//! keeps and over new ones, and now and then a question at every other listener.

use super::attackers::{Targets, http2_begins};
use crate::harness::{Request, github_signature};
use crate::rules::GITHUB_SECRET;
use anyhow::{Context, Result, ensure};
use barmkin_envoy::Probe;
use barmkin_tls::ClientTls;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Between two deliveries.
const PACE: Duration = Duration::from_millis(10);

/// Longer than that is no answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// One delivery of this many goes by a new connection, and the other listeners
/// are asked as often.
const NEW_EVERY: u64 = 10;

/// Connections that it keeps.
const KEPT: usize = 2;

pub(super) struct Behaved {
    pub(super) targets: Targets,
    pub(super) forward: SocketAddr,
    /// Has the certificate of an operator.
    pub(super) tls: ClientTls,
}

#[derive(Default)]
pub(super) struct Watched {
    pub(super) took: Vec<Duration>,
    pub(super) failures: Vec<String>,
    /// The most that the gate held.
    pub(super) resident_kib: u64,
}

impl Behaved {
    /// Waits until the gate listens everywhere.
    pub(super) fn until_served(&self, within: Duration) -> Result<()> {
        let began = now();
        let Targets { proxy, checks, proxy_tls, checks_tls, admin } = self.targets;
        for address in [proxy, checks, proxy_tls, checks_tls, admin] {
            while TcpStream::connect(address).is_err() {
                ensure!(began.elapsed() < within, "nobody listens at {address}");
                std::thread::sleep(PACE);
            }
        }
        Ok(())
    }

    pub(super) fn watch(&self, span: Duration, resident_kib: impl Fn() -> Result<u64>) -> Result<Watched> {
        static SERIAL: AtomicU64 = AtomicU64::new(0);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let mut watched = Watched::default();
        let mut kept = (0..KEPT).map(|_| connect(self.targets.proxy)).collect::<Result<Vec<_>>>()?;
        let began = now();
        while began.elapsed() < span {
            let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
            let body = format!("delivery {serial}");
            let is_new = serial.is_multiple_of(NEW_EVERY);
            let sent = now();
            let answered = if is_new {
                connect(self.targets.proxy).and_then(|mut stream| deliver(&mut stream, &body))
            } else {
                deliver(&mut kept[serial as usize % KEPT], &body)
            };
            watched.took.push(sent.elapsed());
            if let Err(error) = answered {
                watched.failures.push(format!("{body} ({}): {error:#}", if is_new { "new" } else { "kept" }));
                kept = (0..KEPT).map(|_| connect(self.targets.proxy)).collect::<Result<_>>()?;
            }
            if is_new {
                watched.resident_kib = watched.resident_kib.max(resident_kib()?);
                let Targets { checks, proxy_tls, checks_tls, admin, .. } = self.targets;
                let get = |path| format!("GET {path} HTTP/1.1\r\nhost: api.example.com\r\n\r\n").into_bytes();
                for (name, asked) in [
                    ("forward-auth", self.ask_forward()),
                    ("ext-authz", runtime.block_on(ask_checks(checks))),
                    ("proxy over TLS", runtime.block_on(self.ask(proxy_tls, &get("/"), b"HTTP/1.1 200"))),
                    ("admin over TLS", runtime.block_on(self.ask(admin, &get("/healthz"), b"HTTP/1.1 200"))),
                    // Its settings are its answer.
                    ("ext-authz over TLS", runtime.block_on(self.ask(checks_tls, &http2_begins(), &[0, 0]))),
                ] {
                    if let Err(error) = asked {
                        watched.failures.push(format!("{name}: {error:#}"));
                    }
                }
            }
            std::thread::sleep(PACE);
        }
        watched.failures.truncate(8);
        Ok(watched)
    }

    fn ask_forward(&self) -> Result<()> {
        let asked = Request::new("GET", "/", "gate")
            .with("x-forwarded-method", "GET")
            .with("x-forwarded-uri", "/")
            .with("x-forwarded-host", "api.example.com")
            .with("x-forwarded-proto", "https");
        let answer = asked.send(self.forward)?;
        ensure!(answer.status == 200, "it was answered {}", answer.status);
        Ok(())
    }

    /// Over TLS: the answer must begin with `expected`.
    async fn ask(&self, address: SocketAddr, request: &[u8], expected: &[u8]) -> Result<()> {
        let asked = async {
            let mut stream = self.tls.connect("localhost", tokio::net::TcpStream::connect(address).await?).await?;
            stream.write_all(request).await?;
            let mut answer = vec![0; expected.len()];
            stream.read_exact(&mut answer).await?;
            ensure!(answer == expected, "it was answered `{}`", String::from_utf8_lossy(&answer));
            Ok(())
        };
        tokio::time::timeout(PATIENCE, asked).await.context("it was not answered in time")?
    }
}

async fn ask_checks(address: SocketAddr) -> Result<()> {
    let asked = async { Probe::connect(address).await?.get("/", &[]).await };
    tokio::time::timeout(PATIENCE, asked).await.context("it was not answered in time")??;
    Ok(())
}

fn connect(address: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Sends a delivery, and reads the answer to its end.
fn deliver(stream: &mut TcpStream, body: &str) -> Result<()> {
    let signature = github_signature(GITHUB_SECRET, body.as_bytes());
    let request = format!(
        "POST /webhooks/github HTTP/1.1\r\nhost: hooks.example.com\r\nx-hub-signature-256: {signature}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes())?;
    let expected = format!("{} bytes\n", body.len());
    let mut answer = Vec::new();
    while !answer.ends_with(expected.as_bytes()) {
        let mut part = [0; 1_024];
        let read = stream.read(&mut part)?;
        ensure!(read > 0, "the connection was closed after `{}`", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(part.get(..read).unwrap_or_default());
        let refused = answer.len() > 12 && !answer.starts_with(b"HTTP/1.1 200");
        ensure!(!refused, "it was answered `{}`", String::from_utf8_lossy(&answer));
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "what it measures")]
fn now() -> Instant {
    Instant::now()
}
