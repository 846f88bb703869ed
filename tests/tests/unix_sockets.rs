//! Real proxies that reach the gate over Unix sockets: forward-auth and the reverse
//! proxy, with the clients' own addresses.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use barmkin_tests::harness::{Barmkin, Caddy, Haproxy, ListenerKind, Nginx, Request, Tool, Upstream};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;

/// Every client may ask once.
const RULES: &str = r#"version = 1

[quotas.once]
rate = "1/day"
burst = 1
key = "client-address"

[policies.once]
component = "stock:rate-quota"
grants = { quotas = { quota = "once" } }

[[routes]]
name = "once"
match = { path.exact = "/once" }
public = true
chain = ["once"]
"#;

/// The status for a client at 127.0.0.`last`.
fn ask(proxy: SocketAddr, last: u8, path: &str) -> (u16, Option<String>) {
    let answer = Request::new("GET", path, "app").send_from(([127, 0, 0, last], 0).into(), proxy).unwrap();
    let reason = answer.field("barmkin-reason").map(str::to_owned);
    (answer.status, reason)
}

/// Each client has a quota of its own, and what is denied never arrives.
fn tells_clients_apart(proxy: SocketAddr, upstream: &Upstream, forwarded_for: &[&str; 2], what: &str) {
    for (last, forwarded_for) in [(2, forwarded_for[0]), (3, forwarded_for[1])] {
        assert_eq!(ask(proxy, last, "/once").0, 200, "{what}, client {last}");
        let received = upstream.take_received();
        assert_eq!(received.len(), 1, "{what}");
        assert_eq!(received[0].fields["x-forwarded-for"], forwarded_for, "{what}");
        assert_eq!(ask(proxy, last, "/once"), (429, Some("over-quota".to_owned())), "{what}, client {last}");
        assert_eq!(ask(proxy, last, "/other"), (403, Some("no-route".to_owned())), "{what}");
        assert!(upstream.take_received().is_empty(), "{what}");
    }
}

#[test]
fn forward_auth_callers_come_by_a_socket_as_printed() {
    let upstream = Upstream::start();
    let forwarded_for = ["127.0.0.2", "127.0.0.3"];
    for (proxy, tool) in [("nginx", Tool::Nginx), ("caddy", Tool::Caddy), ("haproxy", Tool::Haproxy)] {
        let Some(program) = tool.find(&format!("{proxy} by a Unix socket")) else { continue };
        let gate = Barmkin::serve(RULES, &[], &[("auth", ListenerKind::ForwardAuthUnix(proxy))]);
        let configuration = gate.configuration();
        let check = |at| tells_clients_apart(at, &upstream, &forwarded_for, proxy);
        match proxy {
            "nginx" => check(Nginx::start_for(&program, &configuration, "auth", upstream.address()).address()),
            "caddy" => check(Caddy::start_for(&program, &configuration, "auth", upstream.address()).address()),
            _ => check(Haproxy::start_for(&program, &configuration, "auth", upstream.address()).address()),
        }
    }
}

#[test]
fn nginx_passes_to_the_reverse_proxy_by_a_socket() {
    let Some(program) = Tool::Nginx.find("nginx in front of a Unix socket") else { return };
    let upstream = Upstream::start();
    let edge = ListenerKind::ReverseProxyUnix(upstream.address(), "trusted-proxies = [\"127.0.0.1\"]");
    let gate = Barmkin::serve(RULES, &[], &[("edge", edge)]);
    let nginx = Nginx::in_front_of(&program, &gate.socket("edge"));
    let forwarded_for = ["127.0.0.2, 127.0.0.1", "127.0.0.3, 127.0.0.1"];
    tells_clients_apart(nginx.address(), &upstream, &forwarded_for, "nginx");
}

#[test]
fn haproxy_says_by_the_proxy_protocol_who_comes_by_a_socket() {
    let Some(program) = Tool::Haproxy.find("HAProxy in front of a Unix socket") else { return };
    let upstream = Upstream::start();
    let edge = ListenerKind::ReverseProxyUnix(upstream.address(), "proxy-protocol = [\"127.0.0.1\"]");
    let gate = Barmkin::serve(RULES, &[], &[("edge", edge)]);
    let server = format!("unix@{} send-proxy-v2", gate.socket("edge").display());
    let haproxy = Haproxy::in_front_of_server(&program, &server);
    tells_clients_apart(haproxy.address(), &upstream, &["127.0.0.2", "127.0.0.3"], "HAProxy");
}

/// A process that is not listed is not believed: all are one client.
#[test]
fn a_process_that_is_no_proxy_speaks_for_itself_alone() {
    let upstream = Upstream::start();
    let gate = Barmkin::serve(RULES, &[], &[("edge", ListenerKind::ReverseProxyUnix(upstream.address(), ""))]);
    assert!(gate.output().contains("all clients of this Unix socket count as one, 127.0.0.1"), "{}", gate.output());
    let ask = |client: &str| {
        let request = Request::new("GET", "/once", "app").with("x-forwarded-for", client);
        request.send_over(UnixStream::connect(gate.socket("edge")).unwrap()).unwrap().status
    };
    assert_eq!((ask("192.0.2.1"), ask("192.0.2.2")), (200, 429));
    assert_eq!(upstream.take_received()[0].fields["x-forwarded-for"], "127.0.0.1");
}
