//! The cause of a refusal, as the operator reads it in the log and in `eval`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use serde_json::Value;
use support::{folder, run};
use tempfile::TempDir;

const RULES: &str = r#"version = 1

[keys.pepper]
algorithm = "keyed-hash-sha256"
secrets = [{ id = "1", from = "file:secret" }]

[keys.stripe]
algorithm = "hmac-sha256"
secrets = [{ id = "2026-11", from = "file:secret" }, { id = "2026-10", from = "file:secret" }]

[policies.callers]
component = "stock:api-key"
tables = { keys = "file:keys.jsonl" }
grants = { keys = { pepper = "pepper" }, vouch = true }

[policies.access]
component = "stock:rbac-scopes"
settings = { roles = { reader = { scopes = ["items:read"] } }, rules = [{ path = "/v1/items", methods = ["POST"], scopes = ["items:write"] }] }

[policies.signature]
component = "stock:webhook-signature"
settings = { provider = "stripe" }
grants = { keys = { signing = "stripe" }, vouch = true }

[[routes]]
name = "api"
match = { host = "api.example.com", path.prefix = "/v1", methods = ["GET", "POST"] }
chain = ["callers", "access"]

[[routes]]
name = "hooks"
match = { path.exact = "/hooks" }
chain = ["signature"]
body-limit = "16B"
"#;

fn configured() -> (TempDir, String) {
    let folder = folder(&[("barmkin.toml", RULES), ("secret", "a secret of the tests"), ("keys.jsonl", "")]);
    let new =
        ["api-key", "new", "--id", "a", "--role", "reader", "--role", "ghost", "--append", "keys.jsonl", "--json"];
    let made: Value = serde_json::from_str(&run(folder.path(), &new).out).unwrap();
    (folder, made.pointer("/key").unwrap().as_str().unwrap().to_owned())
}

/// Reason and detail of the deny of `method url`.
fn denied(folder: &TempDir, method: &str, url: &str, more: &[&str]) -> (String, String) {
    let asked = run(folder.path(), &[&["eval", "--json", "--method", method, "--url", url], more].concat());
    let verdict: Value = serde_json::from_str(&asked.out).unwrap_or_else(|_| panic!("{}", asked.err));
    let text = |name| verdict.pointer(name).unwrap().as_str().unwrap().to_owned();
    (text("/reason"), text("/detail"))
}

#[test]
fn a_request_without_a_route_is_told_from_the_nearest() {
    let (folder, _) = configured();
    let nearest = |method, url| {
        let (reason, detail) = denied(&folder, method, url, &[]);
        assert_eq!(reason, "no-route");
        detail
    };
    assert_eq!(
        nearest("DELETE", "https://api.example.com/v1/items"),
        "route `api` has the path, but it is for GET, POST, not DELETE"
    );
    assert_eq!(
        nearest("GET", "https://example.com/v1"),
        "route `api` has the path, but it is for `api.example.com`, not `example.com`"
    );
    assert_eq!(
        nearest("PUT", "https://example.com/v1"),
        "route `api` has the path, but it is for `api.example.com`, not `example.com`, and it is for GET, POST, not PUT"
    );
    assert_eq!(nearest("GET", "https://api.example.com/v2"), "");
}

#[test]
fn the_byte_of_a_path_is_named() {
    let (folder, _) = configured();
    for (path, expected) in [
        ("/v1/a%2Fb", "byte 6 of the path: an encoded slash"),
        ("/v1//a", "byte 5 of the path: an empty segment"),
        ("/v1/%E2%84%AA", "byte 5 of the path: U+212A"),
        ("/v1/a%zz", "byte 6 of the path: two hexadecimal digits"),
        ("/V1/items", "route `api` has it in another case"),
    ] {
        let (_, detail) = denied(&folder, "GET", &format!("https://api.example.com{path}"), &[]);
        assert!(detail.starts_with(expected), "{path}: {detail}");
    }
}

#[test]
fn missing_scopes_are_named_with_those_that_are_there() {
    let (folder, key) = configured();
    let field = format!("--header=x-api-key: {key}");
    let (reason, detail) = denied(&folder, "POST", "https://api.example.com/v1/items", &[&field]);
    assert_eq!(reason, "insufficient-scope");
    assert_eq!(detail, "`items:write` needed; `a` has role `reader`, role `ghost`, which is not defined");
    let (reason, detail) = denied(&folder, "GET", "https://api.example.com/v1/items", &[&field]);
    assert_eq!((reason.as_str(), detail.as_str()), ("no-rule", "no rule is for GET /v1/items"));
}

#[test]
fn a_signature_that_nothing_verified_says_what_was_compared() {
    let (folder, _) = configured();
    let hook = |now: &str, signature: &str, body: &str, more: &[&str]| {
        let signature = format!("--header=stripe-signature: t=1700000000,{signature}");
        denied(&folder, "POST", "https://h/hooks", &[&["--now", now, &signature, "--body", body], more].concat())
    };
    let signature = format!("v1={}", "0".repeat(64));
    let two = format!("{signature},{signature}");
    let (reason, detail) = hook("2023-11-14T22:13:20Z", &two, "{}", &["--header=content-encoding: gzip"]);
    assert_eq!(reason, "signature-mismatch");
    let (before, digest) = detail.split_once("digest ").unwrap();
    assert_eq!(before, "compared 2 under secrets `2026-11`, `2026-10` of key `stripe`; the body has 2 bytes, ");
    let (digest, encoding) = digest.split_once(", ").unwrap();
    assert!(digest.len() == 16 && encoding == "content-encoding `gzip`", "{detail}");

    let (reason, detail) = hook("2023-11-14T22:20:20Z", &signature, "{}", &[]);
    assert_eq!((reason.as_str(), detail.as_str()), ("timestamp-too-old", "signed 7m ago, and up to 5m are allowed"));
    let (reason, detail) = hook("2023-11-14T22:13:20Z", &signature, "more than sixteen", &[]);
    assert_eq!((reason.as_str(), detail.as_str()), ("body-too-large", "the route takes 16 bytes (its `body-limit`)"));
}
