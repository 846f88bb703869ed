//! The proxy between raw clients and a raw upstream.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

#[path = "../../tower/tests/gate/mod.rs"]
mod gate;

use barmkin_reverse_proxy::{Options, serve};
use gate::{BODY_BYTES_MAX, sign};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// A proxy, and an upstream that says what it received and answers as told.
struct Setup {
    address: SocketAddr,
    received: mpsc::UnboundedReceiver<String>,
    stop: oneshot::Sender<()>,
    proxy: JoinHandle<()>,
}

/// What the upstream does with a connection, after the head of a request.
#[derive(Clone, Copy)]
enum Upstream {
    /// Reads the body, answers, closes.
    Answers(&'static str),
    /// Answers nothing, and waits.
    Silent,
    /// Answers 101 and sends everything back.
    Switches(&'static str),
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";
const FAILS: &str = "HTTP/1.1 500 Failed\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

impl Setup {
    async fn new(upstream: Upstream) -> Self {
        Self::with(upstream, |_| {}).await
    }

    async fn with(upstream: Upstream, adjust: impl FnOnce(&mut Options)) -> Self {
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
    async fn send(&self, request: impl AsRef<[u8]>) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_ref()).await.unwrap();
        let mut answer = Vec::new();
        // A reset after the answer is how an unread body ends.
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8(answer).unwrap()
    }

    fn nothing_received(&mut self) -> bool {
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

fn delivery(path: &str, body: &str) -> String {
    let signature = sign(body.as_bytes());
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: app\r\nconnection: close\r\nx-hub-signature-256: {signature}\r\n\
         content-length: {length}\r\n\r\n{body}"
    )
}

fn reason(answer: &str) -> Option<&str> {
    answer.lines().find_map(|line| line.strip_prefix("barmkin-reason: "))
}

#[tokio::test]
async fn an_allowed_request_arrives_byte_for_byte() {
    let mut setup = Setup::new(Upstream::Answers(OK)).await;
    let forged = delivery("/github/%41?a=%zz&&b", "body").replace(
        "host: app\r\nconnection: close\r\n",
        "host: app\r\nconnection: close, x-dropped\r\nx-dropped: 1\r\nx-gate-principal: admin\r\n\
         x-forwarded-for: 6.6.6.6\r\nx-forwarded-proto: https\r\n",
    );
    assert!(setup.send(forged).await.starts_with("HTTP/1.1 200"));
    let received = setup.received.recv().await.unwrap();
    assert!(received.starts_with("POST /github/%41?a=%zz&&b HTTP/1.1\r\n"), "{received}");
    assert!(received.ends_with("\r\n\r\nbody"), "{received}");
    for present in [
        "\nx-gate-principal: github\r\n",
        "\nhost: app\r\n",
        "\nx-forwarded-for: 127.0.0.1\r\n",
        "\nx-forwarded-proto: http\r\n",
        "\nx-forwarded-host: app\r\n",
        "\nx-request-id: ",
        "\ncontent-length: 4\r\n",
    ] {
        assert_eq!(received.matches(present).count(), 1, "{present} in {received}");
    }
    for absent in ["admin", "x-dropped", "6.6.6.6", "connection:"] {
        assert!(!received.contains(absent), "{absent} in {received}");
    }
}

#[tokio::test]
async fn a_connection_cannot_take_away_what_was_decided_about() {
    let mut setup = Setup::new(Upstream::Answers(OK)).await;
    for field in
        ["x-gate-principal", "X-Forwarded-For", "x-hub-signature-256", "x_gate_principal", "host", "authorization"]
    {
        let named = delivery("/github", "body").replace("connection: close", &format!("connection: close, {field}"));
        assert_eq!(reason(&setup.send(named).await), Some("connection-names-field"), "{field}");
    }
    assert!(setup.nothing_received());
}

#[tokio::test]
async fn a_coding_that_would_be_lost_is_refused() {
    let mut setup = Setup::new(Upstream::Answers(OK)).await;
    for coding in ["gzip, chunked", "chunked, chunked", "Gzip,CHUNKED", "identity, chunked"] {
        let answer = setup
            .send(format!(
                "POST /public HTTP/1.1\r\nhost: app\r\nconnection: close\r\ntransfer-encoding: {coding}\r\n\r\n0\r\n\r\n"
            ))
            .await;
        assert!(answer.starts_with("HTTP/1.1 501 "), "{coding}: {answer}");
        assert_eq!(reason(&answer), Some("transfer-coding-unsupported"));
    }
    assert!(setup.nothing_received());
}

#[tokio::test]
async fn the_host_that_was_decided_about_is_the_one_that_is_forwarded() {
    let mut setup = Setup::new(Upstream::Answers(OK)).await;
    let absolute = |version: &str, fields: &str| {
        format!("GET http://app.example/public HTTP/{version}\r\n{fields}connection: close\r\n\r\n")
    };
    assert_eq!(reason(&setup.send(absolute("1.1", "")).await), Some("missing-host"));
    assert_eq!(reason(&setup.send(absolute("1.1", "host: other\r\n")).await), Some("ambiguous-authority"));
    let ftp = absolute("1.1", "host: app.example\r\n").replace("http://", "ftp://");
    assert_eq!(reason(&setup.send(ftp).await), Some("malformed-target"));
    let origin = "GET /public HTTP/1.1\r\nconnection: close\r\n\r\n";
    assert_eq!(reason(&setup.send(origin).await), Some("missing-host"));
    assert!(setup.nothing_received());
    for request in [absolute("1.0", ""), absolute("1.1", "host: app.example\r\n")] {
        assert!(setup.send(request).await.contains(" 200 "));
        let received = setup.received.recv().await.unwrap();
        assert!(
            received.starts_with("GET /public HTTP/1.1\r\n") && received.contains("\nhost: app.example\r\n"),
            "{received}"
        );
        assert!(received.contains("\nx-forwarded-host: app.example\r\n"), "{received}");
    }
}

#[tokio::test]
async fn a_denied_request_does_not_arrive() {
    let mut setup = Setup::new(Upstream::Answers(OK)).await;
    let answer = setup.send(delivery("/github", "one").replace("\r\n\r\none", "\r\n\r\ntwo")).await;
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    assert_eq!(reason(&answer), Some("signature-mismatch"));
    assert!(setup.nothing_received());
}

#[tokio::test]
async fn a_collected_body_is_sent_with_its_length_and_others_stream() {
    let mut setup = Setup::new(Upstream::Answers(OK)).await;
    let chunked = |path: &str| {
        let head = delivery(path, "chunks").replace("content-length: 6", "transfer-encoding: chunked");
        head.replace("\r\n\r\nchunks", "\r\n\r\n5\r\nchunk\r\n1\r\ns\r\n0\r\n\r\n")
    };
    setup.send(chunked("/github")).await;
    let collected = setup.received.recv().await.unwrap();
    assert!(collected.contains("content-length: 6\r\n") && collected.ends_with("\r\n\r\nchunks"), "{collected}");
    assert!(!collected.contains("transfer-encoding"));
    setup.send(chunked("/public")).await;
    let streamed = setup.received.recv().await.unwrap();
    assert!(streamed.contains("transfer-encoding: chunked\r\n") && !streamed.contains("content-length"), "{streamed}");
}

#[tokio::test]
async fn two_framings_are_never_forwarded() {
    for framing in
        ["content-length: 6\r\ntransfer-encoding: chunked", "transfer-encoding: chunked\r\ncontent-length: 6"]
    {
        let mut setup = Setup::new(Upstream::Answers(OK)).await;
        let smuggling = format!(
            "POST /public HTTP/1.1\r\nhost: app\r\nconnection: close\r\n{framing}\r\n\r\n0\r\n\r\nGET /github HTTP/1.1\r\n\r\n"
        );
        setup.send(smuggling).await;
        let received = setup.received.recv().await.unwrap();
        assert!(!received.contains("content-length: 6") && !received.contains("GET /github"), "{received}");
        assert!(setup.nothing_received());
    }
}

#[tokio::test]
async fn the_body_limit_is_the_last_that_passes() {
    let mut setup = Setup::new(Upstream::Answers(OK)).await;
    let at = "a".repeat(gate::BODY_BYTES_MAX);
    assert!(setup.send(delivery("/github", &at)).await.starts_with("HTTP/1.1 200"));
    setup.received.recv().await.unwrap();
    let past = setup.send(delivery("/github", &format!("{at}a"))).await;
    assert!(past.starts_with("HTTP/1.1 413"), "{past}");
    assert_eq!(reason(&past), Some("body-too-large"));
    assert!(setup.nothing_received());
}

#[tokio::test]
async fn a_client_waits_for_leave_to_send_its_body() {
    let setup = Setup::new(Upstream::Answers(OK)).await;
    let request = delivery("/github", "body").replace("host: app", "host: app\r\nexpect: 100-continue");
    let (head, body) = request.split_at(request.len() - 4);
    let mut stream = TcpStream::connect(setup.address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut leave = [0; 25];
    stream.read_exact(&mut leave).await.unwrap();
    assert_eq!(&leave, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(body.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn a_body_that_stalls_or_breaks_off_never_arrives() {
    let mut setup = Setup::with(Upstream::Answers(OK), |options| {
        options.timeouts.body_read = Duration::from_millis(50);
    })
    .await;
    let request = delivery("/github", "body");
    let (short, _) = request.split_at(request.len() - 1);
    let stalled = setup.send(short).await;
    assert!(stalled.starts_with("HTTP/1.1 400"), "{stalled}");
    assert_eq!(reason(&stalled), Some("body-truncated"));
    let mut stream = TcpStream::connect(setup.address).await.unwrap();
    stream.write_all(short.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer).await;
    assert!(!answer.contains(" 200 "), "{answer}");
    assert!(setup.nothing_received());
}

#[tokio::test]
async fn the_upstreams_failure_gives_back_what_waited_for_success() {
    let setup = Setup::new(Upstream::Answers(FAILS)).await;
    for _ in 0..2 {
        let answer = setup.send(delivery("/retried", "one")).await;
        assert!(answer.starts_with("HTTP/1.1 500"), "{answer}");
    }
    let setup = Setup::new(Upstream::Answers(OK)).await;
    assert!(setup.send(delivery("/retried", "one")).await.starts_with("HTTP/1.1 200"));
    let repeated = setup.send(delivery("/retried", "one")).await;
    assert!(repeated.starts_with("HTTP/1.1 200"), "{repeated}");
    assert_eq!(reason(&repeated), Some("duplicate-acknowledged"));
}

#[tokio::test]
async fn an_upstream_that_is_gone_or_silent_is_told_apart() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let setup = Setup::with(Upstream::Silent, |options| {
        options.upstream = format!("http://{gone}").parse().unwrap();
    })
    .await;
    let answer = setup.send(delivery("/github", "body")).await;
    assert!(answer.starts_with("HTTP/1.1 502"), "{answer}");
    assert_eq!(reason(&answer), Some("upstream-unreachable"));

    let setup = Setup::with(Upstream::Silent, |options| {
        options.timeouts.response_header = Duration::from_millis(50);
    })
    .await;
    let answer = setup.send(delivery("/github", "body")).await;
    assert!(answer.starts_with("HTTP/1.1 504"), "{answer}");
    assert_eq!(reason(&answer), Some("upstream-timeout"));

    let setup = Setup::new(Upstream::Answers("nonsense\r\n\r\n")).await;
    assert_eq!(reason(&setup.send(delivery("/github", "body")).await), Some("upstream-failed"));
}

const HANDSHAKE: &str = "GET /public HTTP/1.1\r\nhost: app\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n";
const SWITCHES: &str = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";

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
async fn http2_is_not_asked_of_the_upstream() {
    let mut setup = Setup::new(Upstream::Answers(OK)).await;
    let h2c = "GET /public HTTP/1.1\r\nhost: app\r\nconnection: Upgrade, HTTP2-Settings, close\r\nupgrade: h2c\r\n\
               http2-settings: AAMAAABkAAQAAP__\r\n\r\n";
    setup.send(h2c).await;
    let received = setup.received.recv().await.unwrap();
    assert!(!received.contains("upgrade") && !received.contains("http2-settings"), "{received}");
}

#[tokio::test]
async fn connections_past_the_bound_are_told_so() {
    let mut setup = Setup::with(Upstream::Answers(OK), |options| options.bounds.connections_max = 1).await;
    // It has its place before the next one comes.
    let mut held = TcpStream::connect(setup.address).await.unwrap();
    for path in ["/public", "/github"] {
        let refused = setup.send(delivery(path, "body")).await;
        let (head, problem) = refused.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 503 "), "{refused}");
        for line in ["connection: close", "retry-after: 1", "content-type: application/problem+json"] {
            assert!(head.lines().any(|found| found == line), "`{line}` is not in {head}");
        }
        assert_eq!(reason(&refused), Some("overloaded"));
        assert!(problem.contains(r#""reason":"overloaded""#) && problem.contains(r#""status":503"#), "{problem}");
    }
    assert!(setup.nothing_received());
    // What has a place goes on, and leaves it.
    held.write_all(delivery("/github", "body").as_ref()).await.unwrap();
    let mut answer = String::new();
    held.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    drop(held);
    while !setup.send(delivery("/github", "another")).await.starts_with("HTTP/1.1 200") {}
}

/// Time passes here when there is nothing else to do.
#[tokio::test(start_paused = true)]
async fn an_upstream_has_the_time_that_the_setting_says() {
    let limit = Duration::from_secs(3);
    let setup = Setup::with(Upstream::Silent, |options| options.timeouts.response_header = limit).await;
    for path in ["/github", "/public"] {
        let began = tokio::time::Instant::now();
        let answer = setup.send(delivery(path, "body")).await;
        assert_eq!(reason(&answer), Some("upstream-timeout"), "{answer}");
        let took = began.elapsed();
        assert!((limit..limit + Duration::from_millis(100)).contains(&took), "{took:?}");
    }
}

/// Sends a part of a body now and then, until it is cut off or has been for
/// `patience`.
async fn drip(address: SocketAddr, path: &str, every: Duration, patience: Duration) -> Option<String> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = delivery(path, "").replace("content-length: 0", &format!("content-length: {BODY_BYTES_MAX}"));
    stream.write_all(head.as_bytes()).await.unwrap();
    let (mut read, mut write) = stream.split();
    let mut answer = String::new();
    let dripping = async {
        while write.write_all(b"a").await.is_ok() {
            tokio::time::sleep(every).await;
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = dripping => None,
        () = tokio::time::sleep(patience) => None,
        _ = read.read_to_string(&mut answer) => Some(answer),
    }
}

#[tokio::test]
async fn a_body_that_drips_is_cut_off_before_the_verdict_and_streams_after() {
    let mut setup = Setup::with(Upstream::Answers(OK), |options| {
        options.timeouts.body_read = Duration::from_secs(10);
        options.timeouts.body_whole = Duration::from_millis(200);
    })
    .await;
    let (every, patience) = (Duration::from_millis(20), Duration::from_secs(5));
    let answer = drip(setup.address, "/github", every, patience).await.unwrap();
    // What is still under way when it is answered may cost it the answer.
    assert!(answer.is_empty() || reason(&answer) == Some("body-truncated"), "{answer}");
    assert!(setup.nothing_received());
    assert_eq!(drip(setup.address, "/public", every, Duration::from_millis(600)).await, None);
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

#[tokio::test]
async fn event_streams_have_places_of_their_own() {
    const EVENTS: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n\
                          connection: keep-alive\r\ntransfer-encoding: chunked\r\n\r\n5\r\nevent\r\n0\r\n\r\n";
    let setup = Setup::with(Upstream::Answers(EVENTS), |options| options.bounds.tunnels_max = 1).await;
    let asks = "GET /public HTTP/1.1\r\nhost: app\r\n\r\n";
    // It ends, although the client keeps its connection.
    for _ in 0..2 {
        let answer = setup.send(asks).await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("connection: close"), "{answer}");
        assert!(answer.contains("event"), "{answer}");
    }
}

#[tokio::test]
async fn a_trusted_proxys_requests_count_by_the_clients_that_they_name() {
    let setup = Setup::with(Upstream::Answers(OK), |options| {
        options.bounds.connections_max = 4;
        options.client_address = barmkin_host::ClientAddress::RightmostUntrusted(vec!["127.0.0.1/32".parse().unwrap()]);
    })
    .await;
    let by = |client: &str, request: String| {
        request.replacen("host: app", &format!("host: app\r\nx-forwarded-for: {client}"), 1)
    };
    let mut slow = Vec::new();
    for _ in 0..4 {
        let mut stream = TcpStream::connect(setup.address).await.unwrap();
        let head = by("192.0.2.7", delivery("/github", "")).replace("content-length: 0", "content-length: 9");
        stream.write_all(format!("{head}a").as_bytes()).await.unwrap();
        slow.push(stream);
    }
    // All have their places, and until it is known for whom, none gives way.
    let answered = async {
        loop {
            let answer = setup.send(by("192.0.2.8", delivery("/github", "body"))).await;
            if answer.starts_with("HTTP/1.1 200") {
                break;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(5), answered).await.unwrap();
}
