//! Chains of stock policies, and numbers that have to fit each other.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use support::{folder, load, relative};

/// A webhook's route, with `provider` and the rest of the policy's settings, more
/// of the nonce space, of the window, of the route, and more sections.
struct Hook {
    provider: &'static str,
    space: &'static str,
    window: &'static str,
    route: &'static str,
    chain: &'static str,
    more: &'static str,
}

const HOOK: Hook = Hook {
    provider: "provider = \"stripe\"",
    space: "",
    window: "",
    route: "",
    chain: "\"signature\", \"window\"",
    more: "",
};

/// The findings: the warnings, or the errors.
fn findings(hook: &Hook) -> String {
    let text = format!(
        r#"version = 1
{more}
[keys.signing]
algorithm = "hmac-sha256"
secrets = [{{ id = "1", from = "file:s" }}]
[nonces.deliveries]
retain = "2d"
{space}
[policies.signature]
component = "stock:webhook-signature"
settings = {{ {provider} }}
grants = {{ keys = {{ signing = "signing" }}, vouch = true }}
[policies.window]
component = "stock:replay-window"
settings = {{ {window} }}
[[routes]]
name = "hook"
chain = [{chain}]
{route}
"#,
        more = hook.more,
        space = hook.space,
        provider = hook.provider,
        window = hook.window,
        chain = hook.chain,
        route = hook.route,
    );
    let folder = folder(&[("barmkin.toml", &text), ("s", "a secret")]);
    let found = match load(&folder) {
        Ok(config) => config.warnings().iter().map(|finding| format!("{finding}\n")).collect(),
        Err(report) => report.to_string(),
    };
    relative(folder.path(), &found)
}

#[track_caller]
fn assert_finds(hook: &Hook, expected: &str) {
    let found = findings(hook);
    assert!(found.contains(expected), "`{expected}` is not in:\n{found}");
}

#[test]
fn a_chain_that_fits_has_no_finding() {
    for provider in ["github", "stripe", "standard-webhooks", "twitch"] {
        let provider: &'static str = format!("provider = \"{provider}\"").leak();
        assert_eq!(findings(&Hook { provider, ..HOOK }), "");
    }
}

#[test]
fn a_chain_that_refuses_everything_is_an_error() {
    let nothing = "barmkin.toml:18:9: policy `window` refuses every delivery";
    for chain in ["\"window\", \"signature\"", "\"window\""] {
        assert_finds(&Hook { chain, route: "public = true", ..HOOK }, nothing);
    }
    for provider in ["github", "stripe", "slack", "shopify", "discord", "xero"] {
        let provider = format!("provider = \"{provider}\"").leak();
        assert_finds(
            &Hook { provider, space: "same-delivery = \"message-id\"", ..HOOK },
            "barmkin.toml:8:17: `deliveries` tells deliveries apart by ids, and policy `signature` verifies none",
        );
    }
    let by_id = Hook { space: "same-delivery = \"message-id\"", provider: "provider = \"twitch\"", ..HOOK };
    assert_eq!(findings(&by_id), "");
}

#[test]
fn who_is_asked_about_has_to_be_named_before() {
    let text = |chain: &str, more: &str| {
        format!(
            r#"version = 1
{more}
[keys.pepper]
algorithm = "keyed-hash-sha256"
secrets = [{{ id = "1", from = "file:s" }}]
[quotas.each]
rate = "1/s"
key = "principal"
[policies.callers]
component = "stock:api-key"
tables = {{ keys = "file:keys.jsonl" }}
grants = {{ keys = {{ pepper = "pepper" }}, vouch = true }}
[policies.access]
component = "stock:rbac-scopes"
settings = {{ rules = [{{ path = "/**" }}], vouch = true }}
grants = {{ vouch = true }}
[policies.own]
component = "file:own.wasm"
[[routes]]
name = "api"
chain = [{chain}]
"#
        )
    };
    let errors = |chain: &str, more: &str| {
        let files = [("barmkin.toml", &*text(chain, more)), ("s", "a secret"), ("keys.jsonl", ""), ("own.wasm", "")];
        load(&folder(&files)).map_or_else(|report| report.to_string(), |_| String::new())
    };
    let nobody = "refuses every request, since none before it names the caller";
    for chain in [
        "\"access\"",
        "\"access\", \"callers\"",
        "\"stock:rate-quota\", \"callers\"",
        "{ shadow = \"callers\" }, \"access\"",
    ] {
        assert!(errors(chain, "").contains(nobody), "{chain}: {}", errors(chain, ""));
    }
    for chain in
        ["\"callers\", \"access\", \"stock:rate-quota\"", "\"own\", \"access\"", "\"callers\", { shadow = \"access\" }"]
    {
        assert_eq!(errors(chain, ""), "", "{chain}");
    }
    let certificate = "[listen.envoy]\nkind = \"ext-authz\"\naddress = \"127.0.0.1:0\"\nclient-certificate = true";
    assert_eq!(errors("\"access\"", certificate), "");
}

#[test]
fn a_window_is_compared_with_the_tolerance_and_what_is_retained() {
    let short = Hook { window: "window = \"1m\"", ..HOOK };
    assert_finds(&short, "policy `window` takes deliveries for `1m` only, of which policy `signature` would take `5m`");
    let given = Hook { window: "window = \"1m\"", provider: "provider = \"stripe\", tolerance = \"30s\"", ..HOOK };
    assert_eq!(findings(&given), "");
    // Nothing is signed with a time.
    assert_eq!(findings(&Hook { window: "window = \"1m\"", provider: "provider = \"github\"", ..HOOK }), "");
    // Ten minutes of the window, and ten that Twitch may sign ahead.
    let twitch = Hook { space: "", provider: "provider = \"twitch\"", ..HOOK };
    assert_eq!(findings(&twitch), "");
}

/// Twitch's ten minutes count, and not the five of the others.
#[test]
fn a_provider_has_its_own_tolerance() {
    let text = |provider: &str| format!("provider = \"{provider}\"").leak() as &'static str;
    let window = "window = \"2d\"";
    assert_finds(&Hook { provider: text("twitch"), window, ..HOOK }, "takes deliveries for `2891m`");
    assert_finds(&Hook { provider: text("stripe"), window, ..HOOK }, "takes deliveries for `2886m`");
}

#[test]
fn a_route_takes_what_its_provider_sends() {
    let github = Hook { provider: "provider = \"github\"", ..HOOK };
    let folder = |hook: &Hook| findings(hook);
    assert_eq!(folder(&github), "");
    assert_finds(
        &Hook { route: "body-limit = \"1MiB\"", ..github },
        "route `hook` takes 1048576 bytes of a body, and its sender is known to send up to 26214400",
    );
    assert_eq!(folder(&Hook { route: "body-limit = \"25MiB\"", ..github }), "");
    // There is no room for more.
    assert_finds(&Hook { more: "[limits]\nbodies = \"4MiB\"", ..github }, "route `hook` takes 4194304 bytes");
    assert_finds(
        &Hook {
            more: "[listen.envoy]\nkind = \"ext-authz\"\naddress = \"127.0.0.1:0\"\nbody-limit = \"64KiB\"",
            ..github
        },
        "listener `envoy` takes 65536 bytes of a body",
    );
}
