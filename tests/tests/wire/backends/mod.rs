//! Real applications behind the reverse proxy: what the gate guards is not
//! served to a client that may not have it, however it is asked for.

mod excepted;
mod fields;
mod generated;
mod methods;
mod named;
mod targets;

use crate::connection::{Answer, Connection};
use barmkin_tests::harness::{Backend, Barmkin, ListenerKind, Stack, Tool};
use barmkin_tests::rules::{self, SECRETS};
use std::net::SocketAddr;

const APP: &str = include_str!("app.py");

const RULES: &str = include_str!("../rules.toml");

const HOST: &str = "app.example";

/// The stacks that the cases are tried on.
const STACKS: [Stack; 5] = [
    Stack { framework: "flask", server: "werkzeug" },
    Stack { framework: "flask", server: "wsgiref" },
    Stack { framework: "flask", server: "waitress" },
    Stack { framework: "django", server: "uvicorn" },
    Stack { framework: "django", server: "hypercorn" },
];

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Caller {
    Nobody,
    /// Somebody with a role that may read.
    Reader,
}

impl Caller {
    fn field(self) -> &'static str {
        match self {
            Self::Nobody => "",
            Self::Reader => "x-api-key: reader-key\r\n",
        }
    }

    /// Whether `answer` is of a view that he may not have: what the application
    /// found, not what was asked for.
    fn may_not_have(self, answer: &Answer) -> bool {
        let view = answer.field("x-view").unwrap_or_default();
        let changes = matches!(answer.field("x-method"), Some("POST" | "PUT" | "PATCH" | "DELETE"));
        match view {
            "delete-users" | "me" => true,
            "admin" | "rotate" | "v1" | "secret" => self == Self::Nobody,
            "items" => changes && self == Self::Nobody,
            _ => false,
        }
    }
}

/// A gate in front of an application.
struct Site {
    _backend: Backend,
    gate: Barmkin,
    upstream: SocketAddr,
    pub(crate) stack: Stack,
}

impl Site {
    /// `None`, and a line that says so, where there is no Python for it.
    fn start(stack: Stack) -> Option<Self> {
        Self::with(stack, RULES, "")
    }

    /// With `rules`, and `lines` in the section of the listener.
    fn with(stack: Stack, rules: &str, lines: &'static str) -> Option<Self> {
        let python = Tool::Backends.find(&format!("attacks on the wire, with {stack:?}"))?;
        let backend = Backend::start(&python, APP, stack);
        let upstream = backend.address();
        let kind = ListenerKind::ReverseProxyWith(upstream, lines);
        let gate = Barmkin::serve(&rules::with_hashes(rules), &SECRETS, &[("in", kind)]);
        Some(Self { _backend: backend, gate, upstream, stack })
    }

    fn gate(&self) -> Connection {
        Connection::to(self.gate.address("in"))
    }
}

/// A request by its line and further fields, from `caller`.
fn request(method: &str, target: &str, caller: Caller, fields: &str) -> Vec<u8> {
    let length = if method.eq_ignore_ascii_case("get") || method.eq_ignore_ascii_case("head") {
        ""
    } else {
        "content-length: 0\r\n"
    };
    format!("{method} {target} HTTP/1.1\r\nhost: {HOST}\r\n{}{fields}{length}\r\n", caller.field()).into_bytes()
}

/// Fails with all of `failures`.
fn report(stack: Stack, tried: usize, failures: &[String]) {
    assert!(
        failures.is_empty(),
        "{stack:?}: {} of {tried} got what they may not have:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

/// The guards are there, and do not keep out what may come in: without this
/// the other tests would prove nothing.
#[test]
fn what_is_guarded_is_guarded_and_what_is_open_is_open() {
    for stack in STACKS {
        let Some(site) = Site::start(stack) else { return };
        let mut gate = site.gate();
        for (method, target, caller, expected) in [
            ("GET", "/admin", Caller::Nobody, Err("missing-api-key")),
            ("GET", "/admin", Caller::Reader, Ok("admin")),
            ("GET", "/keys:rotate", Caller::Nobody, Err("missing-api-key")),
            ("GET", "/keys:rotate", Caller::Reader, Ok("rotate")),
            ("GET", "/v1/users:delete", Caller::Reader, Err("insufficient-scope")),
            ("GET", "/v1/@me/data", Caller::Reader, Err("insufficient-scope")),
            ("GET", "/v1/items", Caller::Reader, Ok("v1")),
            ("POST", "/items", Caller::Nobody, Err("missing-api-key")),
            ("POST", "/items", Caller::Reader, Ok("items")),
            ("GET", "/items", Caller::Nobody, Ok("items")),
            ("GET", "/caf%C3%A9/a%20b", Caller::Nobody, Ok("open")),
        ] {
            let answer = gate.send(&request(method, target, caller, "")).expect("an answer");
            let seen = answer.reason().map_or_else(|| Ok(answer.field("x-view").unwrap_or_default()), Err);
            assert_eq!(seen, expected, "{stack:?}: {method} {target} by {caller:?}");
        }
        // And the application would serve it to anybody.
        let mut unguarded = Connection::to(site.upstream);
        let answer = unguarded.send(&request("GET", "/v1/users%3Adelete", Caller::Nobody, "")).expect("an answer");
        assert!(Caller::Reader.may_not_have(&answer), "{stack:?}: {answer:?}");
    }
}
