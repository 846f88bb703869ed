//! Problems of policies and routes, brought back to where they were written.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use barmkin_host::{Engine, EngineSettings, MemoryStore, Services};
use support::{folder, load, relative, write};
use tempfile::TempDir;

/// The report of building what is in `folder`; empty when it can be built.
fn built(folder: &TempDir) -> String {
    let config = load(folder).unwrap_or_else(|report| panic!("{report}"));
    let settings = EngineSettings { concurrent_checks_max: 8, warm_slots: 8, ..EngineSettings::default() };
    let engine = Engine::new(&settings).unwrap();
    let built = config.build(&engine, Services::new(MemoryStore::default()));
    built.map_or_else(|report| relative(folder.path(), &report.to_string()), |_| String::new())
}

fn built_text(text: &str) -> String {
    built(&folder(&[("barmkin.toml", text), ("s", "a secret")]))
}

#[track_caller]
fn assert_has(report: &str, expected: &[&str]) {
    for expected in expected {
        assert!(report.lines().any(|line| line.starts_with(expected)), "`{expected}` is not in:\n{report}");
    }
}

#[test]
fn exceptions_for_paths_are_made_where_nobody_reads_them() {
    let excepting = |path: &str, more: &str| {
        built_text(&format!(
            "version = 1\n[policies.roles]\ncomponent = \"stock:rbac-scopes\"\nsettings = {{ roles = {{}}, rules = \
             [] }}\n[[routes]]\nname = \"r\"\nmatch = {{ {path} }}\npublic = true\n{more}\n\
             path-exceptions = [\"encoded-slashes\"]\n[listen.envoy]\nkind = \"ext-authz\"\n\
             address = \"127.0.0.1:0\"\nclient-certificate = true\n"
        ))
    };
    assert_eq!(excepting("path.prefix = \"/files\"", ""), "");
    let without = "exceptions for paths are made below a prefix, which this route does not have";
    for path in ["path.exact = \"/files\"", "path.prefix = \"/\"", "methods = [\"GET\"]"] {
        let report = excepting(path, "");
        assert!(report.contains(without) && report.starts_with("barmkin.toml:10:19: "), "{path}: {report}");
    }
    for chain in ["chain = [\"roles\"]", "chain = [{ shadow = \"roles\" }]"] {
        let report = excepting("path.prefix = \"/files\"", chain);
        assert!(report.contains("policy `roles` reads the path, which can be read in several ways"), "{report}");
    }
}

#[test]
fn origins_are_listed_as_browsers_write_them() {
    let cors = |cors: &str| {
        built_text(&format!(
            "version = 1\n[[routes]]\nname = \"r\"\npublic = true\npreflight = \"forward\"\ncors = {cors}\n"
        ))
    };
    assert_eq!(cors("{ origins = [\"https://app.example\", \"http://localhost:3000\"] }"), "");
    for origin in ["*", "null", "https://app.example/", "https://*.example", "app.example", "https://app.example:443"] {
        let report = cors(&format!("{{ origins = [\"{origin}\"] }}"));
        assert!(report.contains(&format!("`{origin}` is not an origin as browsers write it")), "{report}");
    }
    assert!(cors("{ origins = [] }").contains("no origin is listed"));
    let warned = load(&folder(&[(
        "barmkin.toml",
        "version = 1\n[[routes]]\nname = \"r\"\npublic = true\ncors = { origins = [\"https://a\"] }\n",
    )]));
    let warnings = warned.unwrap_or_else(|report| panic!("{report}")).warnings()[0].to_string();
    assert!(warnings.contains("route `r` has `cors` and refuses preflights"), "{warnings}");
}

#[test]
fn routes_that_cannot_decide_are_reported_at_their_place() {
    let report = built_text(
        r#"version = 1
[quotas.q]
rate = "1/s"
key = "route"
[[routes]]
name = "empty"
match = { path.exact = "/a" }
chain = []
[[routes]]
name = "nobody"
match = { path.exact = "/b" }
chain = ["stock:rate-quota"]
[[routes]]
name = "first"
public = true
match = { path.exact = "/c" }
[[routes]]
name = "second"
public = true
match = { path.exact = "/c" }
[[routes]]
name = "dots"
public = true
match = { path.prefix = "/a/../b" }
"#,
    );
    assert_eq!(
        report,
        "barmkin.toml:8:9: route `empty`: the chain is empty\n  help: name at least one policy, or delete the route\n\
         barmkin.toml:12:9: route `nobody`: no policy of the chain vouches, so it would deny every request\n  \
         help: grant `vouch` to a policy that verifies something, or say `public = true` if it is meant for everyone\n\
         barmkin.toml:20:1: route `second`: it ties with route `first`: some requests match both equally well\n  \
         help: make one of them more specific in host, path, methods or listeners\n\
         barmkin.toml:24:11: route `dots`: path `/a/../b` can be read in two ways, so nothing can match it\n  \
         help: write it without dot segments, `//`, `;`, `\\` or control characters, encoded or not"
    );
}

#[test]
fn policies_that_cannot_run_are_reported_at_their_place() {
    let folder = folder(&[("s", "a secret"), ("text.wasm", "not wasm")]);
    write(&folder, "core.wasm", b"\0asm\x01\0\0\0", 0o600);
    let text = r#"version = 1
[keys.sha1]
algorithm = "hmac-sha1"
secrets = [{ id = "1", from = "file:s" }]
[policies.hook]
component = "stock:webhook-signature"
settings = { provider = "nobody" }
[policies.unvouched]
component = "stock:webhook-signature"
settings = { provider = "github" }
grants = { keys = { signing = "sha1" } }
[policies.core]
component = "file:core.wasm"
[policies.text]
component = "file:text.wasm"
[policies.slow]
component = "stock:rbac-scopes"
deadline = "5s"
"#;
    write(&folder, "barmkin.toml", text.as_bytes(), 0o600);
    assert_has(
        &built(&folder),
        &[
            "barmkin.toml:7:25: policy `hook`: setting `provider`",
            "barmkin.toml:11:1: policy `unvouched`: the policy vouches for requests, which it is not granted",
            "barmkin.toml:11:31: policy `unvouched`: key `sha1` is for hmac-sha1, but the policy uses `signing` for",
            "barmkin.toml:13:13: policy `core`: this is a core module, not a component",
            "barmkin.toml:15:13: policy `text`: the component is not valid:",
            "barmkin.toml:18:12: policy `slow`: the deadline is 5s, but must be from 1ms to 1s",
            "  help: if it may let requests in, add `vouch = true` to its grants",
        ],
    );
}

#[test]
fn a_truncated_component_is_refused() {
    let whole = barmkin_stock::get("rate-quota").unwrap().component;
    let folder = folder(&[("barmkin.toml", "version = 1\n[policies.p]\ncomponent = \"file:p.wasm\"\n")]);
    write(&folder, "p.wasm", whole.get(..whole.len() / 2).unwrap(), 0o600);
    assert_has(&built(&folder), &["barmkin.toml:3:13: policy `p`: the component is not valid:"]);
}

const WEBHOOK: &str = r#"version = 1
[keys.k]
algorithm = "hmac-sha256"
secrets = [{ id = "1", from = "file:s" }]
[policies.hook]
component = "stock:webhook-signature"
settings = { provider = "github" }
grants = { keys = { signing = "k" }, vouch = true }
[[routes]]
name = "github"
chain = ["hook"]
"#;

#[test]
fn a_chain_that_needs_the_body_is_refused_on_a_listener_without_bodies() {
    let listen = |rest: &str| format!("{WEBHOOK}[listen.a]\naddress = \"127.0.0.1:0\"\n{rest}\n");
    let needs =
        "barmkin.toml:11:9: the chain of route `github` needs the body, which listener `a` does not carry\n  help:";
    assert_eq!(
        built_text(&listen("kind = \"forward-auth\"\ndialect = \"nginx\"")),
        format!(
            "{needs} proxies send no body to forward-auth: name listeners of kind `ext-authz` or `reverse-proxy` in the \
             route's `listeners`"
        )
    );
    assert_eq!(
        built_text(&listen("kind = \"ext-authz\"")),
        format!("{needs} write its `body-limit`: `max_request_bytes` of Envoy's `with_request_body`")
    );
    // Where the route is not for it, that does not matter.
    let edge = "kind = \"forward-auth\"\ndialect = \"nginx\"\n[listen.edge]\nkind = \"reverse-proxy\"\n\
                address = \"127.0.0.1:0\"\nupstream = \"http://127.0.0.1:1\"";
    let named = |listeners: &str| listen(edge).replace("chain =", &format!("listeners = {listeners}\nchain ="));
    assert_eq!(built_text(&named("[\"edge\"]")), "");
    assert!(built_text(&named("[\"edge\", \"a\"]")).contains("which listener `a` does not carry"));
    assert_eq!(built_text(&listen("kind = \"ext-authz\"\nbody-limit = \"1MiB\"")), "");
    assert_eq!(built_text(&listen("kind = \"reverse-proxy\"\nupstream = \"http://127.0.0.1:1\"")), "");
}

/// A route whose chain takes from the only quota, with these lines.
fn counted(quota: &str) -> String {
    format!(
        "version = 1\n[quotas.q]\nkey = \"route\"\n{quota}\n[[routes]]\nname = \"r\"\npublic = true\nchain = [\"stock:rate-quota\"]\n"
    )
}

#[test]
fn requests_at_once_are_counted_only_where_their_end_is_seen() {
    let text = counted("algorithm = \"concurrency\"\nlimit = 1");
    let listen = |kind: &str| format!("{text}[listen.a]\naddress = \"127.0.0.1:0\"\n{kind}\n");
    for blind in ["kind = \"forward-auth\"\ndialect = \"nginx\"", "kind = \"ext-authz\"\nbody-limit = \"1MiB\""] {
        assert_eq!(
            built_text(&listen(blind)),
            "barmkin.toml:9:9: the chain of route `r` counts requests at once, whose end listener `a` does not see\n  \
             help: name listeners of kind `reverse-proxy` in the route's `listeners`, or use a quota with a `rate`"
        );
    }
    assert_eq!(built_text(&listen("kind = \"reverse-proxy\"\nupstream = \"http://127.0.0.1:1\"")), "");
}

#[test]
fn quotas_that_remember_too_much_are_reported_at_their_place() {
    for (quota, at, what) in [
        ("algorithm = \"concurrency\"\nlimit = 10001", "5:9", "limit"),
        ("algorithm = \"sliding-window\"\nrate = \"10001/h\"", "5:8", "rate"),
    ] {
        let report = built_text(&counted(quota));
        let expected = format!("barmkin.toml:{at}: quota `q`: the {what} is 10001, but must be from one unit to 10000");
        assert_has(&report, &[&expected]);
    }
    assert_eq!(built_text(&counted("algorithm = \"sliding-window\"\nrate = \"10000/h\"")), "");
    assert_eq!(built_text(&counted("algorithm = \"fixed-window\"\nrate = \"10001/h\"")), "");
}
