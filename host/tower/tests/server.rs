//! The server, past the connections that it has places for.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use barmkin_tower::TurnedAway;
use barmkin_tower::server::{Bounds, Place, TURNED_AWAY_MAX, TURNED_AWAY_WITHIN, serve};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use std::convert::Infallible;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tower::service_fn;

const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: app\r\n\r\n";

/// A server with one place, which somebody has.
struct Crowded {
    address: SocketAddr,
    holder: TcpStream,
    stop: oneshot::Sender<()>,
    server: JoinHandle<()>,
}

impl Crowded {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let service = service_fn(async |request: Request<Incoming>| {
            let extensions = request.extensions();
            assert!(extensions.get::<SocketAddr>().is_some());
            let answer = match (extensions.get::<Place>().is_some(), extensions.get::<TurnedAway>().is_some()) {
                (true, false) => "served",
                (false, true) => "turned away",
                both => panic!("{both:?}"),
            };
            Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(answer.as_bytes()))))
        });
        let (stop, stopped) = oneshot::channel();
        let bounds = Bounds { connections_max: 1, ..Bounds::default() };
        let server = tokio::spawn(serve(listener, service, bounds, async { drop(stopped.await) }));
        let mut holder = TcpStream::connect(address).await.unwrap();
        assert_eq!(ask(&mut holder).await, "served");
        Self { address, holder, stop, server }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }
}

/// Asks, and reads one answer, of a connection that stays open or does not.
async fn ask(stream: &mut TcpStream) -> String {
    stream.write_all(GET).await.unwrap();
    read_answer(stream).await
}

async fn read_answer(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    loop {
        answer.push(stream.read_u8().await.unwrap());
        for body in ["served", "turned away"] {
            if answer.ends_with(format!("\r\n\r\n{body}").as_bytes()) {
                return body.to_owned();
            }
        }
    }
}

/// Whether it is closed without another byte.
async fn is_closed(stream: &mut TcpStream) -> bool {
    stream.read(&mut [0]).await.is_ok_and(|read| read == 0)
}

#[tokio::test]
async fn who_has_no_place_is_answered_once_and_closed() {
    let mut full = Crowded::start().await;
    let mut further = full.connect().await;
    // The second request is not read.
    further.write_all(&[GET, GET].concat()).await.unwrap();
    assert_eq!(read_answer(&mut further).await, "turned away");
    assert!(is_closed(&mut further).await);
    assert_eq!(ask(&mut full.holder).await, "served", "who has a place keeps it");
}

#[tokio::test]
async fn an_answer_reaches_who_is_still_sending() {
    let full = Crowded::start().await;
    let mut further = full.connect().await;
    further.write_all(b"POST / HTTP/1.1\r\nhost: app\r\ncontent-length: 500000\r\n\r\n").await.unwrap();
    // A client that reads when it has sent everything fails here if the
    // connection is reset.
    for _ in 0..100 {
        further.write_all(&[0; 5_000]).await.unwrap();
        tokio::task::yield_now().await;
    }
    assert_eq!(read_answer(&mut further).await, "turned away");
    assert!(is_closed(&mut further).await);
}

#[tokio::test]
async fn not_many_are_answered_at_once() {
    let full = Crowded::start().await;
    let mut told = Vec::new();
    for _ in 0..TURNED_AWAY_MAX {
        told.push(full.connect().await);
    }
    let mut further = full.connect().await;
    assert!(is_closed(&mut further).await);
    for stream in &mut told {
        assert_eq!(ask(stream).await, "turned away");
    }
    drop(told);
    // Soon there is room for answers again.
    loop {
        let mut further = full.connect().await;
        further.write_all(GET).await.unwrap();
        let mut answer = String::new();
        if further.read_to_string(&mut answer).await.is_ok() && answer.ends_with("turned away") {
            break;
        }
    }
}

/// Time passes here when there is nothing else to do.
#[tokio::test(start_paused = true)]
async fn who_has_no_place_and_says_nothing_is_cut_off() {
    let full = Crowded::start().await;
    let mut silent = full.connect().await;
    let began = tokio::time::Instant::now();
    assert!(is_closed(&mut silent).await);
    assert!(began.elapsed() <= 2 * TURNED_AWAY_WITHIN, "{:?}", began.elapsed());
}

#[tokio::test]
async fn stopping_does_not_wait_for_them() {
    let full = Crowded::start().await;
    let mut silent = full.connect().await;
    let mut told = full.connect().await;
    // The one before it was accepted, too.
    assert_eq!(ask(&mut told).await, "turned away");
    let Crowded { stop, server, holder, .. } = full;
    drop(holder);
    stop.send(()).unwrap();
    let began = tokio::time::Instant::now();
    server.await.unwrap();
    assert!(began.elapsed() < TURNED_AWAY_WITHIN);
    assert!(is_closed(&mut silent).await);
}
