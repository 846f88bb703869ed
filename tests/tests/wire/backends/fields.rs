//! Fields: what the gate reads and sets is what arrives.

use super::{Caller, RULES, Site, request};
use crate::connection::{Answer, Connection};
use barmkin_tests::harness::{Barmkin, ListenerKind, Received, Stack, Upstream};
use barmkin_tests::rules::{SECRETS, with_hashes};

struct Gate {
    upstream: Upstream,
    gate: Barmkin,
}

impl Gate {
    fn start(rules: &str, lines: &'static str) -> Self {
        let upstream = Upstream::start();
        let kind = ListenerKind::ReverseProxyWith(upstream.address(), lines);
        let gate = Barmkin::serve(&with_hashes(rules), &SECRETS, &[("in", kind)]);
        Self { upstream, gate }
    }

    fn send(&self, request: &[u8]) -> (Option<Answer>, Option<Received>) {
        let answer = Connection::to(self.gate.address("in")).send(request);
        (answer, self.upstream.take_received().pop())
    }
}

#[test]
fn no_spelling_of_a_field_of_the_gate_arrives() {
    let gate = Gate::start(RULES, "");
    for field in [
        "barmkin-principal",
        "barmkin_principal",
        "Barmkin_Principal",
        "BARMKIN-principal",
        "barmkin.principal",
        "x_forwarded_for",
        "X_Forwarded_Proto",
        "x_forwarded-host",
        "x-forwarded-for",
        "x-forwarded-proto",
        "x-real-ip",
        "x_real_ip",
        "forwarded",
        "x-forwarded-port",
        "x_request_id",
        "x_api_key",
        "content_length",
        "transfer_encoding",
        "x-http_method_override",
        "true-client-ip",
        "True_Client_IP",
        "Front_End_Https",
        "X_Forwarded_Ssl",
        "x_forwarded-prefix",
        "X-Client_IP",
        "cf-connecting-ip",
        "SCRIPT_NAME",
        "script-name",
        "Path_Info",
        "X-Script-Name",
        "x_script_name",
        "X_Original_Url",
        "X-Rewrite_URL",
    ] {
        let forged = request("GET", "/", Caller::Nobody, &format!("{field}: 6.6.6.6\r\nx-kept: 1\r\n"));
        let (_, received) = gate.send(&forged);
        let received = received.unwrap_or_else(|| panic!("{field} keeps it out"));
        let forged = received.fields.iter().find(|(_, value)| value.as_bytes() == b"6.6.6.6");
        assert_eq!(forged, None, "{field}");
        assert!(received.fields.contains_key("x-kept"));
    }
}

#[test]
fn a_connection_does_not_name_what_is_read_or_set() {
    let gate = Gate::start(RULES, "trusted-proxies = [\"127.0.0.0/8\"]");
    for field in [
        "barmkin-principal",
        "x-forwarded-for",
        "X-Forwarded-Proto",
        "forwarded",
        "x-api-key",
        "X-API-Key",
        "host",
        "content-length",
        "authorization",
        "x-request-id",
        "cookie",
        "x_forwarded_for",
    ] {
        let fields = format!("x-forwarded-for: 192.0.2.7\r\nconnection: keep-alive, {field}\r\n");
        let (answer, received) = gate.send(&request("GET", "/keys:rotate", Caller::Reader, &fields));
        assert!(received.is_none(), "{field}");
        assert_eq!(answer.expect("an answer").reason(), Some("connection-names-field"), "{field}");
    }
    for option in ["keep-alive", "close", "x-hop", "te", "upgrade", "http2-settings", "transfer-encoding"] {
        let fields = format!("x-forwarded-for: 192.0.2.7\r\nx-hop: 1\r\nconnection: {option}\r\n");
        let (_, received) = gate.send(&request("GET", "/keys:rotate", Caller::Reader, &fields));
        let received = received.unwrap_or_else(|| panic!("{option} keeps it out"));
        let client = received.fields.get("x-forwarded-for").and_then(|client| client.to_str().ok());
        assert_eq!(client, Some("192.0.2.7, 127.0.0.1"), "{option}");
        assert_eq!(received.fields.contains_key("x-hop"), option != "x-hop");
    }
}

#[test]
fn a_body_keeps_its_codings_or_does_not_arrive() {
    let gate = Gate::start(RULES, "");
    let post = |version: &str, codings: &str| {
        format!("POST / HTTP/{version}\r\nhost: a.example\r\n{codings}\r\n0\r\n\r\n").into_bytes()
    };
    for codings in [
        "transfer-encoding: gzip, chunked\r\n",
        "transfer-encoding: gzip\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked, chunked\r\n",
        "transfer-encoding: identity, chunked\r\n",
        "transfer-encoding: deflate , chunked\r\n",
    ] {
        let (answer, received) = gate.send(&post("1.1", codings));
        assert!(received.is_none(), "{codings}");
        let answer = answer.expect("an answer");
        assert_eq!((answer.status, answer.reason()), (501, Some("transfer-coding-unsupported")), "{codings}");
    }
    for codings in ["transfer-encoding: chunked, gzip\r\n", "transfer-encoding: gzip\r\n", "transfer-encoding:\r\n"] {
        let (answer, received) = gate.send(&post("1.1", codings));
        assert!(received.is_none(), "{codings}");
        assert!(answer.is_none_or(|answer| answer.status >= 400), "{codings}");
    }
    let (answer, received) = gate.send(&post("1.0", "transfer-encoding: chunked\r\n"));
    assert!(received.is_none() && answer.is_none_or(|answer| answer.status >= 400));
    assert!(gate.send(&post("1.1", "transfer-encoding: Chunked\r\n")).1.is_some());
}

/// A denial has gRPC's form where gRPC can be only: over HTTP/1.1 it would be
/// an empty 200, which caches keep.
#[test]
fn a_denial_over_http_1_is_never_a_200_and_never_kept() {
    let gate = Gate::start(RULES, "");
    for content_type in
        ["application/grpc", "application/grpc+proto", "application/grpc;x", "application/grpc-web", "text/html"]
    {
        let fields = format!("content-type: {content_type}\r\n");
        let (answer, received) = gate.send(&request("GET", "/admin", Caller::Nobody, &fields));
        let answer = answer.expect("an answer");
        assert!(received.is_none());
        assert_eq!((answer.status, answer.reason()), (401, Some("missing-api-key")), "{content_type}");
        assert_eq!(answer.field("grpc-status"), None, "{content_type}");
        assert_eq!(answer.field("cache-control"), Some("no-store"), "{content_type}");
    }
    for target in ["/a/../b", "/%00", "//"] {
        let (answer, _) = gate.send(&request("GET", target, Caller::Nobody, ""));
        assert_eq!(answer.expect("an answer").field("cache-control"), Some("no-store"), "{target}");
    }
}

/// Fields in which the principal cannot be told, since servers read them for
/// what they are.
#[test]
fn the_principal_has_a_field_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    for (field, accepted) in [
        ("content-length", false),
        ("transfer-encoding", false),
        ("host", false),
        ("connection", false),
        ("te", false),
        ("upgrade", false),
        ("x-forwarded-for", false),
        ("x-forwarded-proto", false),
        ("x-request-id", false),
        ("authorization", false),
        ("cookie", false),
        ("x-http-method-override", false),
        ("x-user", true),
    ] {
        let rules = format!("{RULES}\n[forward]\nprincipal-field = \"{field}\"\n");
        let file = Barmkin::write_configuration(folder.path(), &with_hashes(&rules), &SECRETS);
        let checked = std::process::Command::new(Barmkin::program()).arg("check").arg(file).output().unwrap();
        let told = String::from_utf8_lossy(&checked.stderr).into_owned();
        assert_eq!(checked.status.success(), accepted, "{field}: {told}");
        assert!(accepted || told.contains(&format!("cannot be sent in `{field}`")), "{told}");
    }
}

/// gunicorn mounts an application where a field says so, and takes that part from
/// the front of the path.
#[test]
fn no_field_takes_a_part_from_the_front_of_the_path() {
    let Some(site) = Site::start(Stack { framework: "flask", server: "gunicorn" }) else { return };
    for field in ["SCRIPT_NAME", "script_name", "Script_Name", "Script-Name", "script.name", "X-Script-Name"] {
        for guarded in ["/v1/users:delete", "/v1/@me/data", "/admin"] {
            let fields = format!("{field}: /x\r\nPATH_INFO: {guarded}\r\n");
            let mounted = request("GET", &format!("/x{guarded}"), Caller::Nobody, &fields);
            let answer = site.gate().send(&mounted).expect("an answer");
            assert_eq!(answer.field("x-view"), Some("open"), "{field}: {answer:?}");
        }
    }
    // Without a gate it does.
    let mounted = request("GET", "/x/admin", Caller::Nobody, "SCRIPT_NAME: /x\r\n");
    let answer = Connection::to(site.upstream).send(&mounted).expect("an answer");
    assert_eq!(answer.field("x-view"), Some("admin"), "{answer:?}");
}
