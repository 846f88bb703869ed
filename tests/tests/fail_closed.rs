//! Proxies without their gate: nothing passes.

#![allow(clippy::expect_used, reason = "a test ends by panicking")]

use barmkin_tests::harness::{Caddy, Envoy, Gate, Nginx, Request, Tool, Upstream, free_address};
use std::net::SocketAddr;

#[test]
fn envoy_without_a_gate_lets_nothing_through() {
    let Some(program) = Tool::Envoy.find("Envoy without a gate") else { return };
    let upstream = Upstream::start();
    let envoy = Envoy::start(&program, &Gate::Tcp(free_address()), upstream.address());
    assert_refused(&upstream, envoy.address(), 403);
}

#[test]
fn nginx_without_a_gate_lets_nothing_through() {
    let Some(program) = Tool::Nginx.find("nginx without a gate") else { return };
    let upstream = Upstream::start();
    let nginx = Nginx::start(&program, free_address(), upstream.address());
    assert_refused(&upstream, nginx.address(), 500);
}

#[test]
fn caddy_without_a_gate_lets_nothing_through() {
    let Some(program) = Tool::Caddy.find("Caddy without a gate") else { return };
    let upstream = Upstream::start();
    let caddy = Caddy::start(&program, free_address(), upstream.address());
    assert_refused(&upstream, caddy.address(), 502);
}

fn assert_refused(upstream: &Upstream, proxy: SocketAddr, status: u16) {
    let answer = Request::new("GET", "/public", "api.example.com").send(proxy).expect("the proxy answers");
    assert_eq!((answer.status, answer.field(Upstream::MARK)), (status, None), "{answer:?}");
    assert_eq!(upstream.take_received().len(), 0);
}
