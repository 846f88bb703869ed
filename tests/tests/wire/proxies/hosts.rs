//! The host that is asked about is the one that is served.

use super::attacks::Expect::{Arrives, Judged, Never};
use super::attacks::{Case, attack, case, exchange};
use super::front::Front;

fn with_hosts(target: &str, hosts: &str) -> String {
    format!("GET {target} HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n")
}

#[test]
fn one_host_is_asked_about_and_served() {
    let named = |name: &str, expect, target: &str, hosts: &str| case(name, expect, with_hosts(target, hosts));
    let cases: Vec<Case> = vec![
        named("a plain request", Arrives, "/public", "Host: api.example.com\r\n"),
        // Failed before through HAProxy, which asked about the last.
        named("hosts in a list", Never, "/public", "Host: admin.example.com,api.example.com\r\n"),
        named("hosts in a list with a space", Never, "/public", "Host: admin.example.com, api.example.com\r\n"),
        named("hosts in a list, the open one first", Never, "/public", "Host: api.example.com,admin.example.com\r\n"),
        named("two hosts", Never, "/public", "Host: api.example.com\r\nHost: admin.example.com\r\n"),
        named("two hosts, the open one last", Never, "/public", "Host: admin.example.com\r\nHost: api.example.com\r\n"),
        named("the same host twice", Judged, "/public", "Host: api.example.com\r\nHost: api.example.com\r\n"),
        named("no host", Never, "/public", ""),
        named("an empty host", Never, "/public", "Host: \r\n"),
        case("no host in HTTP/1.0", Never, "GET /public HTTP/1.0\r\n\r\n"),
        case("a host in HTTP/1.0", Judged, "GET /public HTTP/1.0\r\nHost: api.example.com\r\n\r\n"),
        case("HTTP/0.9", Never, "GET /public\r\n\r\n"),
        // Failed before through nginx, which was asked about one and served
        // another, and through the gate where `Host` was missing.
        named("a whole URL for another host", Never, "http://admin.example.com/public", "Host: api.example.com\r\n"),
        named("a whole URL and another host", Judged, "http://api.example.com/public", "Host: admin.example.com\r\n"),
        named("a whole URL without a host", Judged, "http://api.example.com/public", ""),
        named("a whole URL for another host, alone", Never, "http://admin.example.com/public", ""),
        named(
            "a whole URL with a user",
            Never,
            "http://api.example.com@admin.example.com/public",
            "Host: admin.example.com\r\n",
        ),
        named("a whole URL of another scheme", Judged, "ftp://api.example.com/public", "Host: api.example.com\r\n"),
        named("a whole URL by https", Judged, "https://api.example.com/public", "Host: api.example.com\r\n"),
        named("an authority for a target", Never, "api.example.com:80", "Host: api.example.com\r\n"),
        named("a target without a slash", Never, "public", "Host: api.example.com\r\n"),
        case(
            "CONNECT",
            Never,
            "CONNECT api.example.com:80 HTTP/1.1\r\nHost: api.example.com\r\n\r\nGET /admin HTTP/1.1\r\n\r\n",
        ),
        case("OPTIONS *", Never, "OPTIONS * HTTP/1.1\r\nHost: api.example.com\r\nConnection: close\r\n\r\n"),
        named("a host with a user", Never, "/public", "Host: user@api.example.com\r\n"),
        named("a host with a path", Never, "/public", "Host: api.example.com/x\r\n"),
        named("a host with a final dot", Judged, "/public", "Host: api.example.com.\r\n"),
        named("a host in capitals", Arrives, "/public", "Host: API.Example.COM\r\n"),
        named("a host that only begins alike", Never, "/public", "Host: api.example.com.evil.example\r\n"),
        named(
            "a claim of another host",
            Never,
            "/public",
            "Host: admin.example.com\r\nX-Forwarded-Host: api.example.com\r\n",
        ),
        named(
            "a claim by Forwarded",
            Never,
            "/public",
            "Host: admin.example.com\r\nForwarded: host=api.example.com\r\n",
        ),
        named("a claim by X-Host", Never, "/public", "Host: admin.example.com\r\nX-Host: api.example.com\r\n"),
        named(
            "a claim by X-Original-Host",
            Never,
            "/public",
            "Host: admin.example.com\r\nX-Original-Host: api.example.com\r\n",
        ),
        named("a folded host", Judged, "/public", "Host: api.example.com\r\n .evil.example\r\n"),
        named(
            "a host with a space before its colon",
            Judged,
            "/public",
            "Host : admin.example.com\r\nHost: api.example.com\r\n",
        ),
        named(
            "a host after a bare line feed",
            Judged,
            "/public",
            "X: 1\nHost: admin.example.com\r\nHost: api.example.com\r\n",
        ),
    ];
    attack(&Front::ALL, &cases);
}

/// A second server block, as operators have them: by which one nginx serves is
/// what must be asked about. Failed before.
#[test]
fn nginx_asks_about_the_server_that_serves() {
    let Some(setup) = Front::Nginx.start() else { return };
    for (target, host) in [("http://admin.example.com/public", "api.example.com"), ("/public", "admin.example.com")] {
        let answer = exchange(&setup, with_hosts(target, &format!("Host: {host}\r\n")).as_bytes());
        assert!(answer.starts_with("HTTP/1.1 403") && answer.contains("no-route"), "{target}: {answer}");
        assert!(setup.origin.take().is_empty(), "{target}");
    }
}
