//! The ways in, each with a gate and an upstream of its own.

use crate::cases::Case;
use crate::{eval, tower};
use barmkin_tests::harness::{Barmkin, Caddy, Envoy, Gate, ListenerKind, Nginx, Received, Recorder, Tool, Upstream};
use barmkin_tests::rules::{self, SECRETS};
use std::any::Any;
use std::net::SocketAddr;

/// A way in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Envoy,
    Nginx,
    Caddy,
    ReverseProxy,
    Tower,
    Eval,
}

/// The outcome of a request.
#[derive(Clone, Debug)]
pub(crate) enum Seen {
    /// It passed; this is what arrived, where there is an upstream, and the
    /// principal.
    Allow { received: Option<Received>, principal: Option<String> },
    /// The gate denied it.
    Deny(String),
    /// The proxy answered by itself, with this status; 0 if it just closed.
    Refused(u16),
}

/// Asks about requests, in their order where one depends on another.
pub(crate) type Ask = Box<dyn Fn(&[Case]) -> Vec<Seen>>;

impl Way {
    /// Starts what it takes; `None`, and a line that says so, where something
    /// is missing.
    pub(crate) fn start(self) -> Option<Ask> {
        let what = format!("the same requests through {self:?}");
        Some(match self {
            Self::Envoy => {
                let program = Tool::Envoy.find(&what)?;
                let upstream = Upstream::start();
                let gate = Barmkin::serve(&rules::api_and_webhooks(), &SECRETS, &[("in", ListenerKind::ExtAuthz)]);
                let envoy = Envoy::start(&program, &Gate::Tcp(gate.address("in")), upstream.address());
                through(envoy.address(), upstream, (envoy, gate))
            }
            Self::Nginx => {
                let program = Tool::Nginx.find(&what)?;
                let upstream = Upstream::start();
                let gate = Barmkin::serve(&rules::api(), &SECRETS, &[("in", ListenerKind::ForwardAuth("nginx"))]);
                let nginx = Nginx::start(&program, gate.address("in"), upstream.address());
                through(nginx.address(), upstream, (nginx, gate))
            }
            Self::Caddy => {
                let program = Tool::Caddy.find(&what)?;
                let upstream = Upstream::start();
                let gate = Barmkin::serve(&rules::api(), &SECRETS, &[("in", ListenerKind::ForwardAuth("caddy"))]);
                let caddy = Caddy::start(&program, gate.address("in"), upstream.address());
                through(caddy.address(), upstream, (caddy, gate))
            }
            Self::ReverseProxy => {
                let upstream = Upstream::start();
                let kind = ListenerKind::ReverseProxy(upstream.address());
                let gate = Barmkin::serve(&rules::api_and_webhooks(), &SECRETS, &[("in", kind)]);
                through(gate.address("in"), upstream, gate)
            }
            Self::Tower => {
                let recorder = Recorder::default();
                let server = tower::serve(recorder.clone());
                over_http(server.address(), move || recorder.take(), server)
            }
            Self::Eval => eval::way(),
        })
    }

    /// Whether what this way allows arrives somewhere.
    pub(crate) fn has_upstream(self) -> bool {
        self != Self::Eval
    }
}

fn through(address: SocketAddr, upstream: Upstream, servers: impl Any) -> Ask {
    over_http(address, move || upstream.take_received(), servers)
}

/// Sends requests to `address`; `servers` live as long as somebody asks.
fn over_http(address: SocketAddr, received: impl Fn() -> Vec<Received> + 'static, servers: impl Any) -> Ask {
    Box::new(move |cases| {
        let _servers = &servers;
        cases.iter().map(|case| send(address, &received, case)).collect()
    })
}

fn send(address: SocketAddr, received: &impl Fn() -> Vec<Received>, case: &Case) -> Seen {
    let answer = case.request.send(address);
    let mut arrived = received();
    let Ok(answer) = answer else {
        assert!(arrived.is_empty(), "`{}` arrived, and was not answered", case.name);
        return Seen::Refused(0);
    };
    if answer.field(Upstream::MARK).is_some() {
        assert_eq!(arrived.len(), 1, "`{}` was answered by the upstream", case.name);
        let received = arrived.pop();
        let principal = received.as_ref().and_then(principal);
        return Seen::Allow { received, principal };
    }
    assert!(arrived.is_empty(), "`{}` was denied, and arrived", case.name);
    match answer.field("barmkin-reason") {
        Some(reason) => Seen::Deny(reason.to_owned()),
        None => Seen::Refused(answer.status),
    }
}

/// The value that the upstream would take for the principal: every copy of the
/// field, as a server that merges them would read them.
fn principal(received: &Received) -> Option<String> {
    let spellings = received.fields.iter().filter(|(name, _)| name.as_str().replace('_', "-") == "barmkin-principal");
    let values: Vec<_> = spellings.map(|(_, value)| String::from_utf8_lossy(value.as_bytes())).collect();
    // An empty field is how a proxy that cannot remove one replaces it.
    (!values.is_empty()).then(|| values.join(",")).filter(|principal| !principal.is_empty())
}
