//! A proxy between raw clients and a raw upstream.

use crate::gate::{self, sign};
pub(crate) use barmkin_reverse_proxy::Options;
use barmkin_reverse_proxy::serve;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// A proxy, and an upstream that says what it received and answers as told.
pub(crate) struct Setup {
    pub(crate) address: SocketAddr,
    pub(crate) received: mpsc::UnboundedReceiver<String>,
    pub(crate) stop: oneshot::Sender<()>,
    pub(crate) proxy: JoinHandle<()>,
}

/// The conduct of the upstream on a connection, after the head of a request.
#[derive(Clone, Copy)]
pub(crate) enum Upstream {
    /// Reads the body, answers, closes.
    Answers(&'static str),
    /// Answers nothing, and waits.
    Silent,
    /// Answers 101 and sends everything back.
    Switches(&'static str),
}

pub(crate) const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";
pub(crate) const FAILS: &str = "HTTP/1.1 500 Failed\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

impl Setup {
    pub(crate) async fn new(upstream: Upstream) -> Self {
        Self::with(upstream, |_| {}).await
    }

    pub(crate) async fn with(upstream: Upstream, adjust: impl FnOnce(&mut Options)) -> Self {
        let behind = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut options = Options::new(format!("http://{}", behind.local_addr().unwrap()).parse().unwrap());
        adjust(&mut options);
        let (sender, received) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            loop {
                let (stream, _) = behind.accept().await.unwrap();
                tokio::spawn(serve_one(stream, upstream, sender.clone()));
            }
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let stopped = async { drop(stopped.await) };
        let proxy = tokio::spawn(serve(listener, gate::gate(), options, stopped));
        Self { address, received, stop, proxy }
    }

    /// Sends `request` as it is, and reads the answer to the end.
    pub(crate) async fn send(&self, request: impl AsRef<[u8]>) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_ref()).await.unwrap();
        let mut answer = Vec::new();
        // A reset after the answer is how an unread body ends.
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8(answer).unwrap()
    }

    pub(crate) fn nothing_received(&mut self) -> bool {
        self.received.try_recv().is_err()
    }
}

async fn serve_one(mut stream: TcpStream, upstream: Upstream, received: mpsc::UnboundedSender<String>) {
    let mut request = Vec::new();
    let whole = |request: &[u8]| {
        let text = String::from_utf8_lossy(request);
        let (head, body) = text.split_once("\r\n\r\n")?;
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let chunked = head.contains("transfer-encoding: chunked");
        let ended = if chunked {
            body.ends_with("0\r\n\r\n")
        } else {
            body.len() >= length.map_or(0, |length| length.parse().unwrap())
        };
        ended.then(|| text.to_string())
    };
    let text = loop {
        if let Some(text) = whole(&request) {
            break text;
        }
        if stream.read_buf(&mut request).await.unwrap() == 0 {
            return;
        }
    };
    received.send(text).unwrap();
    match upstream {
        Upstream::Answers(answer) => stream.write_all(answer.as_bytes()).await.unwrap(),
        Upstream::Silent => drop(stream.read_buf(&mut request).await),
        Upstream::Switches(answer) => {
            stream.write_all(answer.as_bytes()).await.unwrap();
            let (mut read, mut write) = stream.split();
            tokio::io::copy(&mut read, &mut write).await.unwrap();
        }
    }
}

pub(crate) fn delivery(path: &str, body: &str) -> String {
    let signature = sign(body.as_bytes());
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: app\r\nconnection: close\r\nx-hub-signature-256: {signature}\r\n\
         content-length: {length}\r\n\r\n{body}"
    )
}

pub(crate) fn reason(answer: &str) -> Option<&str> {
    answer.lines().find_map(|line| line.strip_prefix("barmkin-reason: "))
}
