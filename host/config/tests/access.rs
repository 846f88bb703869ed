//! Roles, scopes, keys and paths that lead nowhere.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use support::{folder, load, relative};

const KEY: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The warnings about these keys, roles and rules on one route.
fn warnings(keys: &str, roles: &str, rules: &str, path: &str) -> String {
    let text = format!(
        r#"version = 1
[keys.pepper]
algorithm = "keyed-hash-sha256"
secrets = [{{ id = "1", from = "file:pepper" }}]
[policies.callers]
component = "stock:api-key"
settings = {{ keys = [{keys}] }}
grants = {{ keys = {{ pepper = "pepper" }}, vouch = true }}
[policies.access]
component = "stock:rbac-scopes"
settings = {{ roles = {{ {roles} }}, rules = [{rules}] }}
[[routes]]
name = "api"
match = {{ {path} }}
chain = ["callers", "access"]
"#
    );
    let folder = folder(&[("barmkin.toml", &text), ("pepper", "a pepper")]);
    let config = load(&folder).unwrap_or_else(|report| panic!("{report}"));
    let warnings: String = config.warnings().iter().map(|finding| format!("{finding}\n")).collect();
    relative(folder.path(), &warnings)
}

fn key(more: &str) -> String {
    format!(r#"{{ id = "a", hash = "{KEY}"{more} }}"#)
}

const READER: &str = r#"reader = { scopes = ["orders:read"] }"#;
const RULE: &str = r#"{ path = "/orders/{id}", scopes = ["orders:read"] }"#;
const PATH: &str = r#"path.prefix = "/orders""#;

#[track_caller]
fn assert_warns(warnings: &str, expected: &str) {
    assert!(warnings.contains(expected), "`{expected}` is not in:\n{warnings}");
}

#[test]
fn what_fits_together_has_no_warning() {
    assert_eq!(warnings(&key(r#", roles = ["reader"]"#), READER, RULE, PATH), "");
    // The key has the scope that no role has.
    let rule =
        r#"{ path = "/orders", scopes = ["orders:write"] }, { path = "/orders/{id}", scopes = ["orders:read"] }"#;
    assert_eq!(warnings(&key(r#", scopes = ["orders:write"]"#), READER, rule, PATH), "");
}

#[test]
fn what_leads_nowhere_is_named_where_it_is() {
    let reader = key(r#", roles = ["reader"]"#);
    assert_warns(&warnings("", READER, RULE, PATH), "barmkin.toml:7:21: warning: policy `callers` knows no key");
    assert_warns(
        &warnings(&key(r#", roles = ["raeder"]"#), READER, RULE, PATH),
        "barmkin.toml:7:22: warning: key `a` has the role `raeder`, which policy `access` does not define",
    );
    assert_warns(
        &warnings(&reader, &format!(r#"{READER}, writer = {{ scopes = ["orders:wirte"] }}"#), RULE, PATH),
        "warning: no rule needs any scope of role `writer`",
    );
    assert_warns(
        &warnings(&reader, READER, &format!(r#"{RULE}, {{ path = "/o", scopes = ["orders:delete"] }}"#), PATH),
        "warning: no role and no key has the scope `orders:delete`",
    );
    assert_warns(
        &warnings(&reader, READER, &RULE.replace("{id}", ":id"), PATH),
        "warning: `:id` stands for itself in a path",
    );
    for segment in [":id", "{id}", "*"] {
        let path = format!(r#"path.exact = "/orders/{segment}""#);
        if segment == "{id}" {
            continue;
        }
        assert_warns(&warnings(&reader, READER, RULE, &path), &format!("`{segment}` stands for itself in the path of"));
    }
}

/// Others that name principals may give them any scope.
#[test]
fn nothing_is_said_of_scopes_that_others_may_give() {
    let text = r#"version = 1
[policies.access]
component = "stock:rbac-scopes"
settings = { roles = {}, rules = [{ path = "/o", scopes = ["s"] }] }
[policies.tokens]
component = "file:tokens.wasm"
[[routes]]
name = "api"
chain = ["tokens", "access"]
"#;
    let config =
        load(&folder(&[("barmkin.toml", text), ("tokens.wasm", "")])).unwrap_or_else(|report| panic!("{report}"));
    assert!(config.warnings().is_empty(), "{:?}", config.warnings());
}
