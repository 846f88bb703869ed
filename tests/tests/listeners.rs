//! Routes that are for some listeners only, by every way in.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use barmkin_envoy::Probe;
use barmkin_tests::harness::{Barmkin, ListenerKind, Request, Upstream, free_address};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

const RULES: &str = r#"version = 1

[[routes]]
name = "edge"
match = { path.exact = "/edge" }
listeners = ["edge"]
public = true

[[routes]]
name = "auth"
match = { path.exact = "/auth" }
listeners = ["auth"]
public = true

[[routes]]
name = "envoy"
match = { path.exact = "/envoy" }
listeners = ["envoy"]
public = true

[[routes]]
name = "all"
match = { path.exact = "/all" }
public = true
"#;

#[test]
fn a_listener_knows_its_own_routes_and_those_of_all() {
    let upstream = Upstream::start();
    let listeners = [
        ("edge", ListenerKind::ReverseProxy(upstream.address())),
        ("auth", ListenerKind::ForwardAuth("caddy")),
        ("envoy", ListenerKind::ExtAuthz),
    ];
    let gate = Barmkin::serve(RULES, &[], &listeners);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let probe = runtime.block_on(Probe::connect(gate.address("envoy"))).unwrap();
    // Why a request is denied; `None` if it is not.
    let ask = |listener: &str, path: &str| match listener {
        "envoy" => runtime.block_on(probe.get(path, &[])).unwrap().reason,
        _ => {
            let target = if listener == "auth" { "/" } else { path };
            let request = Request::new("GET", target, "app").with("x-forwarded-method", "GET");
            let request = request.with("x-forwarded-uri", path).with("x-forwarded-host", "app");
            let answer = request.with("x-forwarded-proto", "https").send(gate.address(listener)).unwrap();
            let reason = answer.field("barmkin-reason").map(str::to_owned);
            assert_eq!(answer.status, if reason.is_none() { 200 } else { 403 });
            reason
        }
    };
    for (listener, _) in listeners {
        assert_eq!(ask(listener, "/all"), None, "{listener}");
        for path in ["/edge", "/auth", "/envoy"] {
            let expected = (path.trim_start_matches('/') != listener).then(|| "no-route".to_owned());
            assert_eq!(ask(listener, path), expected, "{path} by {listener}");
        }
    }
}

/// Requests go where their routes say, past an address where nobody listens.
#[test]
fn routes_have_their_upstreams() {
    let (own, named) = (Upstream::start(), Upstream::start());
    let gone = free_address();
    let rules = format!(
        "version = 1\n[upstreams.named]\naddresses = [\"http://{gone}\", \"http://{}\"]\n\
         [[routes]]\nname = \"own\"\npublic = true\n\
         [[routes]]\nname = \"named\"\nmatch = {{ path.prefix = \"/named\" }}\npublic = true\nupstream = \"named\"\n",
        named.address()
    );
    let gate = Barmkin::serve(&rules, &[], &[("edge", ListenerKind::ReverseProxy(own.address()))]);
    for (path, reached, other) in [("/named/a", &named, &own), ("/a", &own, &named)] {
        let mut stream = TcpStream::connect(gate.address("edge")).unwrap();
        stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: app\r\nconnection: close\r\n\r\n").as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert_eq!(reached.take_received().len(), 1, "{path}");
        assert!(other.take_received().is_empty(), "{path}");
    }
    let told = format!("an upstream takes no requests upstream=named address=http://{gone}");
    assert!(gate.output().contains(&told), "{}", gate.output());
}

/// Descriptors that a gate may have beside those that it has at rest.
const FEW: u64 = 24;

/// Of what the system hands out there is less than places: those at rest make
/// room for those who come.
#[test]
fn when_descriptors_run_out_idle_connections_give_way() {
    let upstream = Upstream::start();
    let gate = Barmkin::serve("version = 1\n", &[], &[("edge", ListenerKind::ReverseProxy(upstream.address()))]);
    let open = std::fs::read_dir(format!("/proc/{}/fd", gate.id())).unwrap().count() as u64;
    let process = rustix::process::Pid::from_raw(i32::try_from(gate.id()).unwrap());
    let limit = rustix::process::Rlimit { current: Some(open + FEW), maximum: Some(open + FEW) };
    rustix::process::prlimit(process, rustix::process::Resource::Nofile, limit).unwrap();
    let mut kept = Vec::new();
    for _ in 0..4 * FEW {
        let mut stream = TcpStream::connect(gate.address("edge")).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        // Nobody asks an upstream for it.
        stream.write_all(b"GET /none HTTP/1.1\r\nhost: app\r\n\r\n").unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"HTTP/1.1 403");
        kept.push(stream);
    }
    assert!(gate.output().contains("connections cannot be accepted"), "{}", gate.output());
}
