//! The proxies, in front of one origin each, with one gate behind all.

use super::origin::Origin;
use barmkin_tests::harness::{Barmkin, Caddy, Envoy, Gate, Haproxy, ListenerKind, Nginx, Tool};
use barmkin_tests::rules::{self, SECRETS};
use std::any::Any;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::LazyLock;

static GATE: LazyLock<Barmkin> = LazyLock::new(|| {
    let listeners = [
        ("nginx", ListenerKind::ForwardAuth("nginx")),
        ("caddy", ListenerKind::ForwardAuth("caddy")),
        ("haproxy", ListenerKind::ForwardAuth("haproxy")),
        ("envoy", ListenerKind::ExtAuthz),
        ("envoy-http", ListenerKind::ForwardAuth("envoy-http")),
    ];
    Barmkin::serve(&rules::api(), &SECRETS, &listeners)
});

/// A proxy that asks the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Front {
    Nginx,
    /// The same, spoken to in HTTP/2.
    NginxHttp2,
    Caddy,
    Haproxy,
    Envoy,
    /// Envoy that asks over HTTP.
    EnvoyHttp,
}

/// A running proxy and what is behind it.
pub(super) struct Setup {
    pub(super) address: SocketAddr,
    pub(super) origin: Origin,
    _proxy: Box<dyn Any>,
}

impl Front {
    /// Those that speak HTTP/1.1.
    pub(super) const ALL: [Self; 5] = [Self::Nginx, Self::Caddy, Self::Haproxy, Self::Envoy, Self::EnvoyHttp];

    fn listener(self) -> &'static str {
        match self {
            Self::Nginx | Self::NginxHttp2 => "nginx",
            Self::Caddy => "caddy",
            Self::Haproxy => "haproxy",
            Self::Envoy => "envoy",
            Self::EnvoyHttp => "envoy-http",
        }
    }

    fn tool(self) -> Tool {
        match self {
            Self::Nginx | Self::NginxHttp2 => Tool::Nginx,
            Self::Caddy => Tool::Caddy,
            Self::Haproxy => Tool::Haproxy,
            Self::Envoy | Self::EnvoyHttp => Tool::Envoy,
        }
    }

    /// With the gate that all share; `None`, and a line that says so, where the
    /// proxy is missing.
    pub(super) fn start(self) -> Option<Setup> {
        let program = self.tool().find(&format!("attacks through {self:?}"))?;
        Some(self.with_gate(&program, GATE.address(self.listener())))
    }

    /// With whatever is at `gate`.
    pub(super) fn start_with(self, gate: SocketAddr) -> Option<Setup> {
        let program = self.tool().find(&format!("attacks through {self:?}"))?;
        Some(self.with_gate(&program, gate))
    }

    fn with_gate(self, program: &Path, gate: SocketAddr) -> Setup {
        let origin = Origin::start();
        let (address, proxy): (_, Box<dyn Any>) = match self {
            Self::Nginx => {
                let nginx = Nginx::start(program, gate, origin.address());
                (nginx.address(), Box::new(nginx))
            }
            Self::NginxHttp2 => {
                let nginx = Nginx::start_http2(program, gate, origin.address());
                (nginx.address(), Box::new(nginx))
            }
            Self::Caddy => {
                let caddy = Caddy::start(program, gate, origin.address());
                (caddy.address(), Box::new(caddy))
            }
            Self::Haproxy => {
                let haproxy = Haproxy::start(program, gate, origin.address());
                (haproxy.address(), Box::new(haproxy))
            }
            Self::Envoy => {
                let envoy = Envoy::start(program, &Gate::Tcp(gate), origin.address());
                (envoy.address(), Box::new(envoy))
            }
            Self::EnvoyHttp => {
                let envoy = Envoy::start(program, &Gate::Http(gate), origin.address());
                (envoy.address(), Box::new(envoy))
            }
        };
        Setup { address, origin, _proxy: proxy }
    }
}
