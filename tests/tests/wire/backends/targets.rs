//! Hosts and targets: what was decided about is what is forwarded.

use crate::connection::Connection;
use barmkin_tests::harness::{Barmkin, ListenerKind, Upstream};

/// Hosts of their own: one is guarded by nobody who could vouch for a stranger.
const RULES: &str = r#"
version = 1
[store]
kind = "memory"
[keys.pepper]
algorithm = "keyed-hash-sha256"
secrets   = [{ id = "test", from = "file:secrets/pepper" }]
[policies.callers]
component = "stock:api-key"
grants    = { keys = { pepper = "pepper" }, vouch = true }
settings  = { keys = [] }
[[routes]]
name   = "open"
match  = { host = "www.example" }
public = true
[[routes]]
name  = "admin"
match = { host = "admin.example" }
chain = ["callers"]
[[routes]]
name   = "address"
match  = { host = "[2001:db8::1]" }
public = true
"#;

const ANY_HOST: &str = r#"
version = 1
[store]
kind = "memory"
[[routes]]
name   = "open"
public = true
"#;

/// A gate by `rules`, and what each request came to: why it was denied, or the
/// host with which it arrived.
fn outcomes(rules: &str, requests: &[&str]) -> Vec<Result<String, String>> {
    let upstream = Upstream::start();
    let kind = ListenerKind::ReverseProxy(upstream.address());
    let gate = Barmkin::serve(rules, &[("pepper", "of the tests")], &[("in", kind)]);
    let mut outcomes = Vec::new();
    for request in requests {
        let request = format!("{}\r\nconnection: close\r\n\r\n", request.trim_end());
        let answer = Connection::to(gate.address("in")).send(request.as_bytes());
        let mut received = upstream.take_received();
        outcomes.push(match received.pop() {
            Some(received) => {
                assert!(received.target.starts_with('/'), "`{}` arrived", received.target);
                let hosts: Vec<_> = received.fields.get_all("host").iter().map(|host| host.to_str().unwrap()).collect();
                Ok(hosts.join(" and "))
            }
            None => {
                let reason = answer.as_ref().and_then(|answer| answer.reason());
                let status = answer.as_ref().map_or(0, |answer| answer.status);
                Err(reason.map_or_else(|| status.to_string(), str::to_owned))
            }
        });
        assert!(received.is_empty(), "{request} arrived twice");
    }
    outcomes
}

fn assert_outcomes(rules: &str, cases: &[(&str, Result<&str, &str>)]) {
    let requests: Vec<_> = cases.iter().map(|(request, _)| *request).collect();
    for ((request, expected), outcome) in cases.iter().zip(outcomes(rules, &requests)) {
        assert_eq!(outcome.as_deref().map_err(String::as_str), *expected, "{request}");
    }
}

#[test]
fn a_request_is_for_one_host() {
    assert_outcomes(
        RULES,
        &[
            ("GET / HTTP/1.1\r\nhost: www.example", Ok("www.example")),
            ("GET / HTTP/1.1\r\nhost: admin.example", Err("missing-api-key")),
            // An absolute target, which was decided about alone.
            ("GET http://www.example/ HTTP/1.1", Err("missing-host")),
            ("GET http://www.example/ HTTP/1.1\r\nhost: admin.example", Err("ambiguous-authority")),
            ("GET http://admin.example/ HTTP/1.1\r\nhost: www.example", Err("ambiguous-authority")),
            ("GET http://www.example/ HTTP/1.1\r\nhost: www.example", Ok("www.example")),
            ("GET http://www.example:80/ HTTP/1.1\r\nhost: www.example", Ok("www.example")),
            ("GET http://www.example:81/ HTTP/1.1\r\nhost: www.example", Err("ambiguous-authority")),
            ("GET http://u@www.example/ HTTP/1.1\r\nhost: www.example", Err("ambiguous-authority")),
            ("GET http://www.example/ HTTP/1.0", Ok("www.example")),
            ("GET http://admin.example/ HTTP/1.0", Err("missing-api-key")),
            ("GET / HTTP/1.1", Err("missing-host")),
            ("GET / HTTP/1.0", Err("missing-host")),
            ("GET / HTTP/1.1\r\nhost:", Err("ambiguous-authority")),
            ("GET / HTTP/1.1\r\nhost: www.example\r\nhost: admin.example", Err("ambiguous-authority")),
            ("GET / HTTP/1.1\r\nhost: www.example\r\nhost: www.example", Err("ambiguous-authority")),
            ("GET / HTTP/1.1\r\nhost: admin.example, www.example", Err("ambiguous-authority")),
            ("GET / HTTP/1.1\r\nhost: www.example@admin.example", Err("ambiguous-authority")),
            ("GET / HTTP/1.1\r\nhost: www.example/admin", Err("ambiguous-authority")),
            ("GET / HTTP/1.1\r\nhost: www%2eexample", Err("ambiguous-authority")),
            ("GET / HTTP/1.1\r\nhost: www.example:99999", Err("ambiguous-authority")),
            ("GET / HTTP/1.1\r\nhost: WWW.Example.", Ok("WWW.Example.")),
            ("GET / HTTP/1.1\r\nhost: www.example..", Err("ambiguous-authority")),
        ],
    );
}

#[test]
fn a_target_is_a_path() {
    assert_outcomes(
        RULES,
        &[
            ("GET ftp://www.example/ HTTP/1.1\r\nhost: www.example", Err("malformed-target")),
            // Without a host it is not a target at all.
            ("GET file:///etc/passwd HTTP/1.1\r\nhost: www.example", Err("400")),
            ("GET gopher://www.example/x HTTP/1.1\r\nhost: www.example", Err("malformed-target")),
            ("OPTIONS * HTTP/1.1\r\nhost: www.example", Err("malformed-target")),
            ("GET www.example HTTP/1.1\r\nhost: www.example", Err("malformed-target")),
            ("GET www.example:80 HTTP/1.1\r\nhost: www.example:80", Err("malformed-target")),
            ("CONNECT admin.example:443 HTTP/1.1\r\nhost: admin.example:443", Err("connect-refused")),
        ],
    );
}

#[test]
fn addresses_match_routes_however_they_are_written() {
    assert_outcomes(
        RULES,
        &[
            ("GET / HTTP/1.1\r\nhost: [2001:db8::1]", Ok("[2001:db8::1]")),
            ("GET / HTTP/1.1\r\nhost: [2001:DB8:0:0::0001]:8080", Ok("[2001:DB8:0:0::0001]:8080")),
            ("GET / HTTP/1.1\r\nhost: [2001:db8::2]", Err("no-route")),
            ("GET / HTTP/1.1\r\nhost: 2001:db8::1", Err("ambiguous-authority")),
            ("GET / HTTP/1.1\r\nhost: [2001:db8::1%25eth0]", Err("ambiguous-authority")),
            ("GET / HTTP/1.1\r\nhost: [::ffff:192.0.2.1]", Err("ambiguous-authority")),
            ("GET / HTTP/1.1\r\nhost: 0x7f000001", Err("ambiguous-authority")),
            ("GET / HTTP/1.1\r\nhost: 127.1", Err("ambiguous-authority")),
        ],
    );
}

#[test]
fn http_1_0_needs_no_host_where_no_route_names_one() {
    let outcomes = outcomes(ANY_HOST, &["GET / HTTP/1.0", "GET / HTTP/1.1", "GET http://a.example/ HTTP/1.0"]);
    assert!(
        matches!(outcomes.as_slice(), [Ok(_), Err(reason), Ok(host)] if reason == "missing-host" && host == "a.example"),
        "{outcomes:?}"
    );
}

/// No target has a fragment (RFC 9112, section 3.2): nobody sees one.
#[test]
fn what_follows_a_hash_is_decided_about_and_forwarded_by_nobody() {
    let upstream = Upstream::start();
    let gate = Barmkin::serve(ANY_HOST, &[], &[("in", ListenerKind::ReverseProxy(upstream.address()))]);
    for target in ["/x#/../admin", "/x#?a", "/x#"] {
        let request = format!("GET {target} HTTP/1.1\r\nhost: app.example\r\nconnection: close\r\n\r\n");
        Connection::to(gate.address("in")).send(request.as_bytes());
        for received in upstream.take_received() {
            assert_eq!(received.target, "/x", "{target}");
        }
    }
}
