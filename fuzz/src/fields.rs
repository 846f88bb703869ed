//! A request's fields: nothing reaches the upstream that it could take for a
//! field of the gate, or for one that was read, in another spelling.
//!
//! The first line says how the request came, by letters; the others are a head.

use crate::guest;
use crate::head::{self, TARGET_BYTES_MAX};
use barmkin_host::{
    Body, Change, Denial, Gate, Head, Member, Overrides, PathMatch, Permit, Preflight, Principal, PrincipalKind, Route,
    Spec, Verdict,
};
use http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue, TRANSFER_ENCODING};
use http::{HeaderMap, Method, StatusCode, Version};
use std::collections::BTreeMap;
use std::sync::LazyLock;
use unicode_normalization::UnicodeNormalization;

/// Where the upstream learns who asks.
const PRINCIPAL_FIELD: HeaderName = HeaderName::from_static("barmkin-principal");

/// The fields that the gate below sets for the upstream.
const SET: [&str; 3] = ["barmkin-principal", "x-path", "x-request-id"];

/// The fields that frame or route a message, say where it came from or who sent
/// it, or are read by a policy: by the documentation, not by the engine's own
/// list.
const READ: [&str; 29] = [
    "access-control-request-method",
    "authorization",
    "barmkin-reason",
    "barmkin-status",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "expect",
    "forwarded",
    "host",
    "http2-settings",
    "keep-alive",
    "origin",
    "proxy-authorization",
    "proxy-connection",
    "range",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-api-key",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-proto",
    "x-real-ip",
    "x_odd",
];

/// The fields of these that the connection may name: they concern nothing else.
const OF_CONNECTIONS: [&str; 9] = [
    "connection",
    "expect",
    "http2-settings",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

const METHOD_OVERRIDES: [&str; 4] = ["x-http-method", "x-http-method-override", "x-method-override", "x-http-override"];

const TARGET_OVERRIDES: [&str; 5] = ["path-info", "script-name", "x-original-url", "x-rewrite-url", "x-script-name"];

/// One route of each kind that forwards.
static GATE: LazyLock<Gate> = LazyLock::new(|| {
    let route = |name: &str| {
        let mut route = Route::new(name);
        route.matches.path = PathMatch::Prefix(format!("/{name}"));
        route.public = true;
        route.chain = vec![Member::Policy("echo".to_owned())];
        route
    };
    let routes = vec![
        Route { matches: barmkin_host::RouteMatch::default(), ..route("open") },
        Route { overrides: Overrides::Forward, ..route("forward") },
        Route { preflight: Preflight::Forward, ..route("preflight") },
        Route { chain: Vec::new(), ..route("bare") },
        Route { observe: true, ..route("observed") },
        {
            let mut by_method = route("method");
            by_method.matches.methods = vec![Method::GET, Method::POST];
            by_method
        },
    ];
    let policies = [("echo".to_owned(), guest::echo())].into();
    crate::gate(&Spec { policies, routes, principal_field: Some(PRINCIPAL_FIELD), ..Spec::default() })
});

pub(crate) fn check(input: &[u8]) {
    let Some(head) = read(input) else { return };
    match GATE.check_now(head.clone(), Body::NotCarried).expect("the store is in memory") {
        Verdict::Allow(permit) => judge(&head, permit),
        Verdict::Deny(denial) => is_refused(&head, &denial),
    }
}

/// `0`, `1`, `2`, `3`: the version. `t`: by a trusted proxy. `p`: with a principal.
fn read(input: &[u8]) -> Option<Head> {
    let end = input.iter().position(|byte| *byte == b'\n')?;
    let (how, rest) = input.split_at_checked(end)?;
    let mut head = head::read(rest.get(1..)?).filter(|head| head.target.len() <= TARGET_BYTES_MAX)?;
    for letter in how {
        match letter {
            b'1' => head.version = Version::HTTP_11,
            b'2' => head.version = Version::HTTP_2,
            b'3' => head.version = Version::HTTP_3,
            b't' => head.client.trusted = true,
            b'p' => head.client.principal = Some(Principal::new(PrincipalKind::User, "J\u{f6}rg % 1", "test")),
            _ => {}
        }
    }
    Some(head)
}

fn judge(sent: &Head, permit: Box<Permit>) {
    let route = permit.route().to_owned();
    let preflight = is_preflight(sent);
    let mut expected = BTreeMap::from([("x-request-id", permit.request_id().to_string())]);
    if let Some(principal) = permit.principal() {
        assert_eq!((principal.id.as_str(), preflight), ("J\u{f6}rg % 1", false));
        expected.insert("barmkin-principal", "J%C3%B6rg%20%25%201".to_owned());
    }
    let has_set = !preflight && route != "bare";
    let path = normal_path(&sent.target);
    if has_set {
        expected.insert("x-path", path.clone());
    }
    let overrides = removed_overrides(&route, &path, preflight);
    let told = apply(&sent.headers, permit.changes());
    let (head, _) = permit.into_forwarded();
    assert_eq!(head.target, sent.target);
    assert_eq!(head.method, sent.method);
    assert_eq!(in_order(&head.headers), told, "what proxies are told is not what is forwarded");
    for (name, value) in &told {
        is_what_it_says(name, value, &expected);
        assert!(!overrides.contains(&name.as_str()), "`{name}` is forwarded on `{route}`");
    }
    for name in expected.keys() {
        assert_eq!(head.headers.get_all(*name).iter().count(), 1, "`{name}`");
    }
    is_whole(&sent.headers, &head.headers, &overrides);
    frames_one_message(&head.headers);
}

/// A field of the gate has the gate's value, and one that is read is one that
/// everybody reads.
fn is_what_it_says(name: &str, value: &[u8], expected: &BTreeMap<&str, String>) {
    for own in SET.iter().filter(|own| fold(own) == fold(name)) {
        assert_eq!(*own, name, "it is taken for another field");
        assert_eq!(expected.get(own).map(String::as_bytes), Some(value), "`{name}` is `{}`", value.escape_ascii());
    }
    let mut same = taken().filter(|taken| fold(taken) == fold(name)).peekable();
    assert!(same.peek().is_none() || same.any(|taken| taken == name), "`{name}` is taken for another field");
}

/// Fields that must not reach a backend that would take the method or the
/// target out of them, and not out of the request that was decided about: those
/// for the method only where it had a say, by the route or the one that it missed.
fn removed_overrides(route: &str, path: &str, preflight: bool) -> Vec<&'static str> {
    let path = path.to_ascii_lowercase();
    let by_method = preflight || path == "/method" || path.starts_with("/method/");
    match route {
        "forward" => Vec::new(),
        _ if by_method => [&METHOD_OVERRIDES[..], &TARGET_OVERRIDES].concat(),
        _ => TARGET_OVERRIDES.to_vec(),
    }
}

/// A field that the gate has no reason to touch arrives as it was sent.
fn is_whole(sent: &HeaderMap, forwarded: &HeaderMap, overrides: &[&str]) {
    let is_spelling = |name: &str| taken().all(|taken| taken != name) && taken().any(|taken| fold(taken) == fold(name));
    for name in sent.keys() {
        if !SET.contains(&name.as_str()) && !overrides.contains(&name.as_str()) && !is_spelling(name.as_str()) {
            let all = |headers: &HeaderMap| headers.get_all(name).iter().cloned().collect::<Vec<_>>();
            assert_eq!(all(forwarded), all(sent), "`{name}` has changed");
        }
    }
    let unknown = forwarded.keys().find(|name| !sent.contains_key(*name) && !SET.contains(&name.as_str()));
    assert_eq!(unknown, None, "it came from nowhere");
}

/// The next server takes off what `connection` names, and reads the length as
/// it was read here.
fn frames_one_message(forwarded: &HeaderMap) {
    for options in forwarded.get_all(CONNECTION) {
        for option in options.as_bytes().split(|byte| *byte == b',') {
            let option = String::from_utf8_lossy(option.trim_ascii()).to_ascii_lowercase();
            // An option that is not a field name takes nothing away.
            let is_name = HeaderName::from_bytes(option.as_bytes()).is_ok();
            let mut lost = taken().filter(|name| is_name && !OF_CONNECTIONS.contains(name));
            assert!(lost.all(|name| fold(name) != fold(&option)), "`connection` takes `{option}` away");
        }
    }
    let codings: Vec<_> = forwarded.get_all(TRANSFER_ENCODING).iter().map(HeaderValue::as_bytes).collect();
    assert!(codings.len() <= 1 && codings.iter().all(|coding| coding.eq_ignore_ascii_case(b"chunked")), "{codings:?}");
}

/// The answer is one that nobody keeps, and nobody takes for the upstream's.
fn is_refused(sent: &Head, denial: &Denial) {
    let response = denial.response();
    let fields = response.headers();
    assert_eq!(fields.get(CACHE_CONTROL).map(HeaderValue::as_bytes), Some(&b"no-store"[..]));
    if response.status() == StatusCode::OK {
        let kind = sent.headers.get(CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
        assert!(sent.version >= Version::HTTP_2 && kind.starts_with(b"application/grpc"), "a denial is 200");
        assert!(fields.get("grpc-status").is_some_and(|status| status != "0"));
    } else {
        assert!(response.status().as_u16() >= 400, "{}", response.status());
    }
    let own = ["barmkin-reason", "cache-control", "content-type", "grpc-message", "grpc-status", "retry-after"];
    assert!(fields.keys().all(|name| own.contains(&name.as_str()) || name == "x-request-id"), "{fields:?}");
}

/// Everything that a server behind could take another field for.
fn taken() -> impl Iterator<Item = &'static str> {
    SET.into_iter().chain(READ).chain(METHOD_OVERRIDES).chain(TARGET_OVERRIDES)
}

/// The path as the policy has it: it was let through.
fn normal_path(target: &str) -> String {
    let path = target.split('?').next().unwrap_or_default();
    let text = barmkin_path::decode(path).expect("it has one reading");
    barmkin_path::encode(&text.nfc().collect::<String>())
}

fn is_preflight(head: &Head) -> bool {
    let has = |name: &str| head.headers.contains_key(name);
    head.method == Method::OPTIONS && has("origin") && has("access-control-request-method")
}

/// A name as servers read it that tell no punctuation apart.
fn fold(name: &str) -> String {
    name.chars().map(|char| if char.is_ascii_alphanumeric() { char } else { '-' }).collect()
}

fn in_order(headers: &HeaderMap) -> Vec<(String, Vec<u8>)> {
    let mut fields: Vec<_> =
        headers.iter().map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec())).collect();
    fields.sort_by(|a, b| a.0.cmp(&b.0));
    fields
}

/// The fields as forwarded by a proxy that has its own list of them, and is
/// told of changes.
fn apply(headers: &HeaderMap, changes: &[Change]) -> Vec<(String, Vec<u8>)> {
    let mut fields = in_order(headers);
    for change in changes {
        let (name, value) = match change {
            Change::Set(name, value) | Change::Append(name, value) => (name, Some(value)),
            Change::Remove(name) => (name, None),
        };
        if !matches!(change, Change::Append(..)) {
            fields.retain(|(field, _)| field != name.as_str());
        }
        fields.extend(value.map(|value| (name.as_str().to_owned(), value.as_bytes().to_vec())));
    }
    fields.sort_by(|a, b| a.0.cmp(&b.0));
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Some of the corpus is let through, or the target would say nothing.
    #[test]
    fn every_route_forwards_something_of_the_corpus() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/fields");
        let mut routes = std::collections::BTreeSet::new();
        for file in std::fs::read_dir(folder).unwrap() {
            let head = read(&std::fs::read(file.unwrap().path()).unwrap());
            if let Some(Ok(Verdict::Allow(permit))) = head.map(|head| GATE.check_now(head, Body::NotCarried)) {
                routes.insert(permit.route().to_owned());
            }
        }
        assert_eq!(Vec::from_iter(routes), ["bare", "forward", "method", "observed", "open", "preflight"]);
    }
}
