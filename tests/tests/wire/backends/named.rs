//! Spellings of paths, by name. `FAILED` marks those that reached what is
//! guarded before there was one normal form.

use super::{Caller, RULES, STACKS, Site, report, request};

/// Was it served, once, to somebody who may not have it?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Before {
    Failed,
    Held,
}

use Before::{Failed, Held};

const CASES: &[(&str, &str, Caller, Before)] = &[
    ("colon encoded", "/keys%3Arotate", Caller::Nobody, Failed),
    ("colon encoded in lower case", "/keys%3arotate", Caller::Nobody, Failed),
    ("colon and letters encoded", "/%6beys%3Ar%6ftate", Caller::Nobody, Failed),
    ("colon of a custom method encoded", "/v1/users%3Adelete", Caller::Reader, Failed),
    ("colon of a custom method encoded, letters too", "/v1/user%73%3a%64elete", Caller::Reader, Failed),
    ("at sign encoded", "/v1/%40me/data", Caller::Reader, Failed),
    ("at sign and letters encoded", "/v1/%40%6D%65/data", Caller::Reader, Failed),
    ("colon encoded before a query", "/keys%3Arotate?a=b", Caller::Nobody, Failed),
    ("colon encoded twice", "/keys%253Arotate", Caller::Nobody, Held),
    ("digits of a double encoding encoded", "/%25%36%31dmin", Caller::Nobody, Held),
    ("dots encoded twice, digit by digit", "/x/%25%32%65%25%32%65/admin", Caller::Nobody, Held),
    ("percent sign of an encoding encoded", "/%2561dmin", Caller::Nobody, Held),
    ("letter encoded", "/%61dmin", Caller::Nobody, Held),
    ("all letters encoded", "/%61%64%6d%69%6e", Caller::Nobody, Held),
    ("dot segment", "/x/../admin", Caller::Nobody, Held),
    ("dot segment encoded", "/x/%2e%2e/admin", Caller::Nobody, Held),
    ("single dot", "/./admin", Caller::Nobody, Held),
    ("two slashes", "//admin", Caller::Nobody, Held),
    ("slash encoded", "/x%2f..%2fadmin", Caller::Nobody, Held),
    ("backslash", "/x\\..\\admin", Caller::Nobody, Held),
    ("backslash encoded", "/x%5c..%5cadmin", Caller::Nobody, Held),
    ("parameter", "/admin;x=y", Caller::Nobody, Held),
    ("parameter encoded", "/admin%3bx=y", Caller::Nobody, Held),
    ("slash at the end", "/admin/", Caller::Nobody, Held),
    ("other case", "/ADMIN", Caller::Nobody, Held),
    ("other case of a custom method", "/v1/USERS:delete", Caller::Reader, Held),
    ("null at the end", "/admin%00", Caller::Nobody, Held),
    ("line feed at the end", "/admin%0a", Caller::Nobody, Held),
    ("carriage return at the end", "/keys:rotate%0d", Caller::Nobody, Held),
    ("query encoded", "/admin%3fx", Caller::Nobody, Held),
    ("fragment encoded", "/admin%23x", Caller::Nobody, Held),
    ("fullwidth colon", "/keys%EF%BC%9Arotate", Caller::Nobody, Held),
    ("fullwidth letter", "/%EF%BD%81dmin", Caller::Nobody, Held),
    ("overlong letter", "/%C1%A1dmin", Caller::Nobody, Held),
    ("unescape", "/%u0061dmin", Caller::Nobody, Held),
    ("unescape encoded", "/%25u0061dmin", Caller::Nobody, Held),
];

#[test]
fn no_spelling_with_a_name_reaches_what_is_guarded() {
    for stack in STACKS {
        let Some(site) = Site::start(stack) else { return };
        let mut gate = site.gate();
        let mut failures = Vec::new();
        for (name, target, caller, before) in CASES {
            let Some(answer) = gate.send(&request("GET", target, *caller, "")) else { continue };
            if caller.may_not_have(&answer) {
                failures.push(format!("{name} ({before:?} before): {target}"));
            }
        }
        report(stack, CASES.len(), &failures);
    }
}

/// Characters that nobody sees, in every place of a guarded name: refused, so
/// that it does not matter who drops them.
#[test]
fn what_nobody_sees_is_refused() {
    let Some(site) = STACKS.first().and_then(|stack| Site::start(*stack)) else { return };
    let mut gate = site.gate();
    for char in [
        "%C2%AD",
        "%E2%80%8B",
        "%E2%80%8D",
        "%E2%80%8E",
        "%E2%80%AE",
        "%E2%81%A0",
        "%E2%81%A6",
        "%EF%BB%BF",
        "%EF%B8%8F",
        "%F3%A0%81%81",
        "%C2%85",
        "%C2%9B",
        "%C2%A0",
        "%E3%85%A4",
        "%EF%80%BA",
        "%EF%BF%BF",
        "%7f",
        "%1b",
    ] {
        for target in [format!("/{char}admin"), format!("/ad{char}min"), format!("/admin{char}"), format!("/x/{char}")]
        {
            let answer = gate.send(&request("GET", &target, Caller::Nobody, "")).expect("an answer");
            assert_eq!(answer.reason(), Some("ambiguous-path"), "{target}");
        }
    }
}

/// The same path in two spellings: one decision, whichever server reads it.
#[test]
fn two_spellings_of_a_path_have_one_verdict() {
    let Some(site) = STACKS.first().and_then(|stack| Site::start(*stack)) else { return };
    let mut gate = site.gate();
    for (one, other) in [
        ("/keys:rotate", "/keys%3Arotate"),
        ("/v1/users:delete", "/v1/users%3adelete"),
        ("/v1/@me/data", "/v1/%40me/data"),
        ("/v1/a|b", "/v1/a%7Cb"),
        ("/v1/a[0]", "/v1/a%5B0%5d"),
        ("/v1/!$&'()*+,=", "/v1/%21%24%26%27%28%29%2A%2B%2C%3D"),
        ("/v1/-._~", "/v1/%2D%2E%5F%7E"),
        ("/v1/caf%C3%A9", "/v1/cafe%CC%81"),
        ("/v1/caf%C3%A9", "/v1/caf%c3%a9"),
    ] {
        let mut verdict = |target| {
            let answer = gate.send(&request("GET", target, Caller::Reader, "")).expect("an answer");
            answer.reason().map(str::to_owned)
        };
        assert_eq!(verdict(one), verdict(other), "{one} and {other}");
    }
}

/// A route whose pattern is spelled otherwise is the same route.
#[test]
fn a_route_is_the_same_however_it_is_spelled() {
    let rules = RULES.replace("\"/keys:rotate\"", "\"/%6Beys%3arotate\"").replace("users:delete", "users%3Adelete");
    let Some(site) = STACKS.first().and_then(|stack| Site::with(*stack, &rules, "")) else { return };
    let mut gate = site.gate();
    for (target, caller) in [
        ("/keys:rotate", Caller::Nobody),
        ("/keys%3Arotate", Caller::Nobody),
        ("/v1/users:delete", Caller::Reader),
        ("/v1/users%3Adelete", Caller::Reader),
    ] {
        let answer = gate.send(&request("GET", target, caller, "")).expect("an answer");
        assert!(!caller.may_not_have(&answer), "{target}");
    }
}

/// For a backend that folds more, the operator says so.
#[test]
fn a_route_refuses_what_its_backend_folds() {
    let rules =
        RULES.replace("public = true", "public = true\nbackend-folds = [\"windows-names\", \"format-suffixes\"]");
    let Some(site) = STACKS.first().and_then(|stack| Site::with(*stack, &rules, "")) else { return };
    let mut gate = site.gate();
    for target in [
        "/admin.",
        "/admin%20",
        "/admin.%20.",
        "/admin::$DATA",
        "/admin%3A%3A$DATA",
        "/ADMINI~1",
        "/a.%20/b",
        "/admin.json",
        "/admin%2ejson",
        "/admin.x/",
    ] {
        let answer = gate.send(&request("GET", target, Caller::Nobody, "")).expect("an answer");
        assert_eq!(answer.reason(), Some("ambiguous-path"), "{target}");
    }
    for target in ["/", "/public", "/a.b/c", "/~user", "/.well-known"] {
        let answer = gate.send(&request("GET", target, Caller::Nobody, "")).expect("an answer");
        assert_eq!(answer.reason(), None, "{target}");
    }
}
