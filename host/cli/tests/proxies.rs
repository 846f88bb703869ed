//! `barmkin check --for`: what it prints is what is documented.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::path::{Path, PathBuf};
use support::{folder, run};

fn documented() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/proxies")
}

#[test]
fn the_documented_files_are_what_is_printed() {
    for (proxy, file) in [
        ("nginx", "nginx.conf"),
        ("caddy", "Caddyfile"),
        ("haproxy", "haproxy.cfg"),
        ("haproxy-lua", "barmkin.lua"),
        ("envoy", "envoy.yaml"),
    ] {
        let printed = run(&documented(), &["check", "--for", proxy, "--listener", proxy.trim_end_matches("-lua")]);
        assert_eq!(printed.code, Some(0), "{proxy}: {}", printed.err);
        let text = std::fs::read_to_string(documented().join(file)).unwrap_or_default();
        assert!(
            printed.out == text,
            "write it again: (cd docs/proxies && barmkin check --for {proxy} > {file}); it is now\n{}",
            printed.out
        );
        let unfilled =
            |line: &str| line.starts_with('%') || line.split('@').skip(1).step_by(2).any(|name| PLACES.contains(&name));
        assert!(!printed.out.lines().any(unfilled), "{proxy} has an empty place:\n{}", printed.out);
    }
}

/// The places of the templates, none of which may be left.
const PLACES: [&str; 17] = [
    "at",
    "ip",
    "port",
    "gate",
    "upstream",
    "upstream_address",
    "listener",
    "field",
    "fields",
    "variable",
    "protocol",
    "pattern",
    "status",
    "upgrades",
    "patterns",
    "body_bytes",
    "client_certificate",
];

/// With names, bounds and addresses of its own.
const OWN: &str = r#"version = 1

[forward]
principal-field = "x-who"

[listen.web]
kind = "forward-auth"
address = "0.0.0.0:7001"
dialect = "nginx"
upgrades = ["websocket", "x-sync/1"]

[listen.web-caddy]
kind = "forward-auth"
address = "10.1.2.3:7002"
dialect = "caddy"
upgrades = []

[listen.web-haproxy]
kind = "forward-auth"
address = "gate.internal:7003"
dialect = "haproxy"

[listen.authz]
kind = "ext-authz"
address = "127.0.0.1:7004"
body-limit = "3KiB"
client-certificate = true

[listen.authz-http]
kind = "forward-auth"
address = "127.0.0.1:7005"
dialect = "envoy-http"

[[routes]]
name = "all"
public = true
"#;

fn printed(more: &[&str]) -> String {
    let folder = folder(&[("barmkin.toml", OWN)]);
    let printed = run(folder.path(), &[&["check", "--for"], more].concat());
    assert_eq!(printed.code, Some(0), "{}", printed.err);
    printed.out
}

#[test]
fn names_bounds_and_addresses_are_the_configurations() {
    let contains = |text: &str, parts: &[&str]| {
        for part in parts {
            assert!(text.contains(part), "`{part}` is not in\n{text}");
        }
        assert!(!text.contains("barmkin-principal"), "{text}");
    };
    contains(
        &printed(&["nginx", "--at", "192.0.2.1:81", "--upstream", "192.0.2.2:82"]),
        &[
            "listen 192.0.2.1:81;",
            "proxy_pass http://192.0.2.2:82;",
            "proxy_pass http://127.0.0.1:7001/;",
            "proxy_set_header x-who $barmkin_field_x_who;",
            "proxy_set_header x-who \"\";",
            "\"~*^x\\-sync\\/1$\" x-sync/1;",
        ],
    );
    let caddy = printed(&["caddy"]);
    contains(&caddy, &["forward_auth 10.1.2.3:7002 {", "request_header -x-who", "copy_headers x-who"]);
    assert!(!caddy.contains("websocket"), "{caddy}");
    contains(
        &printed(&["haproxy"]),
        &["http-request lua.barmkin http://gate.internal:7003/ x-request-id,x-who", "del-header x-who"],
    );
    contains(
        &printed(&["envoy", "--listener", "authz"]),
        &["max_request_bytes: 3072", "port_value: 7004", "include_peer_certificate: true", "failure_mode_allow: false"],
    );
    let by_http = printed(&["envoy", "--listener", "authz-http"]);
    contains(&by_http, &["{ exact: x-who }", "port_value: 7005"]);
    assert!(!by_http.contains("grpc_service") && !by_http.contains("with_request_body"), "{by_http}");
}

/// [`OWN`] with Unix sockets in place of ports.
fn by_sockets(path: &str) -> String {
    let mut text = OWN.to_owned();
    for address in ["0.0.0.0:7001", "10.1.2.3:7002", "gate.internal:7003", "127.0.0.1:7005"] {
        text = text.replace(address, &format!("unix:{path}-{}", address.rsplit(':').next().unwrap()));
    }
    text
}

#[test]
fn nginx_passes_on_what_pages_need_where_a_route_says_so() {
    let lines = "add_header access-control-allow-origin $barmkin_allow_origin always;";
    assert!(!printed(&["nginx"]).contains("access-control"));
    let cors = format!("{OWN}cors = {{ origins = [\"https://app.example\"] }}\npreflight = \"forward\"\n");
    let folder = folder(&[("barmkin.toml", &cors)]);
    let printed = run(folder.path(), &["check", "--for", "nginx"]);
    assert!(printed.out.contains(lines) && printed.out.contains("add_header vary "), "{}{}", printed.out, printed.err);
}

#[test]
fn unix_sockets_are_written_as_each_proxy_has_them() {
    let folder = folder(&[("barmkin.toml", &by_sockets("sockets/gate"))]);
    let printed = |more: &[&str]| {
        let printed = run(folder.path(), &[&["check", "--for"], more].concat());
        assert_eq!(printed.code, Some(0), "{}", printed.err);
        printed.out
    };
    // Relative to the file, and found from anywhere.
    let at = format!("{}/sockets/gate", folder.path().canonicalize().unwrap().display());
    for (proxy, expected) in [
        ("nginx", format!("proxy_pass http://unix:{at}-7001:/;")),
        ("caddy", format!("forward_auth unix/{at}-7002 {{")),
        ("haproxy", format!("http-request lua.barmkin unix@{at}-7003 x-request-id,x-who")),
    ] {
        let text = printed(&[proxy]);
        assert!(text.contains(&expected), "`{expected}` is not in\n{text}");
    }
    let envoy = printed(&["envoy", "--listener", "authz-http"]);
    assert!(envoy.contains(&format!("address: {{ pipe: {{ path: \"{at}-7005\" }} }}")), "{envoy}");

    for odd in ["a b", "a:b", "a;b", "a$b", "a{b", "a\"b"] {
        let folder = support::folder(&[("barmkin.toml", &by_sockets(&odd.replace('"', "\\\"")))]);
        let refused = run(folder.path(), &["check", "--for", "nginx"]);
        assert_ne!(refused.code, Some(0), "{odd}: {}", refused.out);
        assert!(refused.err.contains("has characters that proxies read as something else"), "{}", refused.err);
    }
}

#[test]
fn a_listener_that_is_missing_or_unclear_is_said_so() {
    let refused = |configuration: &str, more: &[&str]| {
        let folder = folder(&[("barmkin.toml", configuration)]);
        let refused = run(folder.path(), &[&["check", "--for"], more].concat());
        assert_ne!(refused.code, Some(0), "{}", refused.out);
        assert_eq!(refused.out, "");
        refused.err
    };
    let several = refused(OWN, &["envoy"]);
    assert!(several.contains("`authz` and `authz-http`") && several.contains("--listener"), "{several}");
    let missing = refused("version = 1\n[[routes]]\nname = \"r\"\npublic = true\n", &["nginx"]);
    assert!(missing.contains("kind `forward-auth` and dialect `nginx`"), "{missing}");
    assert!(refused(OWN, &["nginx", "--listener", "authz"]).contains("`authz` is not a listener"));
    assert!(refused(&OWN.replace("0.0.0.0:7001", "127.0.0.1:0"), &["nginx"]).contains("port"));
}
