//! Methods: Werkzeug and Django put them into capitals before they look at
//! them.

use super::{Caller, RULES, STACKS, Site, report, request};

#[test]
fn a_method_in_another_case_is_refused() {
    for stack in STACKS {
        let Some(site) = Site::start(stack) else { return };
        let mut gate = site.gate();
        let methods =
            ["post", "Post", "pOST", "delete", "Delete", "put", "patch", "pATCH", "get", "head", "connect", "x"];
        let mut failures = Vec::new();
        for method in methods {
            for fields in ["", "x-http-method-override: DELETE\r\n"] {
                let answer = gate.send(&request(method, "/items", Caller::Nobody, fields)).expect("an answer");
                if Caller::Nobody.may_not_have(&answer) || answer.reason() != Some("method-not-uppercase") {
                    failures.push(format!("{method} {fields:?}: {answer:?}"));
                }
            }
        }
        report(stack, methods.len(), &failures);
    }
}

#[test]
fn methods_that_nobody_knows_go_their_way() {
    let Some(site) = STACKS.first().and_then(|stack| Site::start(*stack)) else { return };
    let mut gate = site.gate();
    for method in ["PURGE", "M-SEARCH", "VERSION-CONTROL", "QUERY"] {
        let answer = gate.send(&request(method, "/items", Caller::Nobody, "")).expect("an answer");
        assert_eq!((answer.reason(), answer.status), (None, 405), "{method}: the application's answer");
    }
}

#[test]
fn head_is_decided_as_get_unless_a_route_names_it() {
    let guarded = |methods: &str| RULES.replace(r#"["POST", "PUT", "PATCH", "DELETE"]"#, methods);
    let more =
        "\n[[routes]]\nname = \"heads\"\nmatch = { path.exact = \"/items\", methods = [\"HEAD\"] }\npublic = true\n";
    for (rules, get, head) in [
        (guarded(r#"["GET"]"#), Some("missing-api-key"), Some("missing-api-key")),
        (guarded(r#"["GET"]"#) + more, Some("missing-api-key"), None),
        (guarded(r#"["HEAD"]"#), None, Some("missing-api-key")),
    ] {
        let Some(site) = STACKS.first().and_then(|stack| Site::with(*stack, &rules, "")) else { return };
        let mut gate = site.gate();
        let mut reason = |method| {
            let answer = gate.send(&request(method, "/items", Caller::Nobody, "")).expect("an answer");
            answer.reason().map(str::to_owned)
        };
        assert_eq!((reason("GET").as_deref(), reason("HEAD").as_deref()), (get, head), "{rules}");
    }
}

/// The fields with which clients replace the method or the target, as the
/// application may see them.
const OVERRIDES: [&str; 9] = [
    "x-http-method-override",
    "X-HTTP-Method-Override",
    "x_http_method_override",
    "X-HTTP-Method",
    "X-Method-Override",
    "x-method_override",
    "X-Original-URL",
    "x-rewrite-url",
    "x_original_url",
];

#[test]
fn fields_that_replace_what_was_decided_about_do_not_arrive() {
    use barmkin_tests::harness::{Barmkin, ListenerKind, Upstream};
    use barmkin_tests::rules::{SECRETS, with_hashes};

    let upstream = Upstream::start();
    let forwarding = RULES.replace("public = true", "public = true\noverrides = \"forward\"");
    for (rules, removed) in [(RULES, true), (forwarding.as_str(), false)] {
        let kind = ListenerKind::ReverseProxy(upstream.address());
        let gate = Barmkin::serve(&with_hashes(rules), &SECRETS, &[("in", kind)]);
        let mut gate = crate::connection::Connection::to(gate.address("in"));
        for field in OVERRIDES {
            let fields = format!("{field}: DELETE\r\nx-kept: 1\r\n");
            let answer = gate.send(&request("GET", "/items", Caller::Nobody, &fields)).expect("an answer");
            assert_eq!(answer.reason(), None);
            let received = upstream.take_received().pop().expect("it arrived");
            assert!(received.fields.contains_key("x-kept"));
            // Other spellings have no use, and are removed in any case.
            let arrived = received.fields.contains_key(field);
            assert_eq!(arrived, !removed && !field.contains('_'), "{field}");
        }
    }
}

#[test]
fn a_query_that_replaces_the_method_is_refused_where_the_method_counts() {
    let Some(site) = STACKS.first().and_then(|stack| Site::start(*stack)) else { return };
    let mut gate = site.gate();
    // The route for all methods has a POST that is guarded beside it.
    for query in ["_method=DELETE", "a=b&_method=DELETE", "%5Fmethod=DELETE", "a;_method=x"] {
        let post = request("POST", &format!("/items?{query}"), Caller::Reader, "");
        assert_eq!(gate.send(&post).expect("an answer").reason(), Some("method-overridden"), "{query}");
    }
    for (method, target) in
        [("GET", "/items?_method=DELETE"), ("POST", "/other?_method=DELETE"), ("POST", "/items?method=x")]
    {
        let answer = gate.send(&request(method, target, Caller::Reader, "")).expect("an answer");
        assert_eq!(answer.reason(), None, "{method} {target}");
    }
}
