//! Messages to authors of policies: by `check`, `eval` and `test`, and by a
//! gate that serves.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use barmkin_build::{BuildOptions, build_component};
use barmkin_tests::harness::{Barmkin, ListenerKind, Request, Upstream};
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;
use tempfile::TempDir;

const RULES: &str = r#"version = 1

[store]
kind = "memory"

[keys.partner]
algorithm = "hmac-sha256"
secrets = [{ id = "1", from = "file:secrets/partner" }]

[nonces.deliveries]
keep = "on-allow"

[quotas.calls]
rate = "100/min"
key = "client-address"

[policies.scripted]
component = "file:COMPONENT"
settings = { position = 0, vouch = true, sets = ["x-user"] }
grants = { keys = { signing = "partner" }, nonces = { nonces = "deliveries" }, quotas = { quota = "calls" }, sets = ["x-user"], vouch = true }

[[routes]]
name = "all"
match = { path.prefix = "/" }
chain = ["scripted"]
"#;

const SECRETS: [(&str, &str); 1] = [("partner", "a secret of the tests")];

/// The component of `tests/fixtures/scripted`, in a folder.
static FOLDER: LazyLock<TempDir> = LazyLock::new(|| {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/scripted");
    let folder = tempfile::tempdir().unwrap();
    let component = build_component(&fixture, &BuildOptions::default()).unwrap();
    std::fs::write(folder.path().join("scripted.wasm"), component).unwrap();
    folder
});

fn rules() -> String {
    RULES.replace("COMPONENT", FOLDER.path().join("scripted.wasm").to_str().unwrap())
}

/// The exit code of a command, and its output.
fn run(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(Barmkin::program()).current_dir(folder).args(arguments).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

#[test]
fn check_says_what_each_policy_reads_and_uses() {
    let folder = tempfile::tempdir().unwrap();
    Barmkin::write_configuration(folder.path(), &rules(), &SECRETS);
    let (code, said) = run(folder.path(), &["check"]);
    assert_eq!(code, Some(0), "{said}");
    for line in [
        "policy `scripted` reads principal, facts, header x-script-0 (all); uses key signing, nonces nonces, \
         quota quota, field x-user, which it sets, its grant to vouch",
        "  checks begin with 64 KiB of memory, which `configure` left; its instances are renewed",
    ] {
        assert!(said.lines().any(|found| found == line), "{line}\n{said}");
    }
}

#[test]
fn eval_shows_what_a_policy_said_when_it_died_and_what_it_took() {
    let folder = tempfile::tempdir().unwrap();
    Barmkin::write_configuration(folder.path(), &rules(), &SECRETS);
    let (code, said) = run(folder.path(), &["eval", "--path", "/", "--header", "x-script-0: panic:it is odd"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("deny policy-trapped") && said.contains("it panicked at "), "{said}");
    assert!(said.contains(": it is odd\n"), "{said}");
    let step = said.lines().find(|line| line.trim_start().starts_with("scripted")).unwrap();
    assert!(step.ends_with(" KiB") && step.contains("s, "), "{step}");
}

/// In the log of a gate only the place stands, unless its operator asks for more.
#[test]
fn serve_tells_messages_to_those_who_ask() {
    let upstream = Upstream::start();
    for (arguments, told) in [(&[][..], false), (&["--panic-messages"], true)] {
        let kind = ListenerKind::ReverseProxy(upstream.address());
        let mut gate = Barmkin::serve_with(&rules(), &SECRETS, &[("edge", kind)], arguments);
        let request = Request::new("GET", "/", "gate.test").with("x-script-0", "panic:the token is t0ps3cret");
        let answer = request.send(gate.address("edge")).unwrap();
        assert_eq!(answer.status, 500);
        gate.wait_for_output("it panicked at ");
        assert_eq!(gate.output().contains("t0ps3cret"), told, "{}", gate.output());
    }
}

const CASES: &str = r#"
component = "COMPONENT"
settings = { position = 0, vouch = true, sets = ["x-user"], body = true }
grants = { vouch = true, sets = ["x-user"] }
keys.signing = { algorithm = "hmac-sha256", secrets = [{ id = "new", text = "new" }, { id = "old", hex = "6f6c64" }] }
nonces.nonces = { retain = "7d" }
quotas.quota = { rate = "2/min", key = "route" }

[[cases]]
name = "the principal and the facts of a case are seen"
principal = { id = "acme", roles = ["reader"] }
facts = { message-id = "m-1" }
request = { target = "/", headers = { x-script-0 = ["principal:acme", "message:m-1", "set:x-user=acme", "allow:acme"] } }
expect = { verdict = "allow", principal = "acme", changes = { set = { x-user = "acme" } } }

[[cases]]
name = "without them it is denied, in these words"
request = { target = "/", headers = { x-script-0 = ["principal:acme", "allow"] } }
expect = { verdict = "deny", reason = "wrong-principal", status = 403 }

[[cases]]
name = "a body is signed"
request = { method = "POST", target = "/", body = "hello" }
sign = { key = "signing", header = "x-script-0", value = "verify:{signature}" }
expect = { verdict = "deny", reason = "nobody-vouched" }

[[cases]]
name = "by the older secret, too"
request = { method = "POST", target = "/", body = "hello" }
sign = { key = "signing", secret = "old", header = "x-script-0", value = "verify:{signature}" }
expect = { verdict = "deny", reason = "nobody-vouched" }

[[cases]]
name = "something else is signed"
request = { method = "POST", target = "/", body = "hello" }
sign = { key = "signing", base = "{body}!", header = "x-script-0", value = "verify:{signature}" }
expect = { verdict = "deny", reason = "signature-mismatch" }

[[cases]]
name = "a key of its own"
keys.signing = { algorithm = "hmac-sha256", secrets = [{ id = "own", base64 = "b3du" }] }
request = { method = "POST", target = "/", body = "hello" }
sign = { key = "signing", header = "x-script-0", value = "verify:{signature}" }
expect = { verdict = "deny", reason = "nobody-vouched" }

[[cases]]
name = "a nonce is new once"
request = { target = "/", headers = { x-script-0 = ["claim-nonce:a", "allow"] } }
expect = { verdict = "allow" }

[[cases]]
name = "and then used"
request = { target = "/", headers = { x-script-0 = ["claim-nonce:a", "allow"] } }
expect = { verdict = "deny", reason = "replayed", status = 409 }

[[cases]]
name = "but not in a space of its own"
nonces.nonces = {}
request = { target = "/", headers = { x-script-0 = ["claim-nonce:a", "allow"] } }
expect = { verdict = "allow" }

[[cases]]
name = "a quota that was used up before"
before = 2
request = { target = "/", headers = { x-script-0 = ["take:1", "allow"] } }
expect = { verdict = "deny", reason = "over-quota", status = 429 }

[[cases]]
name = "a quota of its own is whole"
quotas.quota = { rate = "1/min", key = "route" }
request = { target = "/", headers = { x-script-0 = ["take:1", "allow"] } }
expect = { verdict = "allow" }

[[cases]]
name = "what it says when it dies can be expected"
request = { target = "/", headers = { x-script-0 = "panic:it is odd" } }
expect = { verdict = "deny", reason = "policy-trapped", status = 500, detail = "it is odd" }
"#;

fn test(cases: &str) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().unwrap();
    let component = FOLDER.path().join("scripted.wasm");
    let cases = cases.replace("COMPONENT", component.to_str().unwrap());
    std::fs::write(folder.path().join("cases.toml"), cases).unwrap();
    run(folder.path(), &["test"])
}

#[test]
fn cases_give_a_component_all_that_it_needs() {
    let (code, said) = test(CASES);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.ends_with("12 passed, 0 failed\n"), "{said}");
    let used = said.lines().find(|line| line.starts_with("policy `policy`: 12 checks, median ")).unwrap();
    assert!(used.contains(", longest ") && used.ends_with(" KiB of memory"), "{used}");
}

/// Each expectation fails when it is not met.
#[test]
fn what_is_expected_is_compared() {
    let (head, _) = CASES.split_once("[[cases]]").unwrap();
    for (script, expect, difference) in [
        ("allow:a", r#"verdict = "allow", principal = "b""#, "expected principal `b`, got `a`"),
        ("deny:no:403", r#"verdict = "deny", reason = "no", status = 401"#, "expected status 401, got 403"),
        (
            "deny:no:403",
            r#"verdict = "deny", reason = "no", headers = { content-type = "text/html" }"#,
            "expected `content-type: text/html` in the answer, got `application/problem+json`",
        ),
        (
            "panic:odd",
            r#"verdict = "deny", reason = "policy-trapped", detail = "even""#,
            "expected detail `even`, got `it panicked at ",
        ),
        (
            "allow",
            r#"verdict = "allow", changes = { set = { x-user = "a" } }"#,
            "expected the change set `x-user: a`, got ",
        ),
        ("allow", r#"verdict = "allow", status = 200"#, "`status`, `headers` and `detail` are of a deny"),
    ] {
        let case = format!(
            "[[cases]]\nname = \"one\"\nrequest = {{ target = \"/\", headers = {{ x-script-0 = \"{script}\" }} }}\n\
             expect = {{ {expect} }}\n"
        );
        let (code, said) = test(&format!("{head}{case}"));
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains(difference), "{difference}\n{said}");
        assert!(said.lines().any(|line| line.starts_with("  policy ") && line.ends_with(" KiB")), "{said}");
    }
}

/// A case that cannot be decided is named, with the reason.
#[test]
fn a_case_that_cannot_be_made_is_an_error() {
    let (head, _) = CASES.split_once("[[cases]]").unwrap();
    for (line, problem) in [
        (r#"sign = { key = "other", header = "x-a" }"#, "`sign` names key `other`, which is not declared"),
        (
            r#"sign = { key = "signing", base = "{bdy}", header = "x-a" }"#,
            "`{bdy}` has `{bdy}`, but there are `{body}`",
        ),
        ("before = 10001", "`before` is 10001, but may be at most 10000"),
        (r#"quotas.quota = { rate = "1/week", key = "route" }"#, "`1/week` is not a rate"),
        (r#"keys.other = { algorithm = "ed25519", secrets = [{ id = "1", text = "a" }] }"#, "has 32 bytes"),
        (r#"quotas.other = { rate = "1/s", key = "route" }"#, "is granted quota `other`, which it does not use"),
    ] {
        let case = format!(
            "[[cases]]\nname = \"one\"\n{line}\nrequest = {{ target = \"/\" }}\nexpect = {{ verdict = \"allow\" }}\n"
        );
        let (code, said) = test(&format!("{head}{case}"));
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains("case `one`") && said.contains(problem), "{problem}\n{said}");
    }
}

#[test]
fn the_schema_and_the_help_describe_cases() {
    let folder = tempfile::tempdir().unwrap();
    let (code, schema) = run(folder.path(), &["schema", "--cases"]);
    assert_eq!(code, Some(0), "{schema}");
    let schema: serde_json::Value = serde_json::from_str(&schema).unwrap();
    for pointer in ["/properties/cases", "/$defs/Case/properties/sign", "/$defs/Expected/properties/changes"] {
        assert!(schema.pointer(pointer).is_some(), "{pointer}");
    }
    let (code, help) = run(folder.path(), &["test", "--help"]);
    assert_eq!(code, Some(0), "{help}");
    assert!(help.contains("[[cases]]\nname = \"a signed delivery\""), "{help}");
}
