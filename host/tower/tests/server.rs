//! The server, past the connections that it has places for.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use barmkin_tls::Socket;
use barmkin_tower::TurnedAway;
use barmkin_tower::server::{Bounds, Place, TURNED_AWAY_MAX, TURNED_AWAY_WITHIN, serve};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixListener, UnixStream};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;
use tower::service_fn;

const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: app\r\n\r\n";

/// Its answer does not come.
const GET_FOREVER: &[u8] = b"GET /forever HTTP/1.1\r\nhost: app\r\n\r\n";

/// Bytes of an answer that no socket's buffers take.
const LARGE: usize = 16 * 1024 * 1024;

/// Requests for `/count`.
static COUNTED: AtomicUsize = AtomicUsize::new(0);

struct Server {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    server: JoinHandle<()>,
    /// Told of each request for [`GET_FOREVER`].
    asked: Arc<Notify>,
}

impl Server {
    async fn start(bounds: Bounds) -> Self {
        Self::with(bounds, |_| {}).await
    }

    async fn with(bounds: Bounds, adjust: impl FnOnce(&mut Socket)) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut socket = Socket::from(listener);
        adjust(&mut socket);
        let asked = Arc::new(Notify::new());
        let of_service = asked.clone();
        let service = service_fn(move |request: Request<Incoming>| answer(request, of_service.clone()));
        let (stop, stopped) = oneshot::channel();
        let server = tokio::spawn(serve(socket, service, bounds, async { drop(stopped.await) }));
        Self { address, stop, server, asked }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// From another address of this machine.
    async fn connect_from(&self, last: u8) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from(([127, 0, 0, last], 0))).unwrap();
        socket.connect(self.address).await.unwrap()
    }

    /// A connection with a request under way.
    async fn hold(&self, mut stream: TcpStream) -> TcpStream {
        stream.write_all(GET_FOREVER).await.unwrap();
        self.asked.notified().await;
        stream
    }
}

async fn answer(request: Request<Incoming>, asked: Arc<Notify>) -> Result<Response<Full<Bytes>>, Infallible> {
    let extensions = request.extensions();
    let peer = extensions.get::<SocketAddr>().unwrap().ip();
    let answer = match (extensions.get::<Place>(), extensions.get::<TurnedAway>()) {
        (None, Some(_)) => "turned away".to_owned(),
        (Some(place), None) => match request.uri().path() {
            "/forever" => {
                asked.notify_one();
                std::future::pending().await
            }
            "/stay" if place.outlive() => {
                asked.notify_one();
                std::future::pending().await
            }
            "/stay" => "no place".to_owned(),
            "/large" => "a".repeat(LARGE),
            "/count" => {
                COUNTED.fetch_add(1, Ordering::Relaxed);
                "served".to_owned()
            }
            "/medium" => "a".repeat(LARGE / 256),
            "/outlive" => if place.outlive() { "served" } else { "no place" }.to_owned(),
            "/peer" => format!("{peer} served"),
            _ => "served".to_owned(),
        },
        both => panic!("{both:?}"),
    };
    Ok(Response::new(Full::from(answer)))
}

/// A server with one place, which somebody has.
struct Crowded {
    server: Server,
    holder: TcpStream,
}

impl Crowded {
    async fn start() -> Self {
        let server = Server::start(Bounds { connections_max: 1, ..Bounds::default() }).await;
        let holder = server.hold(server.connect().await).await;
        Self { server, holder }
    }

    async fn connect(&self) -> TcpStream {
        self.server.connect().await
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
        for body in ["served", "turned away", "no place"] {
            if answer.ends_with(body.as_bytes()) {
                let answer = String::from_utf8(answer).unwrap();
                return answer.split_once("\r\n\r\n").unwrap().1.to_owned();
            }
        }
    }
}

/// Whether it is closed without another byte.
async fn is_closed(stream: &mut TcpStream) -> bool {
    !matches!(stream.read(&mut [0]).await, Ok(1))
}

/// How many of `streams` are closed within a moment.
async fn closed(streams: &mut [TcpStream]) -> usize {
    let mut closed = 0;
    for stream in streams {
        let ended = tokio::time::timeout(Duration::from_millis(20), is_closed(stream)).await;
        closed += usize::from(ended == Ok(true));
    }
    closed
}

#[tokio::test]
async fn who_has_no_place_is_answered_once_and_closed() {
    let mut full = Crowded::start().await;
    let mut further = full.connect().await;
    // The second request is not read.
    further.write_all(&[GET, GET].concat()).await.unwrap();
    assert_eq!(read_answer(&mut further).await, "turned away");
    assert!(is_closed(&mut further).await);
    assert_eq!(closed(std::slice::from_mut(&mut full.holder)).await, 0, "who has a place keeps it");
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
    let Crowded { server: Server { stop, server, .. }, holder } = full;
    drop(holder);
    stop.send(()).unwrap();
    let began = tokio::time::Instant::now();
    server.await.unwrap();
    assert!(began.elapsed() < TURNED_AWAY_WITHIN);
    assert!(is_closed(&mut silent).await);
}

#[tokio::test]
async fn a_connection_at_rest_gives_way() {
    let server = Server::start(Bounds { connections_max: 1, ..Bounds::default() }).await;
    let mut rests = server.connect().await;
    assert_eq!(ask(&mut rests).await, "served");
    let mut further = server.connect().await;
    assert_eq!(ask(&mut further).await, "served");
    assert!(is_closed(&mut rests).await);
}

#[tokio::test]
async fn who_holds_all_places_makes_room_for_others() {
    let server = Server::start(Bounds { connections_max: 16, ..Bounds::default() }).await;
    // Silent, in a header, in a body, and waiting.
    let mut heavy = Vec::new();
    for begun in [&b""[..], b"GET / HT", b"POST /forever HTTP/1.1\r\nhost: app\r\ncontent-length: 9\r\n\r\na"] {
        for _ in 0..4 {
            let mut stream = server.connect_from(2).await;
            stream.write_all(begun).await.unwrap();
            heavy.push(stream);
        }
    }
    for _ in 0..4 {
        heavy.push(server.hold(server.connect_from(2).await).await);
    }
    for other in 3..7 {
        assert_eq!(ask(&mut server.connect_from(other).await).await, "served");
    }
    // Connections of the others that have gone leave their places.
    let given_up = closed(&mut heavy).await;
    assert!((1..=4).contains(&given_up), "{given_up}");
    // Not for one more of its own.
    let mut more = Vec::new();
    while more.len() < given_up {
        more.push(server.hold(server.connect_from(2).await).await);
    }
    assert_eq!(ask(&mut server.connect_from(2).await).await, "turned away");
}

#[tokio::test]
async fn a_header_that_drips_is_cut_off() {
    let bounds = Bounds { header_read: Duration::from_millis(100), ..Bounds::default() };
    let server = Server::start(bounds).await;
    // The first of a connection, and one after another.
    for before in [0, 1] {
        let mut drips = server.connect().await;
        for _ in 0..before {
            assert_eq!(ask(&mut drips).await, "served");
        }
        let began = tokio::time::Instant::now();
        let mut sent = 0;
        while drips.write_all(b"G").await.is_ok() && began.elapsed() < Duration::from_secs(10) {
            sent += 1;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert!(began.elapsed() < Duration::from_secs(5), "{sent}");
    }
}

#[tokio::test]
async fn a_connection_rests_longer_than_a_header_may_take() {
    let (header_read, idle) = (Duration::from_millis(50), Duration::from_millis(400));
    let server = Server::start(Bounds { header_read, idle, ..Bounds::default() }).await;
    let mut rests = server.connect().await;
    assert_eq!(ask(&mut rests).await, "served");
    let began = tokio::time::Instant::now();
    tokio::time::sleep(3 * header_read).await;
    assert_eq!(ask(&mut rests).await, "served");
    assert!(is_closed(&mut rests).await);
    assert!(began.elapsed() >= idle, "{:?}", began.elapsed());
}

#[tokio::test]
async fn answers_that_nobody_reads_are_given_up() {
    let server = Server::start(Bounds { stall: Duration::from_millis(100), ..Bounds::default() }).await;
    // A large one, and many that are not.
    for (path, times) in [("large", 1), ("medium", 1_000)] {
        let requests = format!("GET /{path} HTTP/1.1\r\nhost: app\r\n\r\n").repeat(times);
        let mut deaf = server.connect().await;
        let sent = tokio::time::timeout(Duration::from_secs(10), async {
            // A part of them is never taken.
            let _ = deaf.write_all(requests.as_bytes()).await;
            // It ends without being read from.
            while deaf.write_all(b"G").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
        sent.await.unwrap();
    }
}

#[tokio::test]
async fn what_outlives_its_requests_has_places_of_its_own() {
    let bounds = Bounds { connections_max: 1, tunnels_max: 1, ..Bounds::default() };
    let server = Server::start(bounds).await;
    let outlive = |mut stream: TcpStream| async move {
        stream.write_all(b"GET /outlive HTTP/1.1\r\nhost: app\r\n\r\n").await.unwrap();
        (read_answer(&mut stream).await, is_closed(&mut stream).await)
    };
    // It ends with its request, or else it would have no place at all.
    assert_eq!(outlive(server.connect().await).await, ("served".to_owned(), true));
    assert_eq!(outlive(server.connect().await).await, ("served".to_owned(), true));
}

#[tokio::test]
async fn a_tunnel_that_is_in_use_does_not_give_way_to_one_that_holds_as_much() {
    let server = Server::start(Bounds { tunnels_max: 1, ..Bounds::default() }).await;
    let stay = b"GET /stay HTTP/1.1\r\nhost: app\r\n\r\n";
    let mut first = server.connect_from(2).await;
    first.write_all(stay).await.unwrap();
    server.asked.notified().await;
    let mut further = server.connect_from(3).await;
    further.write_all(stay).await.unwrap();
    assert_eq!(read_answer(&mut further).await, "no place");
    assert_eq!(closed(std::slice::from_mut(&mut first)).await, 0);
}

#[tokio::test]
async fn many_requests_in_one_packet_keep_nobody_waiting() {
    let server = Server::start(Bounds::default()).await;
    let (mut many, mut one) = (server.connect_from(2).await, server.connect_from(3).await);
    for stream in [&mut many, &mut one] {
        assert_eq!(ask(stream).await, "served");
    }
    let counted = b"GET /count HTTP/1.1\r\nhost: app\r\n\r\n";
    let before = COUNTED.load(Ordering::Relaxed);
    many.write_all(&counted.repeat(100)).await.unwrap();
    one.write_all(GET).await.unwrap();
    assert_eq!(read_answer(&mut one).await, "served");
    let answered = COUNTED.load(Ordering::Relaxed) - before;
    assert!(answered < 8, "{answered} of the others were answered first");
    for _ in 0..100 {
        assert_eq!(read_answer(&mut many).await, "served");
    }
}

/// More than may be leaving at a time.
#[tokio::test]
async fn those_who_arrive_at_once_wait_for_those_who_leave() {
    let server = Server::start(Bounds { connections_max: 8, ..Bounds::default() }).await;
    let mut heavy = Vec::new();
    for _ in 0..8 {
        heavy.push(server.connect_from(2).await);
    }
    let mut arrived = Vec::new();
    for other in 3..7 {
        arrived.push(server.connect_from(other).await);
    }
    for stream in &mut arrived {
        assert_eq!(ask(stream).await, "served");
    }
}

#[tokio::test]
async fn a_balancer_says_where_a_connection_comes_from() {
    let balancer = "127.0.0.9".parse::<std::net::IpAddr>().unwrap();
    let bounds = Bounds { connections_max: 2, ..Bounds::default() };
    let server = Server::with(bounds, |socket| {
        socket.opening.balancers = [balancer.into()].into();
    })
    .await;
    let from = |address: &str| format!("PROXY TCP4 {address} 198.51.100.1 4711 443\r\n");
    let mut stream = server.connect_from(9).await;
    stream.write_all(format!("{}GET /peer HTTP/1.1\r\nhost: app\r\n\r\n", from("192.0.2.7")).as_bytes()).await.unwrap();
    assert_eq!(read_answer(&mut stream).await, "192.0.2.7 served");
    drop(stream);
    // Nobody else may say so, nor connect at all.
    let mut other = server.connect_from(8).await;
    let _ = other.write_all(format!("{}GET / HTTP/1.1\r\nhost: app\r\n\r\n", from("192.0.2.7")).as_bytes()).await;
    assert!(is_closed(&mut other).await);
    // Whom it names is who has a share, and not the balancer.
    let mut heavy = Vec::new();
    for _ in 0..2 {
        let mut stream = server.connect_from(9).await;
        stream.write_all(from("192.0.2.7").as_bytes()).await.unwrap();
        heavy.push(server.hold(stream).await);
    }
    let mut modest = server.connect_from(9).await;
    modest.write_all(from("192.0.2.8").as_bytes()).await.unwrap();
    assert_eq!(ask(&mut modest).await, "served");
    assert_eq!(closed(&mut heavy).await, 1);
}

/// A server at a Unix socket, and a way to connect to it.
fn by_socket(
    bounds: Bounds,
    adjust: impl FnOnce(&mut Socket),
) -> (tempfile::TempDir, impl AsyncFn() -> UnixStream, Arc<Notify>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gate.sock");
    let mut socket = Socket::from(UnixListener::bind(&path).unwrap());
    adjust(&mut socket);
    let asked = Arc::new(Notify::new());
    let of_service = asked.clone();
    let service = service_fn(move |request: Request<Incoming>| answer(request, of_service.clone()));
    tokio::spawn(serve(socket, service, bounds, std::future::pending()));
    (folder, async move || UnixStream::connect(&path).await.unwrap(), asked)
}

/// The answer to `request` on a connection of its own.
async fn asked_once(mut stream: UnixStream, request: &str) -> String {
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer).await;
    answer.rsplit("\r\n").next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn all_who_come_by_a_unix_socket_are_this_machine() {
    let bounds = Bounds { connections_max: 2, ..Bounds::default() };
    let (_folder, connect, asked) = by_socket(bounds, |_| {});
    let last = "host: app\r\nconnection: close\r\n\r\n";
    let peer = asked_once(connect().await, &format!("GET /peer HTTP/1.1\r\n{last}")).await;
    assert_eq!(peer, "127.0.0.1 served");
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut stream = connect().await;
        stream.write_all(GET_FOREVER).await.unwrap();
        asked.notified().await;
        held.push(stream);
    }
    // One client, which has all places, and takes none from itself.
    assert_eq!(asked_once(connect().await, &format!("GET / HTTP/1.1\r\n{last}")).await, "turned away");
}

#[tokio::test]
async fn a_balancer_at_a_unix_socket_says_where_a_connection_comes_from() {
    let bounds = Bounds { connections_max: 2, ..Bounds::default() };
    let (_folder, connect, asked) = by_socket(bounds, |socket| {
        socket.opening.balancers = [barmkin_tls::THIS_MACHINE.ip().into()].into();
    });
    let from = |address: &str| format!("PROXY TCP4 {address} 198.51.100.1 4711 443\r\n");
    let last = "host: app\r\nconnection: close\r\n\r\n";
    let peer = asked_once(connect().await, &format!("{}GET /peer HTTP/1.1\r\n{last}", from("192.0.2.7"))).await;
    assert_eq!(peer, "192.0.2.7 served");
    let mut heavy = Vec::new();
    for _ in 0..2 {
        let mut stream = connect().await;
        stream.write_all(from("192.0.2.7").as_bytes()).await.unwrap();
        stream.write_all(GET_FOREVER).await.unwrap();
        asked.notified().await;
        heavy.push(stream);
    }
    let modest = asked_once(connect().await, &format!("{}GET / HTTP/1.1\r\n{last}", from("192.0.2.8"))).await;
    assert_eq!(modest, "served");
}

#[tokio::test]
async fn a_balancer_that_says_nothing_is_cut_off() {
    let server = Server::with(Bounds::default(), |socket| {
        socket.opening.balancers = ["127.0.0.1/32".parse().unwrap()].into();
        socket.opening.within = Duration::from_millis(100);
    })
    .await;
    let mut silent = server.connect().await;
    silent.write_all(b"PROXY TCP4 192").await.unwrap();
    assert!(is_closed(&mut silent).await);
}
