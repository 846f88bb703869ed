//! TLS on listeners, and what is wrong with it, at its place.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use barmkin_config::{Secrets, Tls};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use support::{folder, load, load_with, report, write};
use tempfile::TempDir;

/// A reverse proxy with TLS as `tls` says, and its files.
fn with(tls: &str) -> TempDir {
    let proxy = "version = 1\n[listen.edge]\nkind = \"reverse-proxy\"\naddress = \"127.0.0.1:8443\"\n\
                 upstream = \"http://127.0.0.1:8080\"\n";
    let folder = folder(&[("barmkin.toml", &format!("{proxy}tls = {tls}\n"))]);
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    write(&folder, "tls/gate.pem", cert.pem().as_bytes(), 0o644);
    write(&folder, "tls/gate.key", signing_key.serialize_pem().as_bytes(), 0o600);
    folder
}

const GOOD: &str =
    r#"{ certificate = "tls/gate.pem", key = "tls/gate.key", client-ca = "tls/gate.pem", names-principal = true }"#;

fn resolved(tls: &str) -> Tls {
    let folder = with(tls);
    let config = load(&folder).unwrap_or_else(|report| panic!("{report}"));
    config.listeners().first().unwrap().tls.clone().unwrap()
}

#[test]
fn a_client_that_is_asked_must_answer_unless_it_may_not() {
    let tls = resolved(GOOD);
    assert!(tls.names_principal && tls.certificate.ends_with("tls/gate.pem"));
    assert_eq!(tls.clients.map(|(_, required)| required), Some(true));
    let optional = GOOD.replace("names-principal = true", r#"client-certificate = "optional""#);
    assert_eq!(resolved(&optional).clients.map(|(_, required)| required), Some(false));
    assert_eq!(resolved(r#"{ certificate = "tls/gate.pem", key = "tls/gate.key" }"#).clients, None);
}

#[test]
fn files_are_tried_and_what_is_wrong_is_said_at_their_place() {
    let folder = with(GOOD);
    write(&folder, "tls/gate.key", b"", 0o644);
    assert!(
        report(&folder).starts_with(
            "barmkin.toml:6:45: private key `tls/gate.key` is readable by everyone (mode 644)\n  \
             help: take that away: `chmod o-rwx tls/gate.key`"
        ),
        "{}",
        report(&folder)
    );
    // In CI there is no key.
    assert!(load_with(&folder, Secrets::Placeholders).is_ok());
    let folder = with(&GOOD.replace(r#"client-ca = "tls/gate.pem""#, r#"client-ca = "tls/nowhere.pem""#));
    assert!(
        report(&folder).starts_with("barmkin.toml:6:73: `tls/nowhere.pem` cannot be read: "),
        "{}",
        report(&folder)
    );
}

#[test]
fn what_means_nothing_is_refused() {
    let without_ca = with(r#"{ certificate = "tls/gate.pem", key = "tls/gate.key", names-principal = true }"#);
    assert_eq!(
        report(&without_ca),
        "barmkin.toml:6:79: without `client-ca` there is no `names-principal`\n  \
         help: name the CAs that vouch for clients, or remove it"
    );
    let unix = "version = 1\n[listen.envoy]\nkind = \"ext-authz\"\naddress = \"unix:authz.sock\"\n\
                tls = { certificate = \"a\", key = \"b\" }\n";
    let unix = support::report_of(unix);
    assert!(unix.starts_with("barmkin.toml:5:1: a Unix socket has no TLS\n"), "{unix}");
    let proxy = with(GOOD);
    let text = std::fs::read_to_string(proxy.path().join("barmkin.toml")).unwrap();
    let text = text.replace("kind = \"reverse-proxy\"", "kind = \"forward-auth\"\ndialect = \"caddy\"");
    write(&proxy, "barmkin.toml", text.replace("upstream = \"http://127.0.0.1:8080\"\n", "").as_bytes(), 0o600);
    assert!(report(&proxy).contains("the client of this listener is a proxy, not whoever asks"), "{}", report(&proxy));
}
