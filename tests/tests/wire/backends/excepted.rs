//! Paths that a route excepts: whatever a backend makes of encoded slashes and empty
//! segments, it stays below the route's prefix and out of what more specific routes
//! guard.

use super::{Caller, RULES, STACKS, Site, report, request};

/// A prefix with exceptions, and a guarded part of it.
const EXCEPTING: &str = r#"
[[routes]]
name   = "files"
match  = { path.prefix = "/files" }
public = true
path-exceptions = ["encoded-slashes", "empty-segments"]

[[routes]]
name  = "secret"
match = { path.prefix = "/files/secret" }
chain = ["callers"]
"#;

const SLASHES: [&str; 8] = ["/", "//", "%2F", "%2f", "/%2F", "%2f/", "///", "%252F"];

const STEPS: [&str; 8] = ["", "x", "..", ".", "%2e%2e", "..;", "..%5C", "%2E."];

/// Below the prefix what is guarded there, and elsewhere what is guarded at all.
const AIMS: [&str; 6] = ["secret", "secret/x", "admin", "keys:rotate", "v1/users:delete", "files/secret"];

#[test]
fn flask_on_werkzeug() {
    nothing_leads_out_of_the_prefix(0);
}

#[test]
fn flask_on_wsgiref() {
    nothing_leads_out_of_the_prefix(1);
}

#[test]
fn flask_on_waitress() {
    nothing_leads_out_of_the_prefix(2);
}

#[test]
fn django_on_uvicorn() {
    nothing_leads_out_of_the_prefix(3);
}

#[test]
fn django_on_hypercorn() {
    nothing_leads_out_of_the_prefix(4);
}

fn nothing_leads_out_of_the_prefix(stack: usize) {
    let stack = STACKS.into_iter().nth(stack).expect("a stack");
    let rules = format!("{RULES}{EXCEPTING}");
    let Some(site) = Site::with(stack, &rules, "") else { return };
    let mut gate = site.gate();
    let (mut failures, mut tried, mut served) = (Vec::new(), 0, 0);
    for target in targets() {
        tried += 1;
        let Some(answer) = gate.send(&request("GET", &target, Caller::Nobody, "")) else { continue };
        let view = answer.field("x-view").unwrap_or_default();
        let is_excepted = target.contains("//") || target.to_ascii_uppercase().contains("%2F");
        served += usize::from(is_excepted && view == "files");
        // Some backends redirect, or find nothing.
        let read_as = answer.field("x-path").unwrap_or("/files");
        let rest = read_as.strip_prefix("/files");
        let strays = is_excepted && rest.is_none_or(|rest| !rest.is_empty() && !rest.starts_with('/'));
        if Caller::Nobody.may_not_have(&answer) || strays {
            failures.push(format!("GET {target} is {view}, read as {read_as}"));
        }
    }
    assert!(tried > 5_000, "only {tried} were tried");
    assert!(served > 100, "only {served} were served: nothing is excepted");
    report(site.stack, tried, &failures);
    for target in ["/files/secret", "/files/secret/x"] {
        let answer = gate.send(&request("GET", target, Caller::Reader, "")).expect("an answer");
        assert_eq!(answer.field("x-view"), Some("secret"), "{target}");
    }
}

fn targets() -> Vec<String> {
    let mut targets = Vec::new();
    for first in SLASHES {
        for second in SLASHES {
            for aim in AIMS {
                for step in STEPS {
                    targets.push(format!("/files{first}{step}{second}{aim}"));
                    targets.push(format!("/files{first}x{second}{step}/{aim}"));
                }
                targets.push(format!("{first}files{second}{aim}"));
                targets.push(format!("/files{first}{aim}{second}"));
                targets.push(format!("/{aim}{first}{second}x"));
            }
        }
    }
    // A target begins with a slash.
    targets.retain(|target| target.starts_with('/'));
    targets
}
