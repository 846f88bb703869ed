//! Each dialect's calls, answered by a real gate.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

#[path = "../../tower/tests/gate/mod.rs"]
mod gate;

use barmkin_forward_auth::{Dialect, Options, serve};
use barmkin_host::Gate;
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// None of these tests leaves anything in its store.
static GATE: LazyLock<Arc<Gate>> = LazyLock::new(gate::gate);

async fn endpoint(options: Options) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(listener, GATE.clone(), options, std::future::pending()));
    address
}

async fn dialect(dialect: Dialect) -> SocketAddr {
    endpoint(Options::new(dialect)).await
}

fn envoy() -> Dialect {
    Dialect::EnvoyHttp { path_prefix: "/gate".to_owned() }
}

/// Calls about a request for `target`, with `fields` after what the dialect
/// always sends.
async fn call(address: SocketAddr, dialect: &Dialect, method: &str, target: &str, fields: &str) -> String {
    let about = match dialect {
        Dialect::Nginx => format!("GET /_gate HTTP/1.0\r\nx-original-method: {method}\r\nx-original-uri: {target}"),
        Dialect::EnvoyHttp { path_prefix } => format!("{method} {path_prefix}{target} HTTP/1.1"),
        _ => format!("GET / HTTP/1.1\r\nx-forwarded-method: {method}\r\nx-forwarded-uri: {target}"),
    };
    raw(address, &format!("{about}\r\nhost: app\r\nx-forwarded-host: app\r\nx-forwarded-proto: https\r\n{fields}"))
        .await
}

async fn raw(address: SocketAddr, head: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(format!("{head}connection: close\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap()
}

fn field<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    answer.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

fn all() -> [Dialect; 5] {
    [Dialect::Nginx, Dialect::Caddy, Dialect::Traefik, Dialect::Haproxy, envoy()]
}

/// What a status of 500 becomes.
fn failing(dialect: &Dialect) -> &'static str {
    if matches!(dialect, Dialect::Nginx | Dialect::EnvoyHttp { .. }) { "403" } else { "500" }
}

#[tokio::test]
async fn an_allow_overwrites_what_the_client_sent() {
    for proxy in all() {
        let address = dialect(proxy.clone()).await;
        let answer = call(address, &proxy, "GET", "/public/%41?x", "x-gate-principal: admin\r\n").await;
        assert_eq!(status(&answer), "200", "{proxy:?} {answer}");
        assert!(!answer.contains("admin"), "{answer}");
        assert!(field(&answer, "x-request-id").is_some_and(|id| !id.is_empty()));
        match proxy {
            Dialect::Traefik => assert_eq!(field(&answer, "x-gate-principal"), None),
            Dialect::EnvoyHttp { .. } => {
                assert!(answer.contains("x-envoy-auth-headers-to-remove: x-gate-principal\r\n"), "{answer}");
            }
            _ => assert_eq!(field(&answer, "x-gate-principal"), Some(""), "{answer}"),
        }
    }
}

#[tokio::test]
async fn a_deny_carries_its_reason_and_its_status() {
    for proxy in all() {
        let address = dialect(proxy.clone()).await;
        let no_body = call(address, &proxy, "POST", "/github", "").await;
        assert_eq!(field(&no_body, "barmkin-reason"), Some("body-not-carried"), "{proxy:?} {no_body}");
        assert_eq!(field(&no_body, "barmkin-status"), Some("500"));
        assert_eq!(status(&no_body), failing(&proxy));
        let no_route = call(address, &proxy, "GET", "/elsewhere", "").await;
        assert_eq!((status(&no_route), field(&no_route, "barmkin-reason")), ("403", Some("no-route")));
        let ambiguous = call(address, &proxy, "GET", "/public/../github", "").await;
        assert_eq!(field(&ambiguous, "barmkin-reason"), Some("ambiguous-path"));
    }
}

#[tokio::test]
async fn a_denied_grpc_call_is_not_answered_with_200() {
    for proxy in all() {
        let address = dialect(proxy.clone()).await;
        let answer = call(address, &proxy, "POST", "/elsewhere", "content-type: application/grpc\r\n").await;
        assert_eq!(status(&answer), "403", "{proxy:?} {answer}");
    }
}

#[tokio::test]
async fn what_the_proxy_must_say_is_said_once() {
    for proxy in all() {
        let address = dialect(proxy.clone()).await;
        let twice = call(address, &proxy, "GET", "/public", "x-forwarded-proto: http\r\n").await;
        assert_eq!(field(&twice, "barmkin-reason"), Some("malformed-original-request"));
        assert_eq!(status(&twice), failing(&proxy));
        if !matches!(proxy, Dialect::EnvoyHttp { .. }) {
            let bare = raw(address, "GET /public HTTP/1.1\r\nhost: app\r\nx-forwarded-proto: http\r\n").await;
            assert_eq!(field(&bare, "barmkin-reason"), Some("missing-original-request"));
            assert_eq!(status(&bare), failing(&proxy));
        }
    }
    let nginx = dialect(Dialect::Nginx).await;
    let forged = call(nginx, &Dialect::Nginx, "GET", "/public", "x-original-uri: /github\r\n").await;
    assert_eq!(field(&forged, "barmkin-reason"), Some("malformed-original-request"));
    let unprefixed =
        raw(dialect(envoy()).await, "GET /public HTTP/1.1\r\nhost: app\r\nx-forwarded-proto: http\r\n").await;
    assert_eq!(field(&unprefixed, "barmkin-reason"), Some("missing-original-request"));
}

#[tokio::test]
async fn a_field_that_the_proxy_cannot_remove_is_refused() {
    for proxy in all() {
        let address = dialect(proxy.clone()).await;
        let answer = call(address, &proxy, "GET", "/public", "X_Gate_Principal: admin\r\n").await;
        if let Dialect::EnvoyHttp { .. } = proxy {
            assert!(answer.contains("x-envoy-auth-headers-to-remove: x_gate_principal\r\n"), "{answer}");
        } else {
            assert_eq!((status(&answer), field(&answer, "barmkin-reason")), ("403", Some("forged-field")));
        }
    }
}

#[tokio::test]
async fn connections_past_the_bound_are_told_so() {
    for proxy in all() {
        let mut options = Options::new(proxy.clone());
        options.bounds.connections_max = 1;
        let address = endpoint(options).await;
        let held = TcpStream::connect(address).await.unwrap();
        let refused = call(address, &proxy, "GET", "/public", "").await;
        assert_eq!(field(&refused, "barmkin-reason"), Some("overloaded"), "{proxy:?} {refused}");
        assert_eq!((field(&refused, "barmkin-status"), field(&refused, "retry-after")), (Some("503"), Some("1")));
        assert_eq!(status(&refused), if failing(&proxy) == "403" { "403" } else { "503" });
        drop(held);
        while status(&call(address, &proxy, "GET", "/public", "").await) != "200" {}
    }
}

#[tokio::test]
async fn only_trusted_proxies_may_call() {
    let options = Options { trusted_proxies: vec!["10.0.0.0/8".parse().unwrap()], ..Options::new(Dialect::Caddy) };
    let address = endpoint(options).await;
    let answer = call(address, &Dialect::Caddy, "GET", "/public", "").await;
    assert_eq!((status(&answer), field(&answer, "barmkin-reason")), ("403", Some("untrusted-caller")));
}
