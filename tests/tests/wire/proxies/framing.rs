//! Requests that end somewhere else for the proxy than for the gate or the
//! origin.

use super::attacks::Expect::{Judged, Never};
use super::attacks::{Case, attack, case};
use super::front::Front;

/// A request that must not arrive, hidden in another.
const HIDDEN: &str = "GET /admin/smuggled HTTP/1.1\r\nHost: api.example.com\r\nConnection: close\r\n\r\n";

/// `POST path` with `framing` and what follows.
fn post(path: &str, framing: &str, rest: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: api.example.com\r\n{framing}\r\n{rest}")
}

#[test]
fn nothing_hides_behind_another_request() {
    let length = HIDDEN.len();
    let chunked = "Transfer-Encoding: chunked\r\n";
    let ended = format!("0\r\n\r\n{HIDDEN}");
    let mut cases: Vec<Case> = Vec::new();
    for path in ["/public", "/v1/items"] {
        for (name, framing, rest) in [
            ("both framings", format!("Content-Length: 6\r\n{chunked}"), ended.clone()),
            ("both framings, the other way", format!("{chunked}Content-Length: 6\r\n"), ended.clone()),
            ("a length that covers it", format!("Content-Length: {length}\r\n"), HIDDEN.to_owned()),
            ("two lengths", format!("Content-Length: 0\r\nContent-Length: {length}\r\n"), HIDDEN.to_owned()),
            ("lengths in a list", format!("Content-Length: 0, {length}\r\n"), HIDDEN.to_owned()),
            ("a length with a sign", format!("Content-Length: +{length}\r\n"), HIDDEN.to_owned()),
            ("a length below zero", "Content-Length: -1\r\n".to_owned(), HIDDEN.to_owned()),
            ("a length of another name", format!("Content_Length: {length}\r\n"), HIDDEN.to_owned()),
            ("a length before a space", format!("Content-Length : {length}\r\n"), HIDDEN.to_owned()),
            (
                "a coding before a space",
                format!("Transfer-Encoding : chunked\r\nContent-Length: {length}\r\n"),
                ended.clone(),
            ),
            ("a coding after a tab", "Transfer-Encoding:\tchunked\r\n".to_owned(), ended.clone()),
            (
                "an unknown coding",
                format!("Transfer-Encoding: xchunked\r\nContent-Length: {length}\r\n"),
                ended.clone(),
            ),
            ("a coding twice", format!("{chunked}Transfer-Encoding: identity\r\n"), ended.clone()),
            ("two codings", "Transfer-Encoding: gzip, chunked\r\n".to_owned(), ended.clone()),
            ("a folded coding", "Transfer-Encoding:\r\n chunked\r\n".to_owned(), ended.clone()),
            ("a chunk of too many", chunked.to_owned(), format!("10000000000000000\r\n{HIDDEN}0\r\n\r\n")),
            ("a chunk without its end", chunked.to_owned(), format!("1\r\nxx0\r\n\r\n{HIDDEN}")),
            ("a chunk after a bare line feed", chunked.to_owned(), format!("1;\nx\r\n0\r\n\r\n{HIDDEN}")),
            ("leave to send", format!("Expect: 100-continue\r\nContent-Length: {length}\r\n"), HIDDEN.to_owned()),
            ("an unknown expectation", format!("Expect: other\r\nContent-Length: {length}\r\n"), HIDDEN.to_owned()),
        ] {
            cases.push(case(format!("{path}, {name}"), Judged, post(path, &framing, &rest)));
        }
    }
    let bodied_get =
        format!("GET /public HTTP/1.1\r\nHost: api.example.com\r\nContent-Length: {length}\r\n\r\n{HIDDEN}");
    cases.push(case("a GET with a body", Judged, bodied_get));
    let first = "GET /public HTTP/1.1\r\nHost: api.example.com\r\n\r\n";
    cases.push(case("after one that passes", Judged, format!("{first}{HIDDEN}")));
    let denied = "GET /v1/items HTTP/1.1\r\nHost: api.example.com\r\n\r\n";
    cases.push(case("after one that is denied", Never, format!("{denied}{HIDDEN}")));
    cases.push(case("after two that are denied", Never, format!("{denied}{denied}{HIDDEN}")));
    cases.push(case("bare line feeds", Judged, "GET /admin HTTP/1.1\nHost: api.example.com\n\n"));
    cases.push(case(
        "a zero byte",
        Judged,
        "GET /public HTTP/1.1\r\nHost: api.example.com\r\nX: a\0b\r\nConnection: close\r\n\r\n",
    ));
    cases.push(case(
        "a bare carriage return",
        Judged,
        "GET /public HTTP/1.1\r\nHost: api.example.com\r\nX: a\rbarmkin-principal: admin\r\nConnection: close\r\n\r\n",
    ));
    cases.push(case(
        "a method in lower case, guarded",
        Never,
        "get /admin HTTP/1.1\r\nHost: api.example.com\r\nConnection: close\r\n\r\n",
    ));
    cases.push(case(
        "a method in lower case",
        Judged,
        "post /public HTTP/1.1\r\nHost: api.example.com\r\nConnection: close\r\n\r\n",
    ));
    cases.push(case(
        "HTTP/2 without being asked",
        Never,
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nGET /admin HTTP/1.1\r\n\r\n",
    ));
    attack(&Front::ALL, &cases);
}
