//! No spelling of a path leads an anonymous request to `/admin`.
//!
//! The vectors say what backends may do to a path: decode it once, merge
//! slashes, resolve dot segments, strip parameters, fold case. If any of them,
//! in any order, makes `/admin` of a target, the gate has to deny it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::string_slice, reason = "a test ends by panicking")]

use barmkin_host::Verdict;
use barmkin_tests::harness::{ReferenceGate, reference_gate, vectors};
use barmkin_tests::rules;
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::sync::LazyLock;

#[derive(Deserialize)]
struct Vectors {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    case: String,
    raw_path: String,
    expect: Option<String>,
    canonical: Option<String>,
}

/// Spellings of `/admin`, of what lies beside it, and of ways there: every
/// beginning with every separator and every end.
const BEGINNINGS: [&str; 20] = [
    "",
    "/public",
    "/public/..",
    "/public/%2e%2e",
    "/public/.%2E",
    "/public%2f..",
    "/public/..;x",
    "/x;y",
    "/.",
    "/%2e",
    "/..",
    "/..;",
    "/;",
    "/%2f",
    "/%5c",
    "/\\",
    "/public\\..",
    "/%252e%252e",
    "/x/y/../..",
    "/%c0%ae%c0%ae",
];
const SEPARATORS: [&str; 9] = ["/", "//", "/./", "/;/", "/%2f", "%2f", "/%2e/", "\\", "/x/../"];
const ENDS: [&str; 20] = [
    "admin",
    "ADMIN",
    "aDmin/",
    "%61dmin",
    "adm%69n",
    "%41DMIN",
    "admin;x",
    "admin%3bx",
    "admin%00",
    "%2561dmin",
    "admin//",
    "admin/users",
    "admin%2fusers",
    "admin/%zz",
    "administrator",
    "admin.css",
    "admin?x=/public",
    "public.html",
    "a%20b",
    "caf%C3%A9",
];

#[test]
fn no_spelling_of_a_path_reaches_what_is_guarded() {
    let gate = reference_gate(&rules::api());
    let (mut allowed, mut dangerous) = (0, 0);
    for beginning in BEGINNINGS {
        for separator in SEPARATORS {
            for end in ENDS {
                let target = format!("{beginning}{separator}{end}");
                if !target.starts_with('/') {
                    continue;
                }
                let is_allowed = is_allowed(&gate, &target);
                let reaches = some_backend_serves_admin(&target);
                allowed += usize::from(is_allowed);
                dangerous += usize::from(reaches);
                assert!(!(is_allowed && reaches), "`{target}` is let through, and some backend serves /admin for it");
            }
        }
    }
    // Neither a gate that refuses everything nor a reference that sees no danger
    // would be of any use.
    assert!(allowed > 10 && dangerous > 1_000, "{allowed} of the targets pass, {dangerous} are dangerous");
}

fn is_allowed(gate: &ReferenceGate, target: &str) -> bool {
    matches!(gate.check("GET", target, &[("host", b"api.example.com")], b""), Verdict::Allow(_))
}

/// Targets that others have written down, where they are beside the repository.
#[test]
fn no_spelling_on_public_lists_reaches_what_is_guarded() {
    let Some(folder) = vectors() else { return };
    let text = std::fs::read_to_string(folder.join("path_bypass/path_rules.json")).unwrap();
    let Vectors { cases } = serde_json::from_str(&text).unwrap();
    let gate = reference_gate(&rules::api());

    let mut dangerous = 0;
    for Case { case, raw_path, expect, canonical } in &cases {
        let verdict = gate.check("GET", raw_path, &[("host", b"api.example.com")], b"");
        let allowed = matches!(verdict, Verdict::Allow(_));
        let reaches = some_backend_serves_admin(raw_path);
        dangerous += usize::from(reaches);
        assert!(!(allowed && reaches), "`{case}`: `{raw_path}` is let through, and some backend serves /admin for it");
        match expect.as_deref() {
            // Where a canonical form would pass, this gate may refuse any other.
            Some("allow") => {
                let other_form = canonical.as_ref().is_some_and(|canonical| !raw_path.starts_with(canonical));
                let refused = verdict.reason().is_some_and(|reason| reason.as_str() == "ambiguous-path");
                assert!(allowed || (other_form && refused), "`{case}`: `{raw_path}` is {:?}", verdict.reason());
            }
            Some("deny") => assert!(!allowed, "`{case}`: `{raw_path}` is let through"),
            _ => {}
        }
    }
    assert_eq!(cases.len(), 301);
    // The reference would be of no use if it saw no danger.
    assert!(dangerous > 100, "only {dangerous} of the targets are dangerous");
}

/// The changes that a backend may make to a path before it looks at it.
const HABITS: [fn(&str) -> String; 5] = [decode_once, merge_slashes, resolve_dots, strip_parameters, fold_case];

/// Whether some of the habits, in some order, lead to what is guarded.
fn some_backend_serves_admin(target: &str) -> bool {
    some_backend_serves(target, |path| path == "/admin" || path.starts_with("/admin/"))
}

fn some_backend_serves(target: &str, what: impl Fn(&str) -> bool) -> bool {
    let path = match target.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("/", |start| &rest[start..]),
        None => target,
    };
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let mut seen = BTreeSet::new();
    let mut paths = vec![(path.to_owned(), [true; HABITS.len()])];
    while let Some((path, left)) = paths.pop() {
        if what(&path) {
            return true;
        }
        for (index, habit) in HABITS.iter().enumerate().filter(|(index, _)| left[*index]) {
            let mut left = left;
            left[index] = false;
            let next = (habit(&path), left);
            if seen.insert(next.clone()) {
                paths.push(next);
            }
        }
    }
    false
}

fn decode_once(path: &str) -> String {
    percent_decode_str(path).decode_utf8_lossy().into_owned()
}

fn merge_slashes(path: &str) -> String {
    let mut merged = path.to_owned();
    while merged.contains("//") {
        merged = merged.replace("//", "/");
    }
    merged
}

/// RFC 3986, section 5.2.4.
fn resolve_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let segments: Vec<_> = path.split('/').skip(1).collect();
    for (index, segment) in segments.iter().enumerate() {
        let last = index + 1 == segments.len();
        match *segment {
            "." => {
                if last {
                    kept.push("");
                }
            }
            ".." => {
                kept.pop();
                if last {
                    kept.push("");
                }
            }
            other => kept.push(other),
        }
    }
    format!("/{}", kept.join("/"))
}

fn strip_parameters(path: &str) -> String {
    path.split('/').map(|segment| segment.split(';').next().unwrap_or_default()).collect::<Vec<_>>().join("/")
}

fn fold_case(path: &str) -> String {
    path.to_lowercase()
}

/// A prefix with exceptions, and a guarded part of it.
const EXCEPTING: &str = r#"
[[routes]]
name   = "files"
match  = { path.prefix = "/files" }
public = true
path-exceptions = [EXCEPTIONS]

[[routes]]
name  = "secret"
match = { path.prefix = "/files/secret" }
chain = ["callers"]
"#;

/// Whether a path is below the prefix, and not guarded.
fn is_open(path: &str) -> bool {
    let below = |prefix: &str| path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    below("/files") && !below("/files/secret")
}

fn excepting(exceptions: &str) -> ReferenceGate {
    let callers = rules::with_hashes(include_str!("wire/rules.toml"));
    let (callers, _) = callers.split_once("[[routes]]").unwrap();
    reference_gate(&format!("{callers}{}", EXCEPTING.replace("EXCEPTIONS", exceptions)))
}

fn is_let_in(gate: &ReferenceGate, target: &str) -> bool {
    matches!(gate.check("GET", target, &[("host", b"app.example")], b""), Verdict::Allow(_))
}

#[test]
fn what_is_excepted_is_let_in_where_every_reading_is_open() {
    let both = "\"encoded-slashes\", \"empty-segments\"";
    let gates = [both, "\"encoded-slashes\"", "\"empty-segments\""].map(excepting);
    for (target, expected) in [
        ("/files/a%2Fb", [true, true, false]),
        ("/files/a%2fb/c", [true, true, false]),
        ("/files/a//b", [true, false, true]),
        ("/files//", [true, false, true]),
        ("/files/a%2F/b", [true, false, false]),
        ("/files/a%2Fsecret", [true, true, false]),
        ("/%66iles/a%2Fb", [true, true, false]),
    ] {
        assert_eq!(gates.each_ref().map(|gate| is_let_in(gate, target)), expected, "{target}");
    }
    for target in [
        "/files%2Fa",
        "//files/a",
        "/files/%2Fsecret",
        "/files//secret",
        "/files/secret%2Fa",
        "/files%2Fsecret",
        "/files//SECRET",
        "/files/a%2F..%2Fb",
        "/files/..%2Fadmin",
        "/files//../admin",
        "/files/%2e%2e%2fadmin",
        "/files/a%252Fb",
        "/files//a;b",
        "/files/a%5Cb",
        "/files/a%2F%00",
        "/fil%2Fes/a",
        "/files/secret//",
        "/other//a",
        "/FILES//a",
    ] {
        let refused = gates[0].check("GET", target, &[("host", b"app.example")], b"");
        assert_eq!(refused.reason().map(ToString::to_string).as_deref(), Some("ambiguous-path"), "{target}");
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(4_096))]

    #[test]
    fn no_reading_of_what_is_let_in_is_anywhere_else(
        pieces in proptest::collection::vec(proptest::sample::select(PIECES), 1..8)
    ) {
        static GATE: LazyLock<ReferenceGate> =
            LazyLock::new(|| excepting("\"encoded-slashes\", \"empty-segments\""));
        let target = format!("/files{}", pieces.concat());
        for target in [target.as_str(), &target[6..]] {
            if target.starts_with('/') && is_let_in(&GATE, target) {
                proptest::prop_assert!(!some_backend_serves(target, |path| !is_open(path)), "{target}");
            }
        }
    }
}

/// Of which targets are made that may lead somewhere.
const PIECES: &[&str] = &[
    "/", "/", "//", "%2F", "%2f", "%252F", "%5C", ".", "..", "%2e", "%2E%2e", "secret", "SECRET", "%73ecret", "files",
    "/files", "admin", "a", "b%20", ";x", "%00", "?", "%C3%A9",
];

#[test]
fn the_reference_knows_the_habits() {
    for target in
        ["/x/../admin", "/%61dmin", "//admin", "/admin;x", "/ADMIN/", "/.;/admin", "/%2e%2e/%41dmin", "/admin/%zz"]
    {
        assert!(some_backend_serves_admin(target), "{target}");
    }
    for target in ["/administrator", "/public?/admin", "/%2561dmin", "/admin.css", "/"] {
        assert!(!some_backend_serves_admin(target), "{target}");
    }
}
