//! The descriptions of policies: shown, documented, and true.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod support;

use serde_json::Value;
use std::path::Path;
use support::webhooks::signature;
use support::{folder, run, run_with};

const STOCK: [&str; 5] = ["api-key", "rate-quota", "rbac-scopes", "replay-window", "webhook-signature"];

fn described(name: &str) -> Value {
    serde_json::from_str(&run(folder(&[]).path(), &["policies", name, "--json"]).out).unwrap()
}

/// The folder of a policy's example, with its secrets.
fn example(name: &str) -> tempfile::TempDir {
    let folder = folder(&[("barmkin.toml", described(name)["example"].as_str().unwrap())]);
    support::secrets(folder.path(), &[("pepper", PEPPER), ("stripe", SECRET), ("github", SECRET), ("partner", SECRET)]);
    folder
}

const PEPPER: &str = "the pepper of the examples";
const SECRET: &str = "the secret of the examples";

/// A request to an example: its target, the fields, and why it is denied.
type Case = (&'static str, &'static str, Vec<(&'static str, String)>, Option<&'static str>);

const BODY: &str = "{\"a\":1}";

/// 2026-11-27T00:00:00Z, when the requests come.
const NOW_S: u64 = 1_795_737_600;

fn cases(policy: &str) -> Vec<Case> {
    let key = |key: &str| vec![("x-api-key", key.to_owned())];
    let signed = |header, at: u64| {
        let signature = signature(SECRET, format!("{at}.{BODY}").as_bytes());
        vec![(header, format!("t={at},v1={signature}"))]
    };
    match policy {
        "api-key" => vec![
            ("GET", "/v1", key("bk_partner-a"), None),
            ("GET", "/v1", vec![("authorization", "bearer bk_partner-a".to_owned())], None),
            ("GET", "/v1", vec![], Some("missing-api-key")),
            ("GET", "/v1", key("bk_partner-b"), Some("unknown-api-key")),
            ("GET", "/v1", key("a b"), Some("malformed-api-key")),
        ],
        "rate-quota" => {
            let mut cases = vec![("GET", "/search", vec![], None); 4];
            // Each costs five units, of which there are twenty.
            cases.push(("GET", "/search", vec![], Some("over-quota")));
            cases
        }
        "rbac-scopes" => vec![
            ("GET", "/v1/items/1", key("bk_reports"), None),
            ("PUT", "/v1/items/1", key("bk_reports"), Some("insufficient-scope")),
            ("GET", "/v1/others", key("bk_reports"), Some("no-rule")),
        ],
        "replay-window" => vec![
            ("POST", "/webhooks/stripe", vec![], Some("missing-signature")),
            ("POST", "/webhooks/stripe", signed("stripe-signature", NOW_S), None),
            ("POST", "/webhooks/stripe", signed("stripe-signature", NOW_S), Some("replayed")),
        ],
        "webhook-signature" => vec![
            (
                "POST",
                "/webhooks/github",
                vec![("x-hub-signature-256", format!("sha256={}", signature(SECRET, BODY.as_bytes())))],
                None,
            ),
            (
                "POST",
                "/webhooks/github",
                vec![("x-hub-signature-256", format!("sha256={}", "0".repeat(64)))],
                Some("signature-mismatch"),
            ),
            ("POST", "/webhooks/partner", signed("partner-signature", NOW_S), None),
            ("POST", "/webhooks/partner", signed("partner-signature", NOW_S - 301), Some("timestamp-too-old")),
        ],
        _ => panic!("{policy} has no cases"),
    }
}

fn written((method, target, fields, reason): &Case) -> String {
    let fields: String = fields.iter().map(|(name, value)| format!("{name} = \"{value}\"\n")).collect();
    let expected = match reason {
        None => "verdict = \"allow\"".to_owned(),
        Some(reason) => format!("verdict = \"deny\", reason = \"{reason}\""),
    };
    format!(
        "[[cases]]\nname = \"{method} {target} {reason}\"\nnow = \"2026-11-27T00:00:00Z\"\nexpect = {{ {expected} }}\n\
         [cases.request]\nmethod = \"{method}\"\ntarget = \"{target}\"\nbody = '{BODY}'\nclient-address = \"192.0.2.1\"\n\
         [cases.request.headers]\n{fields}",
        reason = reason.unwrap_or("allowed")
    )
}

#[test]
fn every_example_is_right_and_decides() {
    for policy in STOCK {
        let folder = example(policy);
        let checked = run(folder.path(), &["check"]);
        assert_eq!((checked.code, checked.err.as_str()), (Some(0), ""), "{policy}");
        let cases = cases(policy);
        let text: String = cases.iter().map(written).collect();
        let decided = run_with(
            folder.path(),
            &["test", "--json", "-"],
            format!("configuration = \"barmkin.toml\"\n{text}").as_bytes(),
        );
        let results: Value = serde_json::from_str(&decided.out).unwrap_or_else(|_| panic!("{policy}: {}", decided.err));
        assert_eq!((&results["passed"], &results["failed"]), (&cases.len().into(), &0.into()), "{policy}: {results}");
        let declared = described(policy);
        for reason in
            cases.iter().filter_map(|(_, _, _, reason)| *reason).filter(|reason| *reason != "missing-signature")
        {
            let declared = declared["reasons"].as_array().unwrap();
            assert!(declared.iter().any(|declared| declared["code"] == reason), "{policy} does not declare `{reason}`");
        }
    }
}

/// Everything that a policy says of itself is in the documentation, as it says it;
/// `BARMKIN_WRITE_TABLE=1` writes it again.
#[test]
fn the_documentation_is_what_the_components_say() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/policies.md");
    let text = std::fs::read_to_string(&file).unwrap();
    let (before, documented) = text.split_once(BEGIN).unwrap();
    let mut described = String::new();
    for name in STOCK {
        let shown = run(folder(&[]).path(), &["policies", name]);
        assert_eq!(shown.code, Some(0), "{}", shown.err);
        // One page has one heading above all.
        let mut in_code = false;
        for line in shown.out.lines() {
            in_code ^= line.starts_with("```");
            described.push('\n');
            if line.starts_with('#') && !in_code {
                described.push('#');
            }
            described.push_str(line);
        }
        described.push('\n');
    }
    if std::env::var_os("BARMKIN_WRITE_TABLE").is_some() {
        std::fs::write(&file, format!("{before}{BEGIN}{described}")).unwrap();
    } else {
        assert!(documented == described, "write it again with BARMKIN_WRITE_TABLE=1; it is now:\n{described}");
    }
}

const BEGIN: &str = "<!-- made by host/cli/tests/policies.rs of what the components say -->\n";

#[test]
fn every_setting_and_reason_of_stock_policies_has_a_text() {
    for name in STOCK {
        let description = described(name);
        for part in ["summary", "example"] {
            assert!(!description[part].as_str().unwrap().is_empty(), "{name}: {part}");
        }
        for reason in description["reasons"].as_array().unwrap() {
            assert!(reason["text"].as_str().unwrap().ends_with('.'), "{name}: {reason}");
        }
        every_text(name, &description["settings"]);
    }
}

fn every_text(place: &str, schema: &Value) {
    for (name, setting) in schema["properties"].as_object().into_iter().flatten() {
        let place = format!("{place}.{name}");
        assert!(setting["description"].as_str().unwrap_or_default().ends_with(['.', ':']), "`{place}` has no text");
        assert!(setting.as_object().unwrap().len() > 1, "`{place}` takes anything");
        every_text(&place, setting);
    }
    for inner in ["items", "additionalProperties"].iter().filter_map(|inner| schema.get(inner)) {
        every_text(place, inner);
    }
}

#[test]
fn a_component_says_it_as_well_as_a_stock_policy_and_others_say_that_they_do_not() {
    let folder = folder(&[]);
    let stock = barmkin_stock::get("rate-quota").unwrap().component;
    std::fs::write(folder.path().join("own.wasm"), stock).unwrap();
    let own = run(folder.path(), &["policies", "own.wasm"]);
    let of_stock = run(folder.path(), &["policies", "stock:rate-quota"]);
    assert_eq!(own.out.replace("own.wasm", "stock:rate-quota"), of_stock.out);
    let schema = run(folder.path(), &["schema", "rate-quota"]);
    assert_eq!(serde_json::from_str::<Value>(&schema.out).unwrap(), described("rate-quota")["settings"]);

    std::fs::write(folder.path().join("old.wasm"), b"\0asm\x0d\0\x01\0").unwrap();
    for (name, problem) in [
        ("old.wasm", "`old.wasm` says nothing of itself\n  help: "),
        ("rate-qouta", "`rate-qouta` is neither a stock policy nor a file\n  help: "),
    ] {
        for command in ["policies", "schema"] {
            let ended = run(folder.path(), &[command, name]);
            assert!(ended.code == Some(2) && ended.err.starts_with(problem), "{command} {name}: {}", ended.err);
        }
    }
}

#[test]
fn the_schema_of_configurations_has_the_settings_of_stock_policies() {
    let schema: Value = serde_json::from_str(&run(folder(&[]).path(), &["schema"]).out).unwrap();
    let of_stock = schema.pointer("/$defs/Policy/allOf").and_then(Value::as_array).unwrap();
    assert_eq!(of_stock.len(), STOCK.len());
    for (name, of_one) in STOCK.iter().zip(of_stock) {
        assert_eq!(of_one.pointer("/if/properties/component/const"), Some(&format!("stock:{name}").into()));
        assert_eq!(of_one.pointer("/then/properties/settings"), Some(&described(name)["settings"]));
    }
}
