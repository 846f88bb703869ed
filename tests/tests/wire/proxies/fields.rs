//! Fields that the gate sets, brought by clients or taken away by them.

use super::attacks::Expect::{Arrives, Judged, Never};
use super::attacks::{Case, attack, case, exchange, get};
use super::front::Front;
use super::origin::Arrived;

const KEY: &str = "x-api-key: reader-key\r\n";

#[test]
fn only_the_gate_names_the_principal() {
    let open = |name: &str, expect, fields: &str| case(name, expect, get("/public", fields));
    let keyed = |name: &str, expect, fields: &str| case(name, expect, get("/v1/items", &format!("{KEY}{fields}")));
    let mut cases: Vec<Case> = vec![
        keyed("a plain request", Arrives, ""),
        // An empty field arrived before through Caddy.
        open("a principal of nobody", Arrives, "barmkin-principal: admin\r\n"),
        open("an empty principal", Arrives, "barmkin-principal:\r\n"),
        open("no principal", Arrives, ""),
        open("a principal twice", Judged, "barmkin-principal: admin\r\nBarmkin-Principal: admin\r\n"),
        open("a principal with underscores", Judged, "Barmkin_Principal: admin\r\n"),
        open("a principal with one underscore", Judged, "BARMKIN_PRINCIPAL: admin\r\n"),
        open("a principal before a space", Judged, "barmkin-principal : admin\r\n"),
        open("a principal after a tab", Judged, "barmkin-principal:\tadmin\r\n"),
        open("a folded principal", Judged, "X: 1\r\n barmkin-principal: admin\r\n"),
        keyed("a principal besides a key", Arrives, "barmkin-principal: admin\r\n"),
        keyed("a principal with underscores besides a key", Judged, "barmkin_principal: admin\r\n"),
        open("a request id", Arrives, "X-Request-Id: forged\r\n"),
        open("two request ids", Arrives, "X-Request-Id: a\r\nX-Request-Id: b\r\n"),
        case("a principal in place of a key", Never, get("/v1/items", "barmkin-principal: reader\r\n")),
        open("the gate's answer", Arrives, "barmkin-reason: none\r\nbarmkin-status: 200\r\n"),
        open("what Envoy is told", Judged, "x-envoy-auth-headers-to-remove: x-api-key\r\n"),
        open("trailers", Judged, "TE: trailers\r\nTrailer: barmkin-principal\r\n"),
    ];
    for named in [
        "barmkin-principal",
        "Barmkin-Principal",
        "close, barmkin-principal",
        "x-request-id",
        "x-forwarded-for, x-forwarded-proto, x-forwarded-host",
        "x-original-uri, x-original-method",
        "x-forwarded-uri, x-forwarded-method",
        "content-length, transfer-encoding",
    ] {
        // Failed before through Caddy where it is the principal that is lost.
        cases.push(keyed(&format!("Connection: {named}"), Judged, &format!("Connection: {named}\r\n")));
    }
    let chunked = "POST /public HTTP/1.1\r\nHost: api.example.com\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n\
                   1\r\nx\r\n0\r\nbarmkin-principal: admin\r\n\r\n";
    cases.push(case("a principal in trailers", Judged, chunked));
    attack(&Front::ALL, &cases);
}

/// A field that `connection` names is not lost on the way, or the request is
/// refused. Failed before through Caddy.
#[test]
fn connection_takes_no_principal_away() {
    for front in Front::ALL {
        let Some(setup) = front.start() else { continue };
        for named in ["barmkin-principal", "close, Barmkin-Principal", "keep-alive, barmkin-principal, x-request-id"] {
            let request = get("/v1/items", &format!("{KEY}Connection: {named}\r\n"));
            let answer = exchange(&setup, request.as_bytes());
            let arrived = setup.origin.take();
            let named_ok = |arrived: &Arrived| match arrived {
                Arrived::Request { fields, .. } => {
                    fields.contains(&("barmkin-principal".to_owned(), "reader".to_owned()))
                }
                Arrived::Tunnelled(_) => false,
            };
            assert!(arrived.iter().all(named_ok), "{front:?}, {named}: {arrived:?}");
            assert!(!arrived.is_empty() || answer.starts_with("HTTP/1.1 4"), "{front:?}, {named}: {answer}");
        }
    }
}

#[test]
fn large_and_many_fields_are_judged_alike() {
    let large = format!("X-Large: {}\r\n", "a".repeat(60_000));
    let many: String = (0..300).map(|index| format!("X-{index}: 1\r\n")).collect();
    let cases = [
        case("a large field, guarded", Never, get("/admin", &large)),
        case("a large field", Judged, get("/public", &large)),
        case("many fields, guarded", Never, get("/admin", &many)),
        case("many fields", Judged, get("/public", &many)),
        case("many fields, then a principal", Judged, get("/public", &format!("{many}barmkin-principal: admin\r\n"))),
        case("a long target", Judged, get(&format!("/public/{}", "a".repeat(20_000)), "")),
        case("a long target, guarded", Never, get(&format!("/admin/{}", "a".repeat(20_000)), "")),
    ];
    attack(&Front::ALL, &cases);
}

/// No client can tell the upstream what only proxies may say. All of it arrived
/// before, except the last, which was refused.
#[test]
fn no_client_speaks_for_a_proxy() {
    for front in Front::ALL {
        let Some(setup) = front.start() else { continue };
        for field in [
            "X-Original-Url",
            "X-Original-Uri",
            "X-Original-Method",
            "X-Forwarded-Host",
            "X-Forwarded-Proto",
            "X-Forwarded-Prefix",
            "X-Forwarded-Uri",
            "X-Forwarded-Port",
            "X-Real-Ip",
            "Forwarded",
            "X-Script-Name",
            "X-Rewrite-Url",
        ] {
            let request = get("/public", &format!("{field}: /admin\r\n"));
            exchange(&setup, request.as_bytes());
            for arrived in setup.origin.take() {
                let Arrived::Request { fields, .. } = arrived else { panic!("{front:?}: it was no upgrade") };
                let forged = fields.iter().find(|(_, value)| value == "/admin");
                assert_eq!(forged, None, "{front:?}, {field}");
            }
        }
    }
}
