//! Operators and the gate, over real sockets.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use barmkin_admin::{Answered, By, Command, Control, Health, Nonces, Outcome, Timeouts, ask, serve, serve_health};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixListener};

#[derive(Default)]
struct Scripted {
    is_ready: AtomicBool,
    has_much_to_tell: AtomicBool,
    asked: Mutex<Vec<(Command, By)>>,
}

impl Health for Scripted {
    fn is_ready(&self) -> bool {
        self.is_ready.load(Ordering::SeqCst)
    }

    fn metrics(&self) -> String {
        "a_metric 1\n".repeat(if self.has_much_to_tell.load(Ordering::SeqCst) { 500_000 } else { 1 })
    }
}

impl Control for Scripted {
    fn status(&self) -> Value {
        json!({ "serves": "this" })
    }

    fn nonces(&self, wanted: Nonces, _: By) -> Pin<Box<dyn Future<Output = Answered> + Send>> {
        let outcome = match &wanted {
            Nonces::Forget { digest: [0, ..], .. } => Outcome::NoSuchNonce,
            Nonces::List { .. } | Nonces::Forget { .. } => Outcome::Done,
        };
        Box::pin(async move { Answered { outcome, body: json!({ "wanted": format!("{wanted:?}") }) } })
    }

    fn command(&self, command: Command, by: By) -> Pin<Box<dyn Future<Output = Answered> + Send>> {
        let outcome = match command {
            Command::Reload => Outcome::Failed,
            Command::Rollback { to: None } => Outcome::Done,
            Command::Rollback { to: Some(_) } => Outcome::NoSuchGeneration,
        };
        self.asked.lock().unwrap().push((command, by));
        Box::pin(async move { Answered { outcome, body: json!({ "problem": "because" }) } })
    }
}

async fn over_tcp() -> (String, Arc<Scripted>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let control = Arc::new(Scripted::default());
    tokio::spawn(serve(listener, Timeouts::default(), control.clone(), std::future::pending()));
    (address, control)
}

async fn get(address: &str, target: &str) -> (StatusCode, String) {
    let answer = ask(address, Method::GET, target).await.unwrap();
    (answer.status, String::from_utf8(answer.body.to_vec()).unwrap())
}

#[tokio::test]
async fn it_tells_whether_it_lives_is_ready_and_what_it_does() {
    let (address, control) = over_tcp().await;
    assert_eq!(get(&address, "/healthz").await, (StatusCode::OK, "ok\n".to_owned()));
    assert_eq!(get(&address, "/readyz").await.0, StatusCode::SERVICE_UNAVAILABLE);
    control.is_ready.store(true, Ordering::SeqCst);
    assert_eq!(get(&address, "/readyz").await.0, StatusCode::OK);
    assert_eq!(get(&address, "/metrics").await, (StatusCode::OK, "a_metric 1\n".to_owned()));
    let (status, body) = get(&address, "/status").await;
    assert_eq!((status, serde_json::from_str(&body).unwrap()), (StatusCode::OK, json!({ "serves": "this" })));
    assert_eq!(get(&address, "/").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn anybody_may_see_how_it_is_and_nothing_else() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let health = Arc::new(Scripted::default());
    tokio::spawn(serve_health(listener, Timeouts::default(), health.clone(), std::future::pending()));
    assert_eq!(get(&address, "/healthz").await.0, StatusCode::OK);
    assert_eq!(get(&address, "/readyz").await.0, StatusCode::SERVICE_UNAVAILABLE);
    health.is_ready.store(true, Ordering::SeqCst);
    assert_eq!(get(&address, "/readyz").await.0, StatusCode::OK);
    assert_eq!(get(&address, "/metrics").await, (StatusCode::OK, "a_metric 1\n".to_owned()));
    for target in ["/status", "/reload", "/rollback", "/nonces?space=a", "/nonces/forget?space=a&digest=00", "/"] {
        for method in [Method::GET, Method::POST] {
            let answer = ask(&address, method.clone(), target).await.unwrap();
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{method} {target}");
        }
    }
    assert_eq!(ask(&address, Method::POST, "/metrics").await.unwrap().status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(*health.asked.lock().unwrap(), []);

    // By a name, as from other machines.
    let mut connection = TcpStream::connect(&address).await.unwrap();
    connection.write_all(b"GET /healthz HTTP/1.1\r\nhost: gate.example\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[tokio::test]
async fn commands_take_a_post_and_say_how_they_ended() {
    let (address, control) = over_tcp().await;
    assert_eq!(get(&address, "/reload").await.0, StatusCode::METHOD_NOT_ALLOWED);
    let post = async |target| ask(&address, Method::POST, target).await.unwrap().status;
    assert_eq!(post("/status").await, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(post("/reload").await, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(post("/rollback").await, StatusCode::OK);
    assert_eq!(post("/rollback?to=7").await, StatusCode::CONFLICT);
    assert_eq!(post("/rollback?to=x").await, StatusCode::BAD_REQUEST);
    let asked: Vec<_> = control.asked.lock().unwrap().iter().map(|(command, _)| *command).collect();
    assert_eq!(asked, [Command::Reload, Command::Rollback { to: None }, Command::Rollback { to: Some(7) }]);
}

#[tokio::test]
async fn nonces_are_looked_at_with_a_get_and_forgotten_with_a_post() {
    let (address, _) = over_tcp().await;
    let (status, body) = get(&address, "/nonces?space=a%20b").await;
    assert!(status == StatusCode::OK && body.contains(r#"List { space: \"a b\" }"#), "{body}");
    assert_eq!(get(&address, "/nonces").await.0, StatusCode::BAD_REQUEST);
    let post = async |target: &str| ask(&address, Method::POST, target).await.unwrap().status;
    let digest = |byte: &str| format!("/nonces/forget?space=a&digest={}", byte.repeat(32));
    assert_eq!(post(&digest("01")).await, StatusCode::OK);
    assert_eq!(post(&digest("00")).await, StatusCode::NOT_FOUND);
    assert_eq!(post("/nonces/forget?space=a&digest=01").await, StatusCode::BAD_REQUEST);
    assert_eq!(get(&address, &digest("01")).await.0, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn who_asks_by_a_unix_socket_is_known() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("admin.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let control = Arc::new(Scripted::default());
    tokio::spawn(serve(listener, Timeouts::default(), control.clone(), std::future::pending()));
    let address = format!("unix:{}", path.display());
    let answer = ask(&address, Method::POST, "/reload").await.unwrap();
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    let (_, by) = control.asked.lock().unwrap().remove(0);
    assert!(by.to_string().ends_with(&format!("process {}", std::process::id())), "{by}");

    let absent = ask("unix:absent.sock", Method::GET, "/status").await.unwrap_err();
    assert_eq!(absent.to_string(), "no gate can be reached at `unix:absent.sock`");
}

#[tokio::test]
async fn web_pages_cannot_command() {
    let (address, control) = over_tcp().await;
    let port = address.rsplit_once(':').unwrap().1;
    for (host, more, expected) in [
        (format!("127.0.0.1:{port}"), "", "HTTP/1.1 500"),
        (format!("localhost:{port}"), "", "HTTP/1.1 500"),
        (format!("[::1]:{port}"), "", "HTTP/1.1 500"),
        (format!("rebound.example:{port}"), "", "HTTP/1.1 403"),
        (String::new(), "", "HTTP/1.1 403"),
        (format!("127.0.0.1:{port}"), "origin: https://a.example\r\n", "HTTP/1.1 403"),
        (format!("127.0.0.1:{port}"), "sec-fetch-site: cross-site\r\n", "HTTP/1.1 403"),
    ] {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        let request = format!("POST /reload HTTP/1.1\r\nhost: {host}\r\n{more}content-length: 0\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with(expected), "{host} {more}: {answer}");
    }
    assert_eq!(control.asked.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn it_waits_for_a_header_and_for_readers_as_long_as_it_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let control = Arc::new(Scripted::default());
    control.has_much_to_tell.store(true, Ordering::SeqCst);
    let timeouts = Timeouts { header_read: Duration::from_millis(50), stall: Duration::from_millis(50) };
    tokio::spawn(serve(listener, timeouts, control, std::future::pending()));

    let ends = async {
        let mut half = TcpStream::connect(address).await.unwrap();
        half.write_all(b"GET /healthz HTTP/1.1\r\n").await.unwrap();
        let _ = half.read_to_end(&mut Vec::new()).await;
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4_096).unwrap();
        let mut deaf = socket.connect(address).await.unwrap();
        deaf.write_all(b"GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
        // It reads nothing, and learns by writing that it was given up.
        while deaf.write_all(b"\r\n").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(4), ends).await.unwrap();
}

#[tokio::test]
async fn those_who_say_nothing_keep_nobody_out() {
    let (address, _) = over_tcp().await;
    let mut silent = Vec::new();
    for _ in 0..100 {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
        silent.push(socket.connect(address.parse().unwrap()).await.unwrap());
    }
    let asked = tokio::time::timeout(Duration::from_secs(2), get(&address, "/healthz")).await;
    assert_eq!(asked.unwrap(), (StatusCode::OK, "ok\n".to_owned()));
}

/// More places than there are, by answers that no socket's buffers take.
#[tokio::test]
async fn those_who_do_not_read_keep_nobody_out() {
    let (address, control) = over_tcp().await;
    control.has_much_to_tell.store(true, Ordering::SeqCst);
    let mut deaf = Vec::new();
    for _ in 0..40 {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4_096).unwrap();
        socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
        let mut stream = socket.connect(address.parse().unwrap()).await.unwrap();
        // One for which nobody gives way is closed.
        let _ = stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
        // The answer has begun.
        let _ = stream.read(&mut [0; 16]).await;
        deaf.push(stream);
    }
    let asked = tokio::time::timeout(Duration::from_secs(2), get(&address, "/healthz")).await;
    assert_eq!(asked.unwrap(), (StatusCode::OK, "ok\n".to_owned()));
}
