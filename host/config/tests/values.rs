//! Values that mean nothing, each at its place.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use barmkin_config::{Address, Config, Dialect, Listener, ListenerKind};
use barmkin_host::{HostMatch, PathMatch};
use std::time::Duration;
use support::{folder, load, report_of};

fn loaded(text: &str) -> Config {
    load(&folder(&[("barmkin.toml", text)])).unwrap_or_else(|report| panic!("{report}"))
}

#[test]
fn every_wrong_unit_is_reported() {
    let text = r#"version = 1
[nonces.n]
retain = "24 hours"
[quotas.q]
rate = "0/min"
burst = 0
key = "principal"
[policies.p]
component = "stock:rate-quota"
deadline = "10"
memory = "2MB"
[[routes]]
name = "r"
public = true
body-limit = "1"
"#;
    assert_eq!(
        report_of(text),
        "barmkin.toml:3:10: `24 hours` is not a duration\n  help: write a whole number and one of ms, s, m, h, d, such as `5m`\n\
         barmkin.toml:5:8: `0/min` is not a rate\n  help: write a whole number from 1 to 1000000 per s, min, h or day, such as `100/min`\n\
         barmkin.toml:6:9: a quota of which nothing can be taken would deny every request\n  help: write at least 1\n\
         barmkin.toml:10:12: `10` is not a duration\n  help: write a whole number and one of ms, s, m, h, d, such as `5m`\n\
         barmkin.toml:11:10: `2MB` is not a size\n  help: write a whole number and one of B, KiB, MiB, such as `64KiB`\n\
         barmkin.toml:15:14: `1` is not a size\n  help: write a whole number and one of B, KiB, MiB, such as `64KiB`"
    );
}

#[test]
fn routes_say_what_they_match() {
    let text = r#"version = 1
[[routes]]
name = "r"
public = true
match = { host = "a.example:443", methods = ["GET", "post"] }
[[routes]]
name = "s"
public = true
match = { host = "*." }
"#;
    assert_eq!(
        report_of(text),
        "barmkin.toml:5:18: `a.example:443` is not a host\n  help: write a name without port, such as `hooks.example.com`, or `*.example.com` for all below it\n\
         barmkin.toml:5:53: `post` is not a method\n  help: methods are written in capitals, such as `POST`\n\
         barmkin.toml:9:18: `*.` is not a host\n  help: write a name without port, such as `hooks.example.com`, or `*.example.com` for all below it"
    );
    let config = loaded(
        "version = 1\n[[routes]]\nname = \"r\"\npublic = true\nmatch = { host = \"*.Example.com\", path.exact = \"/a\", methods = [\"GET\"] }\n",
    );
    let matches = &config.spec().routes.first().unwrap().matches;
    assert_eq!(matches.host, HostMatch::Below("example.com".to_owned()));
    assert_eq!(matches.path, PathMatch::Exact("/a".to_owned()));
}

#[test]
fn names_that_mean_nothing_are_reported_with_the_near_one() {
    let text = r#"version = 1
[quotas.per-partner]
rate = "1/s"
key = "principal"
[policies.quota]
component = "stock:rate-quota"
grants = { quotas = { quota = "per-partners" }, keys = { signing = "none" }, sets = ["a b"] }
[policies.other]
component = "rate-quota"
[policies.third]
component = "stock:rate-qota"
[policies.fourth]
component = "file:absent.wasm"
[[routes]]
name = "r"
public = true
chain = ["quta", { any-of = ["quota", "nothing"] }, { shadow = "stock:nothing" }, "stock:api-key"]
[forward]
principal-field = "not a field"
[errors]
documentation = "docs.example.com"
"#;
    assert_eq!(
        report_of(text),
        "barmkin.toml:7:31: there is no quota `per-partners`\n  help: did you mean `per-partner`\n\
         barmkin.toml:7:68: there is no key `none`\n  help: declare it as `[keys.none]`\n\
         barmkin.toml:7:86: `a b` is not the name of a header field\n  help: use letters, digits and `-`\n\
         barmkin.toml:9:13: `rate-quota` does not say where the component is\n  help: write `stock:` and the name of a stock policy, or `file:` and a path\n\
         barmkin.toml:11:13: there is no stock policy `rate-qota`\n  help: did you mean `stock:rate-quota`\n\
         barmkin.toml:13:13: component `absent.wasm` cannot be read: No such file or directory (os error 2)\n  help: build it with `barmkin build`, or correct the path, which is relative to this file\n\
         barmkin.toml:17:10: there is no policy `quta`\n  help: did you mean `quota`\n\
         barmkin.toml:17:39: there is no policy `nothing`\n  help: declare it as `[policies.nothing]`, or name a stock policy as `stock:..`\n\
         barmkin.toml:17:64: there is no stock policy `nothing`\n  help: there are api-key, rate-quota, rbac-scopes, replay-window, webhook-signature\n\
         barmkin.toml:17:83: `stock:api-key` needs settings and grants, so a chain cannot name it directly\n  help: declare `[policies.NAME]` with `component = \"stock:api-key\"`, and name that\n\
         barmkin.toml:19:19: `not a field` is not the name of a header field\n\
         barmkin.toml:21:17: `docs.example.com` is not a web address\n  help: begin it with `https://`"
    );
}

#[test]
fn a_stock_policy_gets_the_only_quota_there_is() {
    let route = "[[routes]]\nname = \"r\"\npublic = true\nchain = [\"stock:rate-quota\"]\n";
    let quota = |name: &str| format!("[quotas.{name}]\nrate = \"1/s\"\nkey = \"route\"\n");
    let config = loaded(&format!("version = 1\n{}{route}", quota("only")));
    let policy = config.spec().policies.get("stock:rate-quota").unwrap();
    assert_eq!(policy.grants.quotas.get("quota").map(Vec::as_slice), Some(&["only".to_owned()][..]));
    assert!(!policy.grants.vouch);

    assert_eq!(
        report_of(&format!("version = 1\n{route}")),
        "barmkin.toml:5:10: policy `stock:rate-quota` needs a quota, and none is declared\n  help: declare one as `[quotas.NAME]`"
    );
    assert_eq!(
        report_of(&format!("version = 1\n{}{}{route}", quota("a"), quota("b"))),
        "barmkin.toml:11:10: policy `stock:rate-quota` needs a quota, and 2 are declared\n  help: say which in the `grants` of a `[policies.NAME]`: `quotas = { quota = \"..\" }`"
    );
}

#[test]
fn a_component_must_have_the_digest_that_is_written() {
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let text = |digest: &str| {
        format!("version = 1\n[policies.p]\ncomponent = \"file:p.wasm\"\ndigest = \"sha256:{digest}\"\n")
    };
    let other = "0".repeat(64);
    let found = support::report(&folder(&[("barmkin.toml", &text(&other)), ("p.wasm", "")]));
    assert_eq!(
        found,
        format!(
            "barmkin.toml:4:10: the component has the digest `sha256:{empty}`, not `sha256:{other}`\n  help: if this is the component you mean, write its digest"
        )
    );
    assert!(load(&folder(&[("barmkin.toml", &text(empty)), ("p.wasm", "")])).is_ok());
}

#[test]
fn settings_keep_their_types() {
    let config = loaded(
        "version = 1\n[policies.p]\ncomponent = \"stock:api-key\"\nsettings = { at = 2026-01-02T03:04:05Z, list = [1, 2.5], on = true }\n",
    );
    assert_eq!(
        config.spec().policies.get("p").unwrap().settings,
        serde_json::json!({ "at": "2026-01-02T03:04:05Z", "list": [1, 2.5], "on": true })
    );
    assert_eq!(
        report_of("version = 1\n[policies.p]\ncomponent = \"stock:api-key\"\nsettings = { a = [0.5, nan] }\n"),
        "barmkin.toml:4:24: this number is not finite\n  help: write a number"
    );
}

#[test]
fn listeners_are_read_by_their_kind() {
    let config = loaded(
        r#"version = 1
[listen.a]
kind = "ext-authz"
address = "unix:/run/a.sock"
mode = "0600"
group = 7
body-limit = "64KiB"
streams = 32
timeouts = { check = "5s", ping = "1m" }
[listen.b]
kind = "forward-auth"
address = "[::1]:9003"
dialect = "envoy-http"
trusted-proxies = ["10.0.0.0/8", "::1"]
timeouts = { idle = "61s" }
[listen.c]
kind = "reverse-proxy"
address = "localhost:0"
upstream = "http://127.0.0.1:8080"
timeouts = { connect = "250ms" }
tunnels = 9
proxy-protocol = ["192.0.2.1"]
"#,
    );
    let [a, b, c] = config.listeners() else { panic!("three listeners") };
    assert_eq!(a.address, Address::Unix { path: "/run/a.sock".into(), mode: 0o600, group: Some(7) });
    assert_eq!(a.kind, ListenerKind::ExtAuthz { client_certificate: false, body_bytes_max: Some(65_536) });
    assert_eq!((a.streams_max, a.timeouts.check), (Some(32), Some(Duration::from_secs(5))));
    assert_eq!(a.timeouts.ping, Some(Duration::from_secs(60)));
    let networks = ["10.0.0.0/8", "::1/128"].map(|network| network.parse().unwrap());
    let kind = ListenerKind::ForwardAuth {
        dialect: Dialect::EnvoyHttp,
        trusted_proxies: networks.into(),
        gates: Vec::new(),
        upgrades: None,
    };
    assert_eq!(b.kind, kind);
    assert_eq!((c.timeouts.connect, c.timeouts.header), (Some(Duration::from_millis(250)), None));
    assert_eq!((c.connections_max, c.tunnels_max, b.timeouts.idle), (None, Some(9), Some(Duration::from_secs(61))));
    assert_eq!(c.balancers, ["192.0.2.1/32".parse().unwrap()]);
    assert_eq!([a, b, c].map(Listener::carries_bodies), [true, false, true]);
}

#[test]
fn listeners_have_only_what_their_kind_has() {
    let text = r#"version = 1
[listen.a]
kind = "ext-authz"
address = "localhost"
upstream = "http://a:1"
trusted-proxies = ["10.0.0.0/8"]
body-limit = "1KiB"
[listen.b]
kind = "forward-auth"
address = "unix:b.sock"
[listen.c]
kind = "forward-auth"
address = "a:1"
mode = "600"
[listen.d]
kind = "reverse-proxy"
address = "a:1"
dialect = "nginx"
upstream = "https://a:1/x"
trusted-proxies = ["10.0.0.0/8", "example.com"]
connections = 0
timeouts = { connect = "soon" }
[listen.e]
kind = "reverse-proxy"
address = "a:1"
[listen.f]
kind = "ext-authz"
address = "a:65536"
body-limit = "65MiB"
[listen.g]
kind = "ext-authz"
address = "unix:g.sock"
mode = "rw"
[listen.h]
kind = "ext-authz"
address = "unix:g.sock"
"#;
    let network = "write an address, or a network such as `10.0.0.0/8`";
    assert_eq!(
        report_of(text),
        format!(
            "barmkin.toml:4:11: `localhost` is not an address for a listener of kind `ext-authz`\n  help: write `host:port`, or `unix:` and the path of a socket\n\
             barmkin.toml:5:12: a listener of kind `ext-authz` has no `upstream`\n  help: remove it\n\
             barmkin.toml:6:19: a listener of kind `ext-authz` has no `trusted-proxies`\n  help: remove it\n\
             barmkin.toml:8:9: a listener of kind `forward-auth` needs a `dialect`\n  help: say which proxy calls: `nginx`, `caddy`, `traefik`, `haproxy` or `envoy-http`\n\
             barmkin.toml:11:9: a listener of kind `forward-auth` needs a `dialect`\n  help: say which proxy calls: `nginx`, `caddy`, `traefik`, `haproxy` or `envoy-http`\n\
             barmkin.toml:14:8: only a Unix socket has a `mode`\n  help: remove it\n\
             barmkin.toml:18:11: a listener of kind `reverse-proxy` has no `dialect`\n  help: remove it\n\
             barmkin.toml:19:12: `https://a:1/x` is not an upstream\n  help: write `http://host:port`, `https://host:port`, without a path, `unix:` and a path, or the name of one that is declared in `[upstreams]`\n\
             barmkin.toml:20:34: `example.com` is not a network\n  help: {network}\n\
             barmkin.toml:21:15: with no connections nothing is served\n  help: write at least 1\n\
             barmkin.toml:22:24: `soon` is not a duration\n  help: write a whole number and one of ms, s, m, h, d, such as `5m`\n\
             barmkin.toml:23:9: a listener of kind `reverse-proxy` needs an `upstream`\n  help: say where allowed requests go, as `http://host:port`\n\
             barmkin.toml:28:11: `a:65536` is not an address for a listener of kind `ext-authz`\n  help: write `host:port`, or `unix:` and the path of a socket\n\
             barmkin.toml:33:8: `rw` is not a file mode\n  help: write three octal digits, such as `660`\n\
             barmkin.toml:36:11: listener `g` has the same address\n  help: it is declared at barmkin.toml:30:9"
        )
    );
}

#[test]
fn routes_name_listeners_that_there_are() {
    let route = |listeners: &str| {
        format!("[[routes]]\nname = \"r{}\"\npublic = true\nlisteners = {listeners}\n", listeners.len())
    };
    let edge = "version = 1\n[listen.edge]\nkind = \"ext-authz\"\naddress = \"unix:a.sock\"\n";
    let config = loaded(&format!("{edge}{}", route("[\"edge\"]")));
    assert_eq!(config.spec().routes[0].matches.listeners, ["edge"]);
    assert_eq!(
        report_of(&format!("{edge}{}{}", route("[\"edge\", \"egde\"]"), route("[]"))),
        "barmkin.toml:8:22: there is no listener `egde`\n  help: declare `[listen.egde]`, or name one that there is: `edge`\n\
         barmkin.toml:12:13: route `r2` is for no listener\n  help: name some, or leave `listeners` out: then it is for all of them"
    );
    assert_eq!(
        report_of(&format!("version = 1\n{}", route("[\"edge\"]"))),
        "barmkin.toml:5:14: there is no listener `edge`\n  help: declare `[listen.edge]`"
    );
}

#[test]
fn protocols_that_carry_requests_are_no_upgrades() {
    let text = r#"version = 1
[listen.a]
kind = "forward-auth"
address = "127.0.0.1:9003"
dialect = "caddy"
gates = ["10.0.0.0/8", "gate"]
upgrades = ["websocket", "h2c", "HTTP/2.0", ""]
[[routes]]
name = "r"
public = true
"#;
    assert_eq!(
        report_of(text),
        "barmkin.toml:6:24: `gate` is not a network\n  help: write an address, or a network such as `10.0.0.0/8`\n\
         barmkin.toml:7:26: a change to `h2c` would carry requests that the gate is not asked about\n  help: remove it\n\
         barmkin.toml:7:33: a change to `HTTP/2.0` would carry requests that the gate is not asked about\n  help: remove it\n\
         barmkin.toml:7:45: `` is not the name of a protocol\n  help: write a name such as `websocket`"
    );
}
