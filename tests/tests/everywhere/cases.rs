//! The requests that every way in decides alike.

use crate::tricks::TRICKS;
use barmkin_tests::harness::{Request, github_signature};
use barmkin_tests::rules::GITHUB_SECRET;

const API: &str = "api.example.com";
const HOOKS: &str = "hooks.example.com";

/// A request, and what must come of it.
pub(crate) struct Case {
    /// Its name: a group and a number, or words.
    pub(crate) name: String,
    /// The request.
    pub(crate) request: Request,
    /// The required outcome. Path tricks are held against the engine only.
    pub(crate) expected: Option<Expected>,
}

/// The required outcome of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// It passes, with this principal.
    Allow(Option<&'static str>),
    /// It is denied for this reason.
    Deny(&'static str),
}

/// All of them: 200, of which 80 carry bodies.
pub(crate) fn all() -> Vec<Case> {
    let mut cases = Cases::default();
    cases.path_tricks();
    cases.callers();
    cases.roles();
    cases.forgeries();
    cases.odd_fields();
    cases.hosts_and_targets();
    cases.quotas();
    cases.streamed_bodies();
    cases.webhooks();
    cases.0
}

#[derive(Default)]
struct Cases(Vec<Case>);

use Expected::{Allow, Deny};

const READER: Expected = Allow(Some("reader"));
const ADMIN: Expected = Allow(Some("admin"));
const GITHUB: Expected = Allow(Some("github"));

impl Cases {
    fn add(&mut self, name: impl Into<String>, expected: impl Into<Option<Expected>>, request: Request) {
        self.0.push(Case { name: name.into(), request, expected: expected.into() });
    }

    /// 40 targets of the forms that are on public lists.
    fn path_tricks(&mut self) {
        for (name, target) in TRICKS {
            self.add(format!("path {name}"), None, Request::new("GET", target, API));
        }
    }

    /// 18 on who is asking.
    fn callers(&mut self) {
        let get = |target: &str| Request::new("GET", target, API);
        let paths = ["/v1/items", "/v1/items/7?full=1", "/v1/items/a%20b", "/v1/items/caf%C3%A9", "/v1/items/@me"];
        for path in paths {
            self.add(format!("caller reads {path}"), READER, get(path).with("x-api-key", "reader-key"));
        }
        self.add("caller reads by head of field in capitals", READER, get("/v1/items").with("X-API-KEY", "reader-key"));
        self.add("caller without a key", Deny("missing-api-key"), get("/v1/items"));
        self.add("caller with an empty key", Deny("missing-api-key"), get("/v1/items").with("x-api-key", ""));
        for key in ["nobody's", "reader-key2", "READER-KEY", "reader", "admin-key,reader-key"] {
            self.add(
                format!("caller with key {key}"),
                Deny("unknown-api-key"),
                get("/v1/items").with("x-api-key", key),
            );
        }
        self.add("caller expired", Deny("expired-api-key"), get("/v1/items").with("x-api-key", "former-key"));
        let twice = get("/v1/items").with("x-api-key", "reader-key").with("x-api-key", "admin-key");
        self.add("caller with two keys", Deny("duplicate-header"), twice);
        let twice = get("/v1/items").with("x-api-key", "reader-key").with("X-Api-Key", "reader-key");
        self.add("caller with one key twice", Deny("duplicate-header"), twice);
        let elsewhere = get("/v1/items?x-api-key=reader-key").with("authorization", "Bearer reader-key");
        self.add("caller with its key elsewhere", Deny("missing-api-key"), elsewhere);
        let bytes = get("/v1/items").with("x-api-key", b"reader-key\xff");
        self.add("caller with a key that is not UTF-8", Deny("header-not-utf8"), bytes);
    }

    /// 18 on what a caller may.
    fn roles(&mut self) {
        let ask = |method: &str, target: &str, key: &str| Request::new(method, target, API).with("x-api-key", key);
        for method in ["PUT", "DELETE", "PATCH", "PURGE", "OPTIONS"] {
            self.add(format!("role {method}"), Deny("no-rule"), ask(method, "/v1/items/7", "admin-key"));
        }
        self.add("role HEAD", ADMIN, ask("HEAD", "/v1/items/7", "admin-key"));
        self.add("role TRACE", Deny("no-rule"), ask("TRACE", "/v1/items/7", "admin-key"));
        for target in ["/admin", "/admin/", "/admin/users", "/%61dmin/users", "/admin/users?x=/public"] {
            self.add(format!("role reader {target}"), Deny("insufficient-scope"), ask("GET", target, "reader-key"));
        }
        for target in ["/admin", "/admin/users", "/%61dmin/users"] {
            self.add(format!("role admin {target}"), ADMIN, ask("GET", target, "admin-key"));
        }
        self.add("role nobody /admin", Deny("missing-api-key"), Request::new("GET", "/admin", API));
        for target in ["/ADMIN/users", "/Admin"] {
            self.add(format!("role admin {target}"), Deny("ambiguous-path"), ask("GET", target, "admin-key"));
        }
    }

    /// 10 with fields that clients must not bring.
    fn forgeries(&mut self) {
        let get = |target: &str| Request::new("GET", target, API);
        let reader = || get("/v1/items").with("x-api-key", "reader-key");
        self.add("forged principal", READER, reader().with("barmkin-principal", "admin"));
        self.add("forged principal in capitals", READER, reader().with("BARMKIN-Principal", "admin"));
        self.add("forged principal with an underscore", READER, reader().with("barmkin_principal", "admin"));
        let twice = reader().with("barmkin-principal", "admin").with("barmkin-principal", "root");
        self.add("forged principal twice", READER, twice);
        self.add("forged principal of nobody", Allow(None), get("/public").with("barmkin-principal", "admin"));
        self.add(
            "forged principal instead of a key",
            Deny("missing-api-key"),
            get("/admin").with("barmkin-principal", "admin"),
        );
        let uri = get("/admin").with("x-original-uri", "/public").with("x-forwarded-uri", "/public");
        self.add("forged target", Deny("missing-api-key"), uri.with("x-rewrite-url", "/public"));
        let method = Request::new("DELETE", "/v1/items", API).with("x-api-key", "reader-key");
        let method = method.with("x-original-method", "GET").with("x-forwarded-method", "GET");
        self.add("forged method", Deny("no-rule"), method.with("x-http-method-override", "GET"));
        let host = Request::new("GET", "/v1/items", "elsewhere.example.com").with("x-forwarded-host", API);
        self.add("forged host", Deny("no-route"), host.with("x-api-key", "reader-key"));
        self.add("forged reason", READER, reader().with("barmkin-reason", "none").with("barmkin-status", "200"));
    }

    /// 14 with fields that are large, many or odd.
    fn odd_fields(&mut self) {
        let reader = || Request::new("GET", "/v1/items", API).with("x-api-key", "reader-key");
        self.add("odd bytes above ASCII", READER, reader().with("x-odd", b"caf\xe9 \xff"));
        self.add("odd empty value", READER, reader().with("x-odd", ""));
        self.add("odd value twice", READER, reader().with("x-odd", "1").with("x-odd", "2"));
        self.add("odd tab", READER, reader().with("x-odd", "a\tb"));
        self.add("odd name", READER, reader().with("x!odd#$%&'*+.^`|~", "1"));
        self.add("odd cookies", READER, reader().with("cookie", "a=1").with("cookie", "b=2"));
        self.add("odd two languages", READER, reader().with("accept-language", "gd").with("accept-language", "sco"));
        self.add("large field of 7 KB", READER, reader().with("x-large", vec![b'a'; 7_000]));
        let large =
            (0..3).fold(reader(), |request, index| request.with(&format!("x-large-{index}"), vec![b'a'; 7_000]));
        self.add("large fields of 21 KB", READER, large);
        self.add("large key of 7 KB", Deny("malformed-api-key"), {
            Request::new("GET", "/v1/items", API).with("x-api-key", vec![b'k'; 7_000])
        });
        let many = |count: usize| (0..count).fold(reader(), |request, index| request.with(&format!("x-{index}"), "1"));
        self.add("many fields, 80", READER, many(80));
        self.add("many fields, 90", READER, many(90));
        let grpc = |key: &str| {
            Request::new("GET", "/v1/items", API).with("content-type", "application/grpc-web").with("x-api-key", key)
        };
        self.add("odd content type, allowed", READER, grpc("reader-key"));
        self.add("odd content type, denied", Deny("unknown-api-key"), grpc("wrong"));
    }

    /// 17 on where a request goes.
    fn hosts_and_targets(&mut self) {
        let open = |host: &str| Request::new("GET", "/public", host);
        for host in [API, "API.Example.COM", "api.example.com:80", "api.example.com.", "api.example.com.:8080"] {
            self.add(format!("host {host}"), Allow(None), open(host));
        }
        for host in ["example.com", "api.example.com.evil.example", "localhost", "10.0.0.1"] {
            self.add(format!("host {host}"), Deny("no-route"), open(host));
        }
        self.add("host with a user", Deny("ambiguous-authority"), open("user@api.example.com"));
        self.add("host twice", Deny("ambiguous-authority"), open(API).with("host", "elsewhere.example.com"));
        let without = Request { fields: Vec::new(), ..open(API) };
        self.add("host missing", Deny("missing-host"), without);
        let long = format!("/public/{}", "a".repeat(4_000));
        self.add("target of 4 KB", Allow(None), Request::new("GET", &long, API));
        let long = format!("/public?{}", "q=1&".repeat(1_000));
        self.add("query of 4 KB", Allow(None), Request::new("GET", &long, API));
        for origin in ["https://a.example", "null"] {
            let preflight = Request::new("OPTIONS", "/public", API).with("origin", origin);
            let preflight = preflight.with("access-control-request-method", "PUT");
            self.add(format!("preflight from {origin}"), Deny("preflight-refused"), preflight);
        }
        self.add("options without a preflight", Allow(None), Request::new("OPTIONS", "/public", API));
    }

    /// 3 on how much: the second one is one too many.
    fn quotas(&mut self) {
        let ask = |key: &str| Request::new("GET", "/v1/scarce", API).with("x-api-key", key);
        self.add("quota, first", READER, ask("reader-key"));
        self.add("quota, second", Deny("over-quota"), ask("reader-key"));
        self.add("quota of somebody else", ADMIN, ask("admin-key"));
    }

    /// 40 with bodies that nobody looks at: 10 of bytes, 5 in chunks.
    fn streamed_bodies(&mut self) {
        for index in 0..40_usize {
            let body =
                if index % 4 == 0 { bytes(index * 50 + 1) } else { format!("{{\"item\":{index}}}").into_bytes() };
            let request = Request::new("POST", &format!("/v1/items/{index}"), API).with_body(body);
            let request = if index % 8 == 3 { request.chunked() } else { request };
            let (key, expected) = match index % 4 {
                0 | 1 => (Some("admin-key"), ADMIN),
                2 => (Some("reader-key"), Deny("insufficient-scope")),
                _ if index % 8 == 3 => (Some("admin-key"), ADMIN),
                _ => (None, Deny("missing-api-key")),
            };
            let request = key.into_iter().fold(request, |request, key| request.with("x-api-key", key));
            self.add(format!("streamed {index}"), expected, request);
        }
    }

    /// 40 signed deliveries: 10 of bytes, 5 in chunks.
    fn webhooks(&mut self) {
        for index in 0..20_usize {
            let body =
                if index % 2 == 0 { bytes(index * 99 + 3) } else { format!("{{\"push\":{index}}}").into_bytes() };
            let request = delivery(&body, &body);
            let request = if index % 4 == 1 { request.chunked() } else { request };
            self.add(format!("webhook signed {index}"), GITHUB, request);
        }
        for size in [20_000, 60_000] {
            let body = vec![b'x'; size];
            self.add(format!("webhook signed, {size} bytes"), GITHUB, delivery(&body, &body));
        }
        let large = vec![b'x'; 70_000];
        self.add("webhook signed, 70000 bytes", GITHUB, delivery(&large, &large));
        for index in 0..3_usize {
            let body = format!("{{\"push\":{}}}", 2 * index + 1).into_bytes();
            self.add(format!("webhook replayed {index}"), Deny("replayed"), delivery(&body, &body));
        }
        for index in 0..6_u8 {
            let body = format!("{{\"tampered\":{index}}}").into_bytes();
            let signed = [&body[..], &[index]].concat();
            self.add(format!("webhook tampered {index}"), Deny("signature-mismatch"), delivery(&body, &signed));
        }
        let body = b"{\"other\":1}";
        let good = github_signature(GITHUB_SECRET, body);
        let post = || Request::new("POST", "/webhooks/github", HOOKS).with_body(&body[..]);
        let signed = |value: &str| post().with("x-hub-signature-256", value);
        self.add("webhook unsigned", Deny("missing-signature"), post());
        self.add("webhook signed by SHA-1 only", Deny("missing-signature"), post().with("x-hub-signature", "sha1=00"));
        self.add("webhook signed twice", Deny("duplicate-header"), signed(&good).with("x-hub-signature-256", &good));
        let bare = good.trim_start_matches("sha256=");
        self.add("webhook signed without its prefix", Deny("malformed-signature"), signed(bare));
        self.add("webhook signed with nothing", Deny("malformed-signature"), signed("sha256="));
        self.add("webhook signed with text", Deny("signature-mismatch"), signed("sha256=no digits"));
        let other = github_signature("another secret", body);
        self.add("webhook signed by another", Deny("signature-mismatch"), signed(&other));
        self.add(
            "webhook elsewhere",
            Deny("no-route"),
            Request { target: "/webhooks/gitlab".to_owned(), ..signed(&good) },
        );
    }
}

fn delivery(body: &[u8], signed: &[u8]) -> Request {
    Request::new("POST", "/webhooks/github", HOOKS)
        .with("x-hub-signature-256", github_signature(GITHUB_SECRET, signed))
        .with_body(body)
}

/// Bytes of awkward values: enough that 0x00 and 0xff are among them.
fn bytes(length: usize) -> Vec<u8> {
    [0, 0xff, 0x80, b'\r', b'\n'].into_iter().cycle().take(length.max(5)).collect()
}
