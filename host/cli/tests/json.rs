//! The output of `--json` has the shape that `docs/commands.md` shows.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use support::webhooks::{NEW, Webhooks};
use support::{run, with_a_caller};

/// The types of what is at each path; items of a list are alike.
type Shape = BTreeMap<String, BTreeSet<&'static str>>;

fn add(shape: &mut Shape, path: &str, value: &Value) {
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "text",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    };
    shape.entry(path.to_owned()).or_default().insert(kind);
    match value {
        Value::Array(items) => items.iter().for_each(|item| add(shape, &format!("{path}[]"), item)),
        Value::Object(fields) => fields.iter().for_each(|(name, value)| add(shape, &format!("{path}.{name}"), value)),
        _ => {}
    }
}

fn shape(text: &str) -> Shape {
    let mut shape = Shape::new();
    add(&mut shape, "", &serde_json::from_str(text).unwrap());
    shape
}

/// Holds what was printed against the documentation, which `BARMKIN_WRITE_TABLE=1`
/// writes again.
fn documented(command: &str, printed: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/commands.md");
    let text = std::fs::read_to_string(&file).unwrap();
    let (command, what) =
        command.split_once("`, ").map_or((command, String::new()), |(command, what)| (command, format!(", {what}")));
    let heading = format!("### `barmkin {command}`{what}\n");
    let (before, after) = text.split_once(&heading).unwrap_or_else(|| panic!("no `{}`", heading.trim()));
    let (said, after) = after.split_once("```json\n").unwrap();
    let (example, after) = after.split_once("```\n").unwrap();
    if std::env::var_os("BARMKIN_WRITE_TABLE").is_some() {
        let written = format!("{before}{heading}{said}```json\n{printed}```\n{after}");
        std::fs::write(&file, written).unwrap();
    } else {
        assert_eq!(shape(printed), shape(example), "`{command}` prints another shape than is documented:\n{printed}");
    }
}

// One test: each writes the same file.
#[test]
fn every_shape_is_documented() {
    let (folder, key) = with_a_caller();
    let with_listener = |rules: &str| {
        format!(
            "{rules}\n[listen.edge]\nkind = \"reverse-proxy\"\naddress = \"127.0.0.1:0\"\nupstream = \"http://127.0.0.1:1\"\n"
        )
    };
    let rules = std::fs::read_to_string(folder.path().join("barmkin.toml")).unwrap();
    let rules = with_listener(&rules).replace("public = true", "public = true\nlisteners = [\"edge\"]");
    std::fs::write(
        folder.path().join("barmkin.toml"),
        rules.replace("path.exact = \"/\"", "path.exact = \"/\", methods = [\"GET\"]"),
    )
    .unwrap();
    let printed = |arguments: &[&str], code| {
        let ended = run(folder.path(), arguments);
        assert_eq!(ended.code, Some(code), "{arguments:?}: {}", ended.err);
        ended.out
    };
    documented("check --json", &printed(&["check", "--json"], 0));
    std::fs::write(folder.path().join("broken.toml"), "wrong = 1\nrutes = []\n").unwrap();
    documented("check --json`, refused", &printed(&["check", "--json", "broken.toml"], 1));
    let field = format!("--header=x-api-key: {key}");
    documented("eval --json", &printed(&["eval", "--json", "--path", "/v1", &field], 0));
    documented("eval --json`, denied", &printed(&["eval", "--json", "--path", "/v1"], 1));
    let cases = "configuration = \"barmkin.toml\"\n\
                 [[cases]]\nname = \"no key\"\nrequest = { target = \"/v1\" }\nexpect = { verdict = \"deny\", reason = \"missing-api-key\" }\n\
                 [[cases]]\nname = \"another\"\nrequest = { target = \"/v1\" }\nexpect = { verdict = \"allow\" }\n";
    std::fs::write(folder.path().join("cases.toml"), cases).unwrap();
    documented("test --json", &printed(&["test", "--json"], 1));
    documented("policies --json", &printed(&["policies", "--json"], 0));
    documented(
        "api-key new --json",
        &printed(&["api-key", "new", "--json", "--id", "partner-a", "--scope", "items:read"], 0),
    );

    let gate = Webhooks::start();
    assert_eq!(gate.deliver("/hooks", NEW, "1"), None);
    assert!(gate.deliver("/hooks", "wrong", "2").is_some());
    let order = |arguments: &[&str], code| {
        let ended = gate.command(&[arguments, &["--json", "--admin", "unix:admin.sock"]].concat());
        assert_eq!(ended.code, Some(code), "{arguments:?}: {}", ended.err);
        ended.out
    };
    documented("reload --json", &order(&["reload"], 0));
    documented("rollback --json`, refused", &order(&["rollback"], 1));
    // It may be loading for a while: its files were written just before it began.
    let status = std::iter::repeat_with(|| order(&["status"], 0))
        .find(|status| serde_json::from_str::<Value>(status).unwrap().pointer("/loading").is_some_and(Value::is_null));
    documented("status --json", &status.unwrap());
    let listed = order(&["nonce", "list", "deliveries"], 0);
    documented("nonce list SPACE --json", &listed);
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let digest = listed.pointer("/nonces/0/digest").and_then(Value::as_str).unwrap();
    documented("nonce forget SPACE DIGEST --json", &order(&["nonce", "forget", "deliveries", digest], 0));
}
