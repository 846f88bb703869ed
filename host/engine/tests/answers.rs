//! The upstream's request, and the client's answer.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "tests")]

mod common;

use barmkin_host::*;
use common::{act, gate, head, keys, policy, route, scripted, spec};
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn one(change: impl FnOnce(&mut Spec)) -> Gate {
    let policies = vec![("first", scripted(0, true, OnError::Deny)), ("second", scripted(1, true, OnError::Deny))];
    let mut spec = spec(policies, vec![route("r", &[policy("first"), policy("second")])], 10);
    change(&mut spec);
    gate(&spec, MemoryStore::default())
}

fn check(gate: &Gate, fields: &[(String, String)]) -> Verdict {
    gate.check_now(head("/r", fields), Body::NotCarried).unwrap()
}

fn field(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

#[test]
fn what_clients_forge_is_removed_however_it_is_spelt() {
    let gate = one(|_| {});
    let fields = [
        act(0, "set:x-set-0=gate"),
        act(0, "allow:björn smith"),
        field("barmkin-principal", "admin"),
        field("barmkin_principal", "admin"),
        field("x_set-0", "forged"),
        field("x-set-0", "forged"),
        field("x-set-1", "forged"),
        field("x-request-id", "forged"),
        field("x-other", "kept"),
    ];
    let Verdict::Allow(permit) = check(&gate, &fields) else { panic!("denied") };
    let id = permit.request_id().to_string();
    let (head, _) = permit.into_forwarded();
    let of = |name: &str| head.headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect::<Vec<_>>();
    assert_eq!(of("barmkin-principal"), ["bj%C3%B6rn%20smith"]);
    assert_eq!(of("x-set-0"), ["gate"]);
    assert_eq!(of("x-request-id"), [id.as_str()]);
    assert_eq!(of("x-other"), ["kept"]);
    for name in ["barmkin_principal", "x_set-0", "x-set-1"] {
        assert_eq!(of(name), Vec::<&str>::new(), "{name}");
    }
}

#[test]
fn request_ids_come_from_trusted_proxies_only() {
    let gate = one(|_| {});
    let id = |trusted, given: &str| {
        let mut head = head("/r", &[act(0, "allow"), field("x-request-id", given)]);
        head.client.trusted = trusted;
        match gate.check_now(head, Body::NotCarried).unwrap() {
            Verdict::Allow(permit) => permit.request_id().to_string(),
            Verdict::Deny(denial) => denial.request_id().to_string(),
        }
    };
    assert_eq!(id(true, "from-the-proxy"), "from-the-proxy");
    assert_ne!(id(false, "from-the-client"), "from-the-client");
    assert_ne!(id(true, "not printable"), "not printable");
    assert_ne!(id(true, &"a".repeat(129)), "a".repeat(129));
}

#[test]
fn the_client_learns_a_reason_and_no_details() {
    let gate = one(|spec| spec.documentation = Some("https://docs.example.com/reasons#".into()));
    let Verdict::Deny(denial) = check(&gate, &[act(0, "unheard-of")]) else { panic!("allowed") };
    assert_eq!(denial.detail(), "unheard-of");
    let response = denial.response();
    assert_eq!(response.headers()["barmkin-reason"], "unknown-act");
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    let problem: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
    let expected = serde_json::json!({
        "type": "https://docs.example.com/reasons#unknown-act",
        "title": "Internal Server Error",
        "status": 500,
        "reason": "unknown-act",
        "request-id": denial.request_id().to_string(),
    });
    assert_eq!(problem, expected);
}

#[test]
fn grpc_clients_get_a_grpc_status() {
    let gate = one(|_| {});
    for (content_type, grpc) in
        [("application/grpc", true), ("application/grpc+proto", true), ("application/grpc-web", false)]
    {
        let fields = [act(0, "deny:no:403"), field("content-type", content_type)];
        let refused = |version| {
            let head = Head { version, ..head("/r", &fields) };
            let Verdict::Deny(denial) = gate.check_now(head, Body::NotCarried).unwrap() else { panic!("allowed") };
            assert_eq!(denial.response().headers()["cache-control"], "no-store");
            denial.response()
        };
        // Over HTTP/1.1 there is no gRPC.
        assert_eq!(refused(http::Version::HTTP_11).status(), 403, "{content_type}");
        let response = refused(http::Version::HTTP_2);
        assert_eq!(response.status(), if grpc { 200 } else { 403 }, "{content_type}");
        assert_eq!(response.headers().get("grpc-status").map(|status| status == "7"), grpc.then_some(true));
        assert_eq!(response.body().is_empty(), grpc);
    }
}

/// Asked for by every adapter, since all of them answer with `response`.
#[test]
fn an_embedder_has_denials_answered_in_a_form_of_its_own() {
    fn own(denial: &Denial) -> Option<DenialBody> {
        let content_type = http::HeaderValue::from_static("application/vnd.own+json");
        let bytes = format!(r#"{{"refused":"{}"}}"#, denial.reason()).into();
        (denial.reason().as_str() != "no").then_some(DenialBody { content_type, bytes })
    }
    let spec = spec(vec![("first", scripted(0, true, OnError::Deny))], vec![route("r", &[policy("first")])], 10);
    let services = Services { denial_form: Some(Arc::new(own)), ..Services::new(MemoryStore::default()) };
    let keys = keys();
    let first = Generation::build(&common::ENGINE, &spec, &keys, services).unwrap();
    // It stays when generations follow each other.
    let next = first.next(&common::ENGINE, &spec, &keys).unwrap();
    let rotated = next.with_keys(&common::ENGINE, &keys).unwrap();
    for generation in [first, next, rotated] {
        let gate = Gate::new(generation);
        let answer = |target, fields: &[(String, String)]| {
            let head = Head { version: http::Version::HTTP_2, ..head(target, fields) };
            let Verdict::Deny(denial) = gate.check_now(head, Body::NotCarried).unwrap() else { panic!("allowed") };
            denial.response()
        };
        let content_type = |response: &http::Response<bytes::Bytes>| response.headers()["content-type"].clone();

        let busy = answer("/r", &[act(0, "deny:busy:503")]);
        assert_eq!((busy.status().as_u16(), content_type(&busy).as_bytes()), (503, &b"application/vnd.own+json"[..]));
        assert_eq!(busy.body(), r#"{"refused":"busy"}"#);
        // Nor did a policy decide this; the fields are the gate's.
        let Verdict::Deny(overloaded) = gate.intake(head("/r", &[])).overloaded() else { panic!("allowed") };
        let overloaded = overloaded.response();
        assert_eq!((overloaded.status().as_u16(), overloaded.body()), (503, &r#"{"refused":"overloaded"}"#.into()));
        assert_eq!(overloaded.headers()["barmkin-reason"], "overloaded");
        assert_eq!(overloaded.headers()["cache-control"], "no-store");
        assert!(overloaded.headers().contains_key("retry-after"));

        let left = answer("/r", &[act(0, "deny:no:403")]);
        assert_eq!(content_type(&left), "application/problem+json");
        let grpc = answer("/r", &[act(0, "deny:busy:503"), field("content-type", "application/grpc")]);
        assert_eq!((content_type(&grpc), grpc.body().len()), ("application/grpc".parse().unwrap(), 0));
    }
}

#[test]
fn preflights_are_refused_unless_the_route_forwards_them() {
    let preflight = |gate: &Gate| {
        let fields = [field("origin", "https://a.example"), field("access-control-request-method", "PUT")];
        let mut head = head("/r", &fields);
        head.method = http::Method::OPTIONS;
        gate.check_now(head, Body::NotCarried).unwrap().reason().map(|reason| reason.as_str().to_owned())
    };
    assert_eq!(preflight(&one(|_| {})).as_deref(), Some("preflight-refused"));
    assert_eq!(preflight(&one(|spec| spec.routes[0].preflight = Preflight::Forward)), None);
}

#[test]
fn a_principal_is_named_once() {
    let gate = one(|_| {});
    let reason = |first: &str, second: &str| {
        check(&gate, &[act(0, format!("allow:{first}")), act(1, format!("allow:{second}"))])
            .reason()
            .map(ToString::to_string)
    };
    assert_eq!(reason("a", "a"), None);
    assert_eq!(reason("a", "b").as_deref(), Some("principal-conflict"));
    // The listener's word counts as a first.
    let mut head = head("/r", &[act(0, "principal:mtls"), act(0, "allow:other")]);
    head.client.principal = Some(Principal::new(PrincipalKind::Service, "mtls", "client-certificate"));
    let verdict = gate.check_now(head, Body::NotCarried).unwrap();
    assert_eq!(verdict.reason(), Some(&HostReason::PrincipalConflict.into()));
}

#[test]
fn later_policies_see_what_earlier_ones_established() {
    let gate = one(|_| {});
    let fields = [act(0, "facts:m1"), act(0, "allow:a"), act(1, "principal:a"), act(1, "message:m1")];
    assert_eq!(check(&gate, &fields).reason(), None);
}

#[test]
fn one_decision_one_generation() {
    let first = one(|_| {});
    let second = one(|spec| spec.routes[0].observe = true);
    assert_ne!(first.generation().digest(), second.generation().digest());
    let intake = first.intake(head("/r", &[act(0, "deny:no:403")]));
    let began_with = first.generation().digest();
    let policies = vec![("first", scripted(0, true, OnError::Deny))];
    let mut open = route("r", &[policy("first")]);
    open.observe = true;
    let spec = spec(policies, vec![open], 10);
    first.swap(common::build(&spec, MemoryStore::default()).unwrap());
    let Verdict::Deny(denial) = intake.decide_unbounded_now(Body::NotCarried).unwrap() else {
        panic!("the old generation denies")
    };
    assert_eq!(denial.generation(), began_with);
    assert!(matches!(check(&first, &[act(0, "deny:no:403")]), Verdict::Allow(_)));
}

#[test]
fn the_recorder_sees_what_was_decided() {
    #[derive(Default)]
    struct Lines(Mutex<Vec<String>>);
    impl Recorder for Lines {
        fn record(&self, decided: &Decided<'_>) {
            let line = format!("{} {} {:?} {:?}", decided.route, decided.head.target, decided.now, decided.denied);
            self.0.lock().unwrap().push(line);
        }
    }
    let lines = Arc::new(Lines::default());
    let mut services = Services::new(MemoryStore::default());
    services.recorder = Some(lines.clone());
    services.clock = Arc::new(FixedClock::at_unix_ms(5_000));
    let spec = spec(vec![("first", scripted(0, true, OnError::Deny))], vec![route("r", &[policy("first")])], 10);
    let key = Key::new(Algorithm::HmacSha256).with_secret("test", b"secret", None).unwrap();
    let gate = Gate::new(
        Generation::build(&common::ENGINE, &spec, &KeyRing::default().with("signing", key), services).unwrap(),
    );
    let _ = check(&gate, &[act(0, "deny:no:403")]);
    assert_eq!(*lines.0.lock().unwrap(), [format!("r /r {:?} {:?}", Duration::from_secs(5), Some("no"))]);
}

#[test]
fn bodies_are_whole_or_refused() {
    let gate = one(|spec| {
        spec.policies.get_mut("first").unwrap().settings["body"] = true.into();
        spec.routes[0].body_bytes_max = Some(4);
    });
    let reason = |body: Body| {
        let verdict = gate.check_now(head("/r", &[act(0, "allow")]), body).unwrap();
        verdict.reason().map(ToString::to_string)
    };
    assert_eq!(reason(Body::Whole("1234".into())), None);
    assert_eq!(reason(Body::Whole("12345".into())).as_deref(), Some("body-too-large"));
    assert_eq!(reason(Body::TooLarge).as_deref(), Some("body-too-large"));
    assert_eq!(reason(Body::Truncated).as_deref(), Some("body-truncated"));
    assert_eq!(reason(Body::NotCarried).as_deref(), Some("body-not-carried"));
    assert_eq!(gate.intake(head("/r", &[])).body_need(), BodyNeed::Whole { max_bytes: 4 });
}

#[test]
fn routes_that_differ_only_in_case_or_a_slash_are_not_confused() {
    let policies = vec![("first", scripted(0, true, OnError::Deny))];
    let mut open = Route::new("open");
    open.public = true;
    let mut exact = route("exact", &[policy("first")]);
    exact.matches.path = PathMatch::Exact("/hook".into());
    let gate = gate(&spec(policies, vec![route("admin", &[policy("first")]), open, exact], 10), MemoryStore::default());
    let outcome = |target: &str| {
        let verdict = gate.check_now(head(target, &[]), Body::NotCarried).unwrap();
        verdict.reason().map(ToString::to_string)
    };
    for (target, reason) in [
        ("/", None),
        ("/administrator", None),
        ("/hooks", None),
        ("/admin", Some("nobody-vouched")),
        ("/admin/", Some("nobody-vouched")),
        ("/admin/x?y", Some("nobody-vouched")),
        ("/%61dmin", Some("nobody-vouched")),
        ("/hook", Some("nobody-vouched")),
        ("/Admin", Some("ambiguous-path")),
        ("/ADMIN/x", Some("ambiguous-path")),
        ("/hook/", Some("ambiguous-path")),
        ("/HOOK", Some("ambiguous-path")),
    ] {
        assert_eq!(outcome(target).as_deref(), reason, "{target}");
    }
}
