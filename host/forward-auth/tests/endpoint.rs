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

/// The status that stands for 500.
fn failing(dialect: &Dialect) -> &'static str {
    if matches!(dialect, Dialect::Nginx | Dialect::EnvoyHttp { .. }) { "403" } else { "500" }
}

#[tokio::test]
async fn an_allow_overwrites_what_came_with_the_call_of_another_gate() {
    for proxy in all() {
        let address =
            endpoint(Options { gates: vec!["127.0.0.0/8".parse().unwrap()], ..Options::new(proxy.clone()) }).await;
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

/// Servers that speak CGI read it as what the proxy says.
#[tokio::test]
async fn another_spelling_of_what_the_proxy_says_is_refused() {
    for proxy in all().into_iter().filter(|proxy| !matches!(proxy, Dialect::EnvoyHttp { .. })) {
        let address = dialect(proxy.clone()).await;
        for name in ["X_Original_URI", "x_original-url", "X_Forwarded_Uri", "x-forwarded_method", "x_forwarded_for"] {
            let answer = call(address, &proxy, "GET", "/public", &format!("{name}: /admin\r\n")).await;
            assert_eq!(field(&answer, "barmkin-reason"), Some("forged-field"), "{name}: {answer}");
        }
    }
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
async fn a_field_that_the_proxy_should_have_removed_is_refused_with_the_line_to_write() {
    for proxy in all() {
        let address = dialect(proxy.clone()).await;
        // A balancer's id is no forgery.
        let answer = call(address, &proxy, "GET", "/public", "x-request-id: balancer\r\n").await;
        assert_eq!(status(&answer), "200", "{proxy:?} {answer}");
        for field_name in ["x-gate-principal", "barmkin-duplicate"] {
            let answer = call(address, &proxy, "GET", "/public", &format!("{field_name}: admin\r\n")).await;
            if let Dialect::EnvoyHttp { .. } = proxy {
                assert!(answer.contains(&format!("x-envoy-auth-headers-to-remove: {field_name}\r\n")), "{answer}");
                continue;
            }
            assert_eq!((status(&answer), field(&answer, "barmkin-reason")), ("403", Some("field-not-removed")));
            let line = match proxy {
                Dialect::Nginx => format!("proxy_set_header {field_name} "),
                Dialect::Caddy => format!("request_header -{field_name}"),
                Dialect::Haproxy => format!("http-request del-header {field_name}"),
                _ => "customRequestHeaders".to_owned(),
            };
            assert!(answer.contains(&line), "{answer}");
        }
    }
}

#[tokio::test]
async fn everything_that_a_call_lacks_is_named_at_once() {
    for proxy in all() {
        let bare = raw(dialect(proxy.clone()).await, "GET /gate/public HTTP/1.1\r\nhost: app\r\n").await;
        assert_eq!(field(&bare, "barmkin-reason"), Some("missing-original-request"), "{proxy:?}");
        let lacking: &[&str] = match proxy {
            Dialect::EnvoyHttp { .. } => &["x-forwarded-proto"],
            Dialect::Nginx => &["x-original-method", "x-original-uri", "x-forwarded-proto", "x-forwarded-host"],
            _ => &["x-forwarded-method", "x-forwarded-uri", "x-forwarded-proto", "x-forwarded-host"],
        };
        for name in lacking {
            assert!(bare.contains(&format!("`{name}`")), "{name} in {bare}");
        }
        if proxy == Dialect::Nginx {
            assert!(bare.contains("proxy_set_header x-forwarded-host $host;"), "{bare}");
        }
    }
}

/// The request that ingress-nginx's template sends (`auth-url`), for `GET` of
/// `url`.
fn ingress(url: &str) -> String {
    format!(
        "GET / HTTP/1.1\r\nhost: gate.example\r\nx-forwarded-proto: \r\nx-request-id: 6f\r\n\
         x-original-url: {url}\r\nx-original-method: GET\r\nx-sent-from: nginx-ingress-controller\r\n\
         x-real-ip: 192.0.2.7\r\nx-forwarded-for: 192.0.2.7\r\nx-auth-request-redirect: /public\r\n"
    )
}

#[tokio::test]
async fn a_whole_url_says_scheme_host_and_target() {
    let nginx = dialect(Dialect::Nginx).await;
    for url in ["https://app/public", "http://app:8080/public?x=://y"] {
        let answer = raw(nginx, &ingress(url)).await;
        assert_eq!(status(&answer), "200", "{url}: {answer}");
    }
    let guarded = raw(nginx, &ingress("https://app/github")).await;
    assert_eq!(field(&guarded, "barmkin-reason"), Some("body-not-carried"));
    for (url, reason) in [
        ("https://app", "no-route"),
        ("https://app?/public", "malformed-target"),
        ("ftp://app/public", "malformed-original-request"),
        ("app/public", "malformed-original-request"),
        ("https://user@app/public", "ambiguous-authority"),
    ] {
        let answer = raw(nginx, &ingress(url)).await;
        assert_eq!(field(&answer, "barmkin-reason"), Some(reason), "{url}: {answer}");
    }
}

#[tokio::test]
async fn two_dialects_that_differ_are_refused() {
    let contradicting = |answer: String, what: &str| {
        assert_eq!(field(&answer, "barmkin-reason"), Some("contradicting-original-request"), "{what}: {answer}");
    };
    let nginx = dialect(Dialect::Nginx).await;
    for other in [
        "x-forwarded-uri: /github",
        "x-forwarded-method: DELETE",
        "x-original-url: /github",
        "x-original-url: https://elsewhere/public",
        "x-original-url: http://app/public",
    ] {
        contradicting(call(nginx, &Dialect::Nginx, "GET", "/public", &format!("{other}\r\n")).await, other);
    }
    for proxy in [Dialect::Caddy, Dialect::Traefik, Dialect::Haproxy] {
        let address = dialect(proxy.clone()).await;
        for other in ["x-original-uri: /github", "x-original-method: DELETE", "x-original-url: https://app/github"] {
            contradicting(call(address, &proxy, "GET", "/public", &format!("{other}\r\n")).await, other);
        }
        // The same in another dialect contradicts nothing.
        let same = "x-original-uri: /public\r\nx-original-method: GET\r\nx-original-url: https://APP/public\r\n";
        assert_eq!(status(&call(address, &proxy, "GET", "/public", same).await), "200");
    }
    // Of ingress-nginx, a client's own copy of what it does not overwrite.
    let ingress = ingress("https://app/public");
    contradicting(raw(nginx, &format!("{ingress}x-original-uri: /github\r\n")).await, "x-original-uri");
    contradicting(raw(nginx, &format!("{ingress}x-forwarded-host: elsewhere\r\n")).await, "x-forwarded-host");
}

/// Traefik sends its own fields, and all of the client's, for `GET` of
/// `target`.
#[tokio::test]
async fn a_call_as_traefik_makes_it_is_understood() {
    let traefik = dialect(Dialect::Traefik).await;
    let sent = |target: &str, more: &str| {
        format!(
            "GET / HTTP/1.1\r\nhost: 127.0.0.1:9003\r\nuser-agent: curl/8\r\naccept: */*\r\n\
             x-forwarded-for: 192.0.2.7\r\nx-forwarded-host: app\r\nx-forwarded-method: GET\r\n\
             x-forwarded-proto: https\r\nx-forwarded-uri: {target}\r\nx-forwarded-port: 443\r\n\
             x-real-ip: 192.0.2.7\r\nx-forwarded-server: edge\r\naccept-encoding: gzip\r\n{more}"
        )
    };
    assert_eq!(status(&raw(traefik, &sent("/public?x", "")).await), "200");
    let denied = raw(traefik, &sent("/elsewhere", "")).await;
    assert_eq!(field(&denied, "barmkin-reason"), Some("no-route"));
    let forged = raw(traefik, &sent("/public", "x-gate-principal: admin\r\n")).await;
    assert_eq!(field(&forged, "barmkin-reason"), Some("field-not-removed"));
}

#[tokio::test]
async fn only_a_listed_change_of_protocol_may_pass() {
    for proxy in [Dialect::Nginx, Dialect::Caddy, Dialect::Traefik, Dialect::Haproxy] {
        let address = dialect(proxy.clone()).await;
        for refused in [
            "upgrade: h2c\r\n",
            "connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n",
            "upgrade: websocket, h2c\r\n",
            "upgrade: websocket\r\nupgrade: h2c\r\n",
            "http2-settings: AAMAAABkAAQAAP__\r\n",
            "upgrade: other\r\n",
        ] {
            let answer = call(address, &proxy, "GET", "/public", refused).await;
            assert_eq!(
                (status(&answer), field(&answer, "barmkin-reason")),
                ("403", Some("upgrade-refused")),
                "{refused}"
            );
        }
        let websocket = call(address, &proxy, "GET", "/public", "upgrade: websocket\r\n").await;
        assert_eq!(status(&websocket), "200", "{proxy:?} {websocket}");
        let other = endpoint(Options { upgrades: vec!["other".into()], ..Options::new(proxy.clone()) }).await;
        assert_eq!(status(&call(other, &proxy, "GET", "/public", "upgrade: other\r\n").await), "200");
        let websocket = call(other, &proxy, "GET", "/public", "upgrade: websocket\r\n").await;
        assert_eq!(field(&websocket, "barmkin-reason"), Some("upgrade-refused"));
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
    assert!(answer.contains("127.0.0.1") && answer.contains("trusted-proxies"), "{answer}");
}
