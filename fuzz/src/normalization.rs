//! A request as anybody can send it: the first line is the method and the
//! target, the second the authority, the others are fields.

use barmkin_host::{Body, Client, Gate, Head, PathMatch, Route, Spec, Verdict};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use percent_encoding::percent_decode_str;
use std::sync::LazyLock;

/// Everything is open but what is below `/admin`, where nobody vouches.
static GATE: LazyLock<Gate> = LazyLock::new(|| {
    let mut open = Route::new("open");
    open.public = true;
    let mut admin = Route::new("admin");
    admin.matches.path = PathMatch::Prefix("/admin".to_owned());
    admin.public = true;
    crate::gate(&Spec { routes: vec![open, admin], ..Spec::default() })
});

pub(crate) fn check(input: &[u8]) {
    let Some(head) = read(input) else { return };
    let (target, fields) = (head.target.clone(), head.headers.len());
    match GATE.check_now(head, Body::NotCarried).expect("the store is in memory") {
        Verdict::Allow(permit) => {
            // However a backend reads the path, it is what the gate has read.
            let is_admin = backends_read(&target).iter().any(|path| is_below_admin(path));
            assert_eq!(permit.route() == "admin", is_admin, "`{target}` is for route `{}`", permit.route());
            let (head, _) = permit.into_forwarded();
            assert_eq!(head.target, target, "the target is forwarded as it came");
            assert!(head.headers.len() <= fields + 1, "fields came from nowhere");
        }
        Verdict::Deny(denial) => {
            let response = denial.response();
            assert!(!response.status().is_success());
        }
    }
}

fn read(input: &[u8]) -> Option<Head> {
    let mut lines = input.split(|byte| *byte == b'\n');
    let first = std::str::from_utf8(lines.next()?).ok()?;
    let (method, target) = first.split_once(' ')?;
    let authority = std::str::from_utf8(lines.next().unwrap_or_default()).ok()?;
    let mut headers = HeaderMap::new();
    for line in lines {
        let mut parts = line.splitn(2, |byte| *byte == b':');
        let name = HeaderName::from_bytes(parts.next()?).ok()?;
        headers.try_append(name, HeaderValue::from_bytes(parts.next().unwrap_or_default()).ok()?).ok()?;
    }
    Some(Head {
        method: Method::from_bytes(method.as_bytes()).ok()?,
        version: http::Version::HTTP_10,
        scheme: "https",
        authority: Some(authority.to_owned()).filter(|authority| !authority.is_empty()),
        target: target.to_owned(),
        headers,
        client: Client::default(),
    })
}

/// The path as it stands, and after each of what backends do to one: decode
/// it, cut its parameters off, merge slashes, walk its dots, fold its case.
fn backends_read(target: &str) -> Vec<String> {
    let path = target.split(['?', '#']).next().unwrap_or_default();
    let decoded = percent_decode_str(path).decode_utf8_lossy().into_owned();
    let mut readings = vec![path.to_owned(), decoded];
    let without_parameters: Vec<_> = readings.iter().map(|path| without_parameters(path)).collect();
    readings.extend(without_parameters);
    let walked: Vec<_> = readings.iter().map(|path| walk(path)).collect();
    readings.extend(walked);
    readings.iter().map(|path| path.to_lowercase()).collect()
}

fn without_parameters(path: &str) -> String {
    let parts: Vec<_> = path.split('/').map(|part| part.split(';').next().unwrap_or_default()).collect();
    parts.join("/")
}

fn walk(path: &str) -> String {
    let mut parts = Vec::new();
    for part in path.split(['/', '\\']) {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

fn is_below_admin(path: &str) -> bool {
    path == "/admin" || path.starts_with("/admin/")
}
