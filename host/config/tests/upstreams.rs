//! Where requests go, and what is wrong with it, at its place.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use barmkin_config::{Config, Http, ListenerKind};
use barmkin_tls::{LeastVersion, Pin, Trust};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use support::{folder, load, report, write};
use tempfile::TempDir;

const PIN: &str = "sha256/47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";

/// A reverse proxy before `app`, which `upstream` declares, and its files.
fn with(upstream: &str) -> TempDir {
    let text = format!(
        "version = 1\n[listen.edge]\nkind = \"reverse-proxy\"\naddress = \"127.0.0.1:8443\"\nupstream = \"app\"\n\
         [upstreams.app]\n{upstream}\n"
    );
    let folder = folder(&[("barmkin.toml", &text)]);
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    write(&folder, "app.pem", cert.pem().as_bytes(), 0o644);
    write(&folder, "gate.key", signing_key.serialize_pem().as_bytes(), 0o600);
    folder
}

fn loaded(folder: &TempDir) -> Config {
    load(folder).unwrap_or_else(|report| panic!("{report}"))
}

/// The problems with `app`.
fn wrong(upstream: &str) -> String {
    report(&with(upstream))
}

#[test]
fn an_upstream_is_declared_with_all_that_is_demanded_of_it() {
    let folder = with(&format!(
        "addresses = [\"https://a:8443\", \"https://b:8443\"]\nhttp = \"2\"\n\
         tls = {{ roots = \"app.pem\", name = \"app.example\", pin = \"{PIN}\", certificate = \"app.pem\", \
         key = \"gate.key\", least-version = \"1.3\" }}"
    ));
    let config = loaded(&folder);
    let upstream = config.fixed().upstreams.get("app").unwrap();
    assert_eq!(upstream.http, Http::Two);
    let tls = upstream.tls.as_ref().unwrap();
    assert_eq!((tls.name.as_deref(), tls.files.least_version), (Some("app.example"), LeastVersion::Tls13));
    assert!(tls.files.identity.is_some());
    let Trust::Roots { roots: Some(roots), pins } = &tls.files.trust else { panic!("{:?}", tls.files.trust) };
    assert!(roots.ends_with("app.pem") && *pins == [PIN.parse::<Pin>().unwrap()]);
    assert_eq!(
        upstream.to_string(),
        "https://a:8443, then https://b:8443, HTTP/2, TLS 1.3 or newer, known by its roots and its pin, which is shown \
         a certificate"
    );
    let alone = with(&format!("addresses = [\"https://a:1\"]\ntls = {{ pin = [\"{PIN}\"], pin-only = true }}"));
    let alone = loaded(&alone).fixed().upstreams.get("app").unwrap().to_string();
    assert_eq!(alone, "https://a:1, TLS 1.2 or newer, known by its pin alone");
    let socket = with("addresses = [\"unix:app.sock\"]");
    let address = loaded(&socket).fixed().upstreams.get("app").unwrap().to_string();
    assert!(address.starts_with("unix:/") && address.ends_with("/app.sock"), "{address}");
}

#[test]
fn nobody_is_trusted_by_accident() {
    let tls = |tls: &str| wrong(&format!("addresses = [\"https://a:1\"]\ntls = {{ {tls} }}"));
    assert_eq!(
        tls("roots = \"app.pem\", pin-only = true"),
        "barmkin.toml:8:17: with `pin-only` no CA vouches for the upstream\n  \
         help: remove `roots`, or remove `pin-only`: then both are demanded\n\
         barmkin.toml:8:39: without a `pin` anybody could be this upstream\n  \
         help: write `pin = \"sha256/..\"`, or remove it"
    );
    assert!(tls("pin = []").contains("without a pin this demands nothing"));
    assert!(tls("pin = \"sha1/abc\"").contains("barmkin.toml:8:15: `sha1/abc` is not a pin\n"));
    assert!(tls("least-version = \"1.1\"").contains("barmkin.toml:8:25: "));
    assert!(tls("roots = \"gate.key\"").contains("there is no certificate in `gate.key`"));
    assert!(tls("roots = \"nowhere.pem\"").contains("barmkin.toml:8:17: `nowhere.pem` cannot be read"));
    assert!(
        tls("roots = \"app.pem\", key = \"gate.key\"").contains("a `key` for the upstream needs its `certificate`")
    );
    assert!(tls("roots = \"app.pem\", name = \"a/b\"").contains("`a/b` is not the name of a server"));
    assert_eq!(
        wrong("addresses = [\"https://a:1\", \"http://b:1\"]\ntls = { roots = \"app.pem\" }"),
        "barmkin.toml:7:13: some of the addresses are `https`, and others are not\n  \
         help: when one fails, requests for the others would go without TLS: write two upstreams"
    );
    assert!(wrong("addresses = [\"http://b:1\"]\ntls = {}").contains("no address of this upstream is `https`"));
    assert!(wrong("addresses = []").contains("an upstream has from 1 to 16 addresses, and not 0"));
    assert!(wrong("addresses = [\"http://b:1/x\"]").contains("`http://b:1/x` is not the address of an upstream"));
}

const ROUTES: &str = "\n[[routes]]\nname = \"a\"\npublic = true\nupstream = \"http://b:2\"\n";

#[test]
fn routes_name_theirs() {
    let folder = with(&format!("addresses = [\"http://a:1\"]{ROUTES}"));
    let config = loaded(&folder);
    let keys: Vec<_> = config.fixed().upstreams.keys().map(String::as_str).collect();
    assert_eq!(keys, ["app", "http://b:2"]);
    assert_eq!(config.spec().routes.first().unwrap().upstream.as_deref(), Some("http://b:2"));
    let ListenerKind::ReverseProxy { upstream, .. } = &config.listeners().first().unwrap().kind else { panic!() };
    assert_eq!(upstream, "app");
    let other = wrong(&format!("addresses = [\"http://a:1\"]{}", ROUTES.replace("http://b:2", "ap")));
    assert!(
        other.contains("`ap` is not an upstream") && other.ends_with("that is declared in `[upstreams]`: `app`"),
        "{other}"
    );
    let folder = with(&format!("addresses = [\"http://a:1\"]{ROUTES}"));
    let text = std::fs::read_to_string(folder.path().join("barmkin.toml")).unwrap();
    let text =
        text.replace("reverse-proxy\"", "forward-auth\"\ndialect = \"nginx\"").replace("upstream = \"app\"\n", "");
    write(&folder, "barmkin.toml", text.as_bytes(), 0o600);
    assert!(report(&folder).contains("no listener forwards the requests of route `a` itself"), "{}", report(&folder));
}

#[test]
fn a_restart_takes_them_over_and_a_reload_does_not() {
    let before = loaded(&with("addresses = [\"http://a:1\"]"));
    let after = loaded(&with(&format!("addresses = [\"http://a:2\"]{ROUTES}")));
    let differences = before.fixed().differences(after.fixed());
    assert_eq!(differences, ["[upstreams.app]", "upstream `http://b:2`"]);
    let with_a_route = loaded(&with(&format!("addresses = [\"http://a:1\"]{ROUTES}")));
    assert!(with_a_route.fixed().differences(before.fixed()).is_empty(), "a route may go");
}

#[test]
fn http2_without_tls_is_a_setting_of_listeners_without_tls() {
    let folder = with("addresses = [\"http://a:1\"]");
    let text = std::fs::read_to_string(folder.path().join("barmkin.toml")).unwrap();
    let h2c = text.replace("upstream = \"app\"\n", "upstream = \"app\"\nh2c = true\nstreams = 7\n");
    write(&folder, "barmkin.toml", h2c.as_bytes(), 0o600);
    let config = loaded(&folder);
    let listener = config.listeners().first().unwrap();
    assert_eq!((listener.h2c, listener.streams_max), (true, Some(7)));
    let tls = h2c
        .replace("streams = 7\n", "tls = { certificate = \"app.pem\", key = \"gate.key\", least-version = \"1.3\" }\n");
    write(&folder, "barmkin.toml", tls.as_bytes(), 0o600);
    assert!(
        report(&folder).starts_with("barmkin.toml:6:7: with TLS the handshake agrees on HTTP/2\n"),
        "{}",
        report(&folder)
    );
    write(&folder, "barmkin.toml", tls.replace("h2c = true\n", "").as_bytes(), 0o600);
    let config = loaded(&folder);
    let tls = config.listeners().first().unwrap().tls.clone().unwrap();
    assert_eq!((tls.least_version, tls.files().least_version), (LeastVersion::Tls13, LeastVersion::Tls13));
}
