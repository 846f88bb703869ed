//! Denials that pages of other origins may read, through every way in.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use barmkin_tests::harness::{
    Barmkin, Caddy, Envoy, Gate, Haproxy, ListenerKind, Nginx, Request, Response, Tool, Upstream,
};
use barmkin_tests::rules::SECRETS;
use std::net::SocketAddr;

const RULES: &str = r#"version = 1

[keys.pepper]
algorithm = "keyed-hash-sha256"
secrets = [{ id = "test", from = "file:secrets/pepper" }]

[policies.callers]
component = "stock:api-key"
settings = { keys = [] }
grants = { keys = { pepper = "pepper" }, vouch = true }

[[routes]]
name = "for-pages"
match = { path.prefix = "/v1" }
chain = ["callers"]
preflight = "forward"
cors = { origins = ["https://app.example", "http://localhost:3000"], credentials = true }

[[routes]]
name = "for-nobody"
match = { path.prefix = "/v2" }
chain = ["callers"]
"#;

const PAGE: &str = "https://app.example";

fn denied(proxy: SocketAddr, path: &str, origin: Option<&str>) -> Response {
    let mut request = Request::new("GET", path, "api.example");
    if let Some(origin) = origin {
        request = request.with("origin", origin);
    }
    let answer = request.send(proxy).unwrap();
    assert_eq!((answer.status, answer.field("barmkin-reason")), (401, Some("missing-api-key")));
    answer
}

/// The words of all fields of a name.
fn words(answer: &Response, name: &str) -> Vec<String> {
    let values = answer.fields.iter().filter(|(field, _)| field == name).map(|(_, value)| value.as_str());
    values.flat_map(|value| value.split(',')).map(|word| word.trim().to_ascii_lowercase()).collect()
}

fn a_page_sees_the_denial(proxy: SocketAddr, upstream: &Upstream, what: &str) {
    let answer = denied(proxy, "/v1/x", Some(PAGE));
    assert_eq!(words(&answer, "access-control-allow-origin"), [PAGE], "{what}: {answer:?}");
    assert_eq!(words(&answer, "access-control-allow-credentials"), ["true"], "{what}: {answer:?}");
    let exposed = words(&answer, "access-control-expose-headers");
    for name in ["www-authenticate", "retry-after", "barmkin-reason"] {
        assert!(exposed.contains(&name.to_owned()), "{what}: {answer:?}");
    }
    assert!(answer.field("www-authenticate").is_some(), "{what}: {answer:?}");
    assert!(words(&answer, "vary").contains(&"origin".to_owned()), "{what}: {answer:?}");

    for origin in [None, Some("https://evil.example"), Some("null"), Some("https://app.example.evil.example")] {
        let answer = denied(proxy, "/v1/x", origin);
        assert_eq!(words(&answer, "access-control-allow-origin"), Vec::<String>::new(), "{what}, {origin:?}");
        assert_eq!(words(&answer, "access-control-allow-credentials"), Vec::<String>::new(), "{what}, {origin:?}");
        assert!(words(&answer, "vary").contains(&"origin".to_owned()), "{what}: {answer:?}");
    }
    let answer = denied(proxy, "/v2/x", Some(PAGE));
    assert_eq!(words(&answer, "access-control-allow-origin"), Vec::<String>::new(), "{what}: another route's");
    assert!(upstream.take_received().is_empty(), "{what}");

    // A preflight is the upstream's to answer.
    let preflight = |path: &str| {
        let asked = Request::new("OPTIONS", path, "api.example").with("origin", PAGE);
        asked.with("access-control-request-method", "PUT").send(proxy).unwrap()
    };
    assert_eq!(preflight("/v1/x").field(Upstream::MARK), Some("reached"), "{what}");
    assert_eq!(preflight("/v2/x").field("barmkin-reason"), Some("preflight-refused"), "{what}");
    upstream.take_received();
}

#[test]
fn a_page_sees_why_it_was_denied_whatever_is_in_front() {
    let upstream = Upstream::start();
    let listeners = [
        ("edge", ListenerKind::ReverseProxy(upstream.address())),
        ("nginx", ListenerKind::ForwardAuth("nginx")),
        ("caddy", ListenerKind::ForwardAuth("caddy")),
        ("haproxy", ListenerKind::ForwardAuth("haproxy")),
        ("envoy", ListenerKind::ExtAuthz),
        ("envoy-http", ListenerKind::ForwardAuth("envoy-http")),
    ];
    let gate = Barmkin::serve(RULES, &SECRETS, &listeners);
    let configuration = gate.configuration();
    a_page_sees_the_denial(gate.address("edge"), &upstream, "the reverse proxy");
    let origin = upstream.address();
    if let Some(program) = Tool::Nginx.find("CORS behind nginx") {
        let nginx = Nginx::start_for(&program, &configuration, "nginx", origin);
        a_page_sees_the_denial(nginx.address(), &upstream, "nginx");
    }
    if let Some(program) = Tool::Caddy.find("CORS behind Caddy") {
        let caddy = Caddy::start_for(&program, &configuration, "caddy", origin);
        a_page_sees_the_denial(caddy.address(), &upstream, "Caddy");
    }
    if let Some(program) = Tool::Haproxy.find("CORS behind HAProxy") {
        let haproxy = Haproxy::start_for(&program, &configuration, "haproxy", origin);
        a_page_sees_the_denial(haproxy.address(), &upstream, "HAProxy");
    }
    if let Some(program) = Tool::Envoy.find("CORS behind Envoy") {
        for (listener, by) in
            [("envoy", Gate::Tcp(gate.address("envoy"))), ("envoy-http", Gate::Http(gate.address("envoy-http")))]
        {
            let envoy = Envoy::start(&program, &by, origin);
            a_page_sees_the_denial(envoy.address(), &upstream, listener);
        }
    }
}
