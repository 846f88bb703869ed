//! Signed webhooks through a real Envoy, which asks the gate by ext_authz.

#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "a test ends by panicking")]

use barmkin_tests::harness::{Barmkin, Envoy, Gate, ListenerKind, Request, Response, Tool, Upstream, github_signature};
use barmkin_tests::rules::{self, GITHUB_SECRET, SECRETS};

/// Everything that a byte can be.
const BODY: &[u8] = b"{\"zen\": \"\xff\x00\x80 Keep it logically awesome.\"}";

/// Envoy, the gate behind it, and the upstream.
struct Setup {
    envoy: Envoy,
    gate: Barmkin,
    upstream: Upstream,
}

impl Setup {
    fn start(rules: &str) -> Option<Self> {
        let program = Tool::Envoy.find("webhooks through Envoy")?;
        let upstream = Upstream::start();
        let gate = Barmkin::serve(rules, &SECRETS, &[("envoy", ListenerKind::ExtAuthzUnix)]);
        let envoy = Envoy::start(&program, &Gate::Unix(&gate.socket("envoy")), upstream.address());
        Some(Self { envoy, gate, upstream })
    }

    fn send(&self, request: &Request) -> Response {
        request.send(self.envoy.address()).expect("Envoy answers")
    }
}

/// A delivery as GitHub sends it, signed over `signed`.
fn delivery(body: &[u8], signed: &[u8]) -> Request {
    Request::new("POST", "/webhooks/github", "hooks.example.com")
        .with("x-hub-signature-256", github_signature(GITHUB_SECRET, signed))
        .with("content-type", "application/json")
        .with_body(body)
}

fn assert_denied(answer: &Response, status: u16, reason: &str) {
    assert_eq!((answer.status, answer.field("barmkin-reason")), (status, Some(reason)), "{answer:?}");
    assert_eq!(answer.field(Upstream::MARK), None);
}

#[test]
fn a_signed_delivery_passes_once_with_its_principal() {
    let Some(setup) = Setup::start(&rules::api_and_webhooks()) else { return };

    let forged = delivery(BODY, BODY).with("barmkin-principal", "admin").with("Barmkin-Principal", "root");
    let answer = setup.send(&forged);
    assert_eq!((answer.status, answer.field(Upstream::MARK)), (200, Some("reached")), "{answer:?}");
    let received = setup.upstream.take_received();
    assert_eq!(received.len(), 1);
    assert_eq!(&received[0].body[..], BODY);
    let principals: Vec<_> = received[0].fields.get_all("barmkin-principal").iter().collect();
    assert_eq!(principals, ["github"], "the gate's own and no other");

    assert_denied(&setup.send(&delivery(BODY, BODY)), 409, "replayed");
    let mut tampered = BODY.to_vec();
    tampered[10] = 0xfe;
    assert_denied(&setup.send(&delivery(&tampered, BODY)), 403, "signature-mismatch");
    let unsigned = Request::new("POST", "/webhooks/github", "hooks.example.com").with_body(BODY);
    assert_denied(&setup.send(&unsigned), 403, "missing-signature");
    assert_eq!(setup.upstream.take_received().len(), 0);

    let log = setup.gate.output();
    for reason in ["replayed", "signature-mismatch", "missing-signature"] {
        assert!(log.contains(reason), "the operator learns of `{reason}`:\n{log}");
    }
    assert!(!log.contains(GITHUB_SECRET) && !log.contains("awesome"), "no secret and no body:\n{log}");
}

#[test]
fn a_duplicate_is_acknowledged_where_the_operator_says_so() {
    let rules = rules::api_and_webhooks().replace(r#"on-duplicate = "deny""#, r#"on-duplicate = "acknowledge""#);
    let Some(setup) = Setup::start(&rules) else { return };
    assert_eq!(setup.send(&delivery(BODY, BODY)).field(Upstream::MARK), Some("reached"));
    assert_eq!(setup.upstream.take_received().len(), 1);
    assert_denied(&setup.send(&delivery(BODY, BODY)), 200, "duplicate-acknowledged");
    assert_eq!(setup.upstream.take_received().len(), 0);
}

#[test]
fn over_quota_says_when_to_come_back() {
    let Some(setup) = Setup::start(&rules::api_and_webhooks()) else { return };
    let request = Request::new("GET", "/v1/scarce", "api.example.com").with("x-api-key", "reader-key");
    assert_eq!(setup.send(&request).field(Upstream::MARK), Some("reached"));
    let refused = setup.send(&request);
    assert_denied(&refused, 429, "over-quota");
    let seconds: u64 = refused.field("retry-after").expect("a time to wait").parse().expect("whole seconds");
    assert!((86_390..=86_400).contains(&seconds), "{seconds}");
}

#[test]
fn without_the_gate_nothing_passes() {
    let Some(mut setup) = Setup::start(&rules::api_and_webhooks()) else { return };
    let open = Request::new("GET", "/public", "api.example.com");
    assert_eq!(setup.send(&open).field(Upstream::MARK), Some("reached"));
    setup.upstream.take_received();
    setup.gate.kill();
    for request in [open, delivery(BODY, BODY)] {
        let answer = setup.send(&request);
        assert_eq!((answer.status, answer.field(Upstream::MARK)), (403, None), "{answer:?}");
    }
    assert_eq!(setup.upstream.take_received().len(), 0);
}

#[test]
fn a_body_that_envoy_does_not_hand_over_whole_is_refused() {
    let Some(setup) = Setup::start(&rules::api_and_webhooks()) else { return };
    let largest = vec![0xff; 64 * 1024];
    assert_eq!(setup.send(&delivery(&largest, &largest)).status, 200);
    let mut larger = largest;
    larger.push(0);
    assert_eq!(setup.send(&delivery(&larger, &larger)).status, 413);
    assert_eq!(setup.upstream.take_received().len(), 1);
}

#[test]
fn envoy_asks_by_http_too() {
    let Some(program) = Tool::Envoy.find("forward-auth for Envoy") else { return };
    let upstream = Upstream::start();
    let gate = Barmkin::serve(&rules::api(), &SECRETS, &[("envoy", ListenerKind::ForwardAuth("envoy-http"))]);
    let envoy = Envoy::start(&program, &Gate::Http(gate.address("envoy")), upstream.address());
    let send = |request: &Request| request.send(envoy.address()).expect("Envoy answers");

    let scarce = Request::new("GET", "/v1/scarce?page=2", "api.example.com").with("x-api-key", "reader-key");
    let forged = scarce.clone().with("barmkin-principal", "admin");
    assert_eq!(send(&forged).field(Upstream::MARK), Some("reached"));
    let received = upstream.take_received();
    let principals: Vec<_> = received[0].fields.get_all("barmkin-principal").iter().collect();
    assert_eq!(received.len(), 1);
    assert_eq!(principals, ["reader"], "the gate's own and no other");

    let refused = send(&scarce);
    assert_denied(&refused, 429, "over-quota");
    assert!(refused.field("retry-after").is_some(), "{refused:?}");
    let unknown = Request::new("GET", "/v1/scarce", "api.example.com").with("x-api-key", "no-key");
    assert_denied(&send(&unknown), 401, "unknown-api-key");
    assert_denied(&send(&Request::new("GET", "/v1/%2e%2e/admin", "api.example.com")), 400, "ambiguous-path");
    drop(gate);
    assert_eq!(send(&Request::new("GET", "/public", "api.example.com")).status, 403, "Envoy fails closed");
    assert_eq!(upstream.take_received().len(), 0);
}

/// Nor in the gate's log, however the parameter is written.
#[test]
fn a_key_in_the_query_does_not_reach_the_upstream() {
    let rules = rules::api().replace(
        "component = \"stock:api-key\"\n",
        "component = \"stock:api-key\"\nsettings.places = [{ header = \"x-api-key\" }, { query = \"key\" }]\n",
    );
    let upstream = Upstream::start();
    let listeners = [("envoy", ListenerKind::ExtAuthzUnix), ("edge", ListenerKind::ReverseProxy(upstream.address()))];
    let gate = Barmkin::serve(&rules, &SECRETS, &listeners);
    let envoy = Tool::Envoy
        .find("a key in the query")
        .map(|program| Envoy::start(&program, &Gate::Unix(&gate.socket("envoy")), upstream.address()));
    // Envoy writes what is left of a query again.
    let ways = [Some((gate.address("edge"), "b")), envoy.as_ref().map(|envoy| (envoy.address(), "b="))];
    for (address, b) in ways.into_iter().flatten() {
        for (target, expected) in [
            ("/v1/items?a=%2f&key=reader-key&b", &*format!("/v1/items?a=%2f&{b}")),
            ("/v1/items?k%65y=reader%2Dkey", "/v1/items"),
            ("/v1/items?key=reader-key", "/v1/items"),
        ] {
            let answer = Request::new("GET", target, "api.example.com").send(address).expect("an answer");
            assert_eq!(answer.status, 200, "{answer:?}");
            let received = upstream.take_received();
            let targets: Vec<_> = received.iter().map(|received| received.target.as_str()).collect();
            assert_eq!(targets, [expected], "{address}");
        }
        let wrong =
            Request::new("GET", "/v1/items?key=a-wrong-key", "api.example.com").send(address).expect("an answer");
        assert_denied(&wrong, 401, "unknown-api-key");
    }
    assert!(!gate.output().contains("a-wrong-key") && !gate.output().contains("reader-key"), "{}", gate.output());
}
