//! The example `embedded`, with requests from outside.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests")]

#[path = "../examples/embedded.rs"]
#[allow(dead_code, reason = "`main` is not called")]
mod embedded;
mod gate;

use embedded::{Service, Vault};
use std::net::SocketAddr;
use std::path::Path;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

struct Running {
    address: SocketAddr,
    service: Service,
    stop: oneshot::Sender<()>,
    served: tokio::task::JoinHandle<Result<(), String>>,
}

async fn serve(folder: &Path) -> Running {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/partners");
    let built = barmkin_build::build_component(&source, &barmkin_build::BuildOptions::default()).unwrap();
    let component = folder.join("partners.wasm");
    std::fs::write(&component, built).unwrap();
    let secret = folder.join("github.secret");
    std::fs::write(&secret, "It's a Secret to Everybody\n").unwrap();
    let service = Service::new(component, Vault { secret }).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let serving = service.clone();
    let served = tokio::spawn(async move {
        let served = serving.serve(listener, async move { drop(stopped.await) }).await;
        served.map_err(|error| error.to_string())
    });
    Running { address, service, stop, served }
}

/// The whole response to a request on a connection of its own.
async fn ask(address: SocketAddr, request: &str, field: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let length = body.len();
    let request = format!(
        "{request} HTTP/1.1\r\nhost: app\r\n{field}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();
    response
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_decides_reloads_and_stops() {
    let folder = tempfile::tempdir().unwrap();
    let Running { address, service, stop, served } = serve(folder.path()).await;

    // Its own policy, the quota behind it, and its own form of refusals.
    let orders = ask(address, "GET /orders", "x-partner: acme", "").await;
    assert!(orders.starts_with("HTTP/1.1 200") && orders.ends_with("orders of acme\n"), "{orders}");
    let refused = ask(address, "GET /orders", "x-partner: other", "").await;
    assert!(refused.starts_with("HTTP/1.1 403") && refused.contains("content-type: application/json\r\n"), "{refused}");
    assert!(refused.contains(r#"{"error":{"code":"unknown-partner","id":""#), "{refused}");

    // The key from its own source, and another one after a reload.
    let signature = format!("x-hub-signature-256: {}", gate::sign(b"news"));
    let delivered = ask(address, "POST /github", &signature, "news").await;
    assert!(delivered.ends_with("4 bytes by way of github\n"), "{delivered}");
    std::fs::write(folder.path().join("github.secret"), "another").unwrap();
    service.reload();
    let refused = ask(address, "POST /github", &signature, "news").await;
    assert!(refused.contains("signature-mismatch"), "{refused}");

    // A component that cannot be used changes nothing.
    std::fs::write(folder.path().join("partners.wasm"), "not a component").unwrap();
    service.reload();
    let orders = ask(address, "GET /orders", "x-partner: acme", "").await;
    assert!(orders.ends_with("orders of acme\n"), "{orders}");

    // What is under way when it stops is answered: the gate reads the body by now.
    let mut under_way = TcpStream::connect(address).await.unwrap();
    let head = "POST /github HTTP/1.1\r\nhost: app\r\nexpect: 100-continue\r\ncontent-length: 4\r\n";
    under_way.write_all(format!("{head}{signature}\r\n\r\n").as_bytes()).await.unwrap();
    let mut go_on = [0; "HTTP/1.1 100 Continue\r\n\r\n".len()];
    under_way.read_exact(&mut go_on).await.unwrap();
    drop(stop);
    under_way.write_all(b"news").await.unwrap();
    let mut answer = String::new();
    under_way.read_to_string(&mut answer).await.unwrap();
    assert!(answer.contains("signature-mismatch"), "{answer}");
    assert_eq!(served.await.unwrap(), Ok(()));
    assert!(TcpStream::connect(address).await.is_err(), "it listens no more");
}
