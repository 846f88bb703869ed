//! Commands that end by themselves: what they print, and what they end with.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use serde_json::Value;
use support::{folder, run, with_a_caller};

#[test]
fn check_proves_a_configuration_or_reports_it() {
    let (good, _) = with_a_caller();
    let proven = run(good.path(), &["check"]);
    assert_eq!(proven.code, Some(0), "{}", proven.err);
    assert!(proven.out.contains("route `api` asks callers"), "{}", proven.out);

    let bad = folder(&[("rules.toml", "version = 1\n[quotas.q]\nrate = \"5\"\nkye = \"route\"\n")]);
    let refused = run(bad.path(), &["check", "rules.toml"]);
    assert_eq!((refused.code, refused.out.as_str()), (Some(1), ""));
    assert_eq!(
        refused.err,
        "rules.toml:2:9: `key` is missing\n  2 | [quotas.q]\n    |         ^\n  help: add `key`\n\
         rules.toml:4:1: there is no key `kye` here\n  4 | kye = \"route\"\n    | ^^^\n  help: did you mean `key`\n"
    );
}

#[test]
fn check_says_where_requests_go_and_what_is_demanded_there() {
    let rules = "version = 1\n[listen.edge]\nkind = \"reverse-proxy\"\naddress = \"127.0.0.1:0\"\nupstream = \"app\"\n\
                 tls = { certificate = \"gate.pem\", key = \"gate.key\", least-version = \"1.3\" }\n\
                 [upstreams.app]\naddresses = [\"https://a:1\", \"https://b:1\"]\ntls = { roots = \"gate.pem\" }\n\
                 [[routes]]\nname = \"r\"\npublic = true\nupstream = \"http://c:1\"\n";
    let folder = folder(&[("barmkin.toml", rules)]);
    let checked = run(folder.path(), &["check", "--without-secrets"]);
    for line in [
        "listener `edge` at 127.0.0.1:0, TLS 1.3 or newer\n",
        "upstream `app` at https://a:1, then https://b:1, TLS 1.2 or newer, known by its roots\n",
        "upstream `http://c:1` at http://c:1\n",
        "route `r` asks nobody, and goes to `http://c:1`\n",
    ] {
        assert!(checked.out.contains(line), "{line} is not in {}{}", checked.out, checked.err);
    }
}

#[test]
fn check_needs_no_secrets_where_they_must_not_be() {
    let (folder, _) = with_a_caller();
    std::fs::remove_file(folder.path().join("pepper")).unwrap();
    assert_eq!(run(folder.path(), &["check"]).code, Some(1));
    let proven = run(folder.path(), &["check", "--without-secrets"]);
    assert_eq!(proven.code, Some(0), "{}", proven.err);
}

#[test]
fn eval_says_how_a_request_is_decided() {
    let (folder, key) = with_a_caller();
    let field = format!("--header=x-api-key: {key}");
    let allowed = run(folder.path(), &["eval", "--json", "--path", "/v1/items", &field]);
    assert_eq!(allowed.code, Some(0), "{}", allowed.err);
    let verdict: Value = serde_json::from_str(&allowed.out).unwrap();
    assert_eq!(verdict.pointer("/principal"), Some(&"partner-a".into()));
    assert_eq!(verdict.pointer("/steps/0/policy"), Some(&"callers".into()));

    let denied = run(folder.path(), &["eval", "--json", "--url", "https://a.example/v1/items"]);
    assert_eq!(denied.code, Some(1), "{}", denied.err);
    let verdict: Value = serde_json::from_str(&denied.out).unwrap();
    assert_eq!(verdict.pointer("/reason"), Some(&"missing-api-key".into()));
    assert_eq!(verdict.pointer("/status"), Some(&401.into()));
    assert_eq!(verdict.pointer("/policy"), Some(&"callers".into()));
}

#[test]
fn eval_takes_the_listener_that_a_request_comes_by() {
    let rules = "version = 1\n[listen.edge]\nkind = \"ext-authz\"\naddress = \"unix:a.sock\"\n\
                 [[routes]]\nname = \"r\"\nlisteners = [\"edge\"]\npublic = true\n";
    let folder = folder(&[("barmkin.toml", rules), ("edge.json", r#"{ "target": "/", "listener": "edge" }"#)]);
    let eval = |arguments: &[&str]| run(folder.path(), &[&["eval"], arguments].concat());
    assert_eq!(eval(&["--path", "/", "--listener", "edge"]).code, Some(0));
    assert_eq!(eval(&["--request", "edge.json"]).code, Some(0));
    let checked = run(folder.path(), &["check"]);
    assert!(checked.out.contains("route `r` asks nobody, only by edge\n"), "{}", checked.out);
    let by_none = eval(&["--path", "/"]);
    assert!(by_none.code == Some(1) && by_none.out.contains("no-route"), "{}", by_none.out);
    let unknown = eval(&["--path", "/", "--listener", "egde"]);
    assert_eq!(
        (unknown.code, unknown.err.as_str()),
        (Some(2), "there is no listener `egde`\n  help: use one of `edge`\n")
    );
}

#[test]
fn eval_takes_the_target_byte_for_byte() {
    let (folder, _) = with_a_caller();
    for target in ["/x/../v1/items", "//v1/items", "/v1%2fitems"] {
        let decided = run(folder.path(), &["eval", "--json", "--path", target]);
        assert_eq!(decided.code, Some(1), "{target}: {}", decided.err);
        let verdict: Value = serde_json::from_str(&decided.out).unwrap();
        assert_eq!(verdict.pointer("/reason"), Some(&"ambiguous-path".into()), "{target}");
    }
}

#[test]
fn eval_takes_a_request_from_a_file_or_says_why_not() {
    let (folder, key) = with_a_caller();
    let request = serde_json::json!({ "target": "/v1/items", "headers": { "x-api-key": key } });
    std::fs::write(folder.path().join("request.json"), request.to_string()).unwrap();
    assert_eq!(run(folder.path(), &["eval", "--request", "request.json"]).code, Some(0));

    let missing = run(folder.path(), &["eval", "--request", "absent.json"]);
    assert_eq!((missing.code, missing.out.as_str()), (Some(2), ""));
    assert!(missing.err.contains("`absent.json`"), "{}", missing.err);
}

#[test]
fn test_compares_verdict_reason_and_principal() {
    let (folder, key) = with_a_caller();
    let cases = |reason: &str, principal: &str| {
        format!(
            r#"configuration = "barmkin.toml"
[[cases]]
name = "no key"
request = {{ target = "/v1" }}
expect = {{ verdict = "deny", reason = "{reason}" }}
[[cases]]
name = "a key"
request = {{ target = "/v1", headers = {{ x-api-key = "{key}" }} }}
expect = {{ verdict = "allow", principal = "{principal}" }}
"#
        )
    };
    let write = |text: String| std::fs::write(folder.path().join("cases.toml"), text).unwrap();
    write(cases("missing-api-key", "partner-a"));
    let passed = run(folder.path(), &["test"]);
    assert_eq!(passed.code, Some(0), "{}", passed.err);
    let lines: Vec<_> = passed.out.lines().collect();
    assert!(
        matches!(lines[..], [took, "2 passed, 0 failed"] if took.starts_with("policy `callers`: 2 checks")),
        "{lines:?}"
    );

    write(cases("unknown-api-key", "partner-b"));
    let failed = run(folder.path(), &["test"]);
    assert_eq!(failed.code, Some(1), "{}", failed.err);
    assert!(failed.out.contains("expected deny `unknown-api-key`, got deny `missing-api-key`"), "{}", failed.out);
    assert!(failed.out.contains("expected principal `partner-b`, got `partner-a`"), "{}", failed.out);
    assert!(failed.out.ends_with("0 passed, 2 failed\n"), "{}", failed.out);
}

#[test]
fn the_schema_is_the_published_one() {
    let printed = run(folder(&[]).path(), &["schema"]);
    let printed: Value = serde_json::from_str(&printed.out).unwrap();
    let published: Value = serde_json::from_str(include_str!("../../config/barmkin.schema.json")).unwrap();
    assert!(printed == published);
}

#[test]
fn all_stock_policies_are_listed() {
    let listed = run(folder(&[]).path(), &["policies"]);
    let names: Vec<&str> = listed.out.lines().skip(1).filter_map(|line| line.split_whitespace().next()).collect();
    let stock = ["api-key", "rate-quota", "rbac-scopes", "replay-window", "webhook-signature"];
    assert_eq!(names, stock.map(|name| format!("stock:{name}")));
}
