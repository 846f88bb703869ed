//! Files that cannot be used, each with its reason.

#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod support;

use barmkin_tls::{HTTP1, ServerFiles, ServerTls, TlsError};
use support::{Ca, Folder};

fn refused(files: ServerFiles) -> String {
    let Err(error) = ServerTls::load(files, HTTP1) else { return "fine".to_owned() };
    assert!(!error.help().is_empty());
    match error {
        TlsError::Read { .. } => "read",
        TlsError::TooLarge { .. } => "too large",
        TlsError::Exposed { exposure, .. } => return exposure.to_string(),
        TlsError::Empty { what, .. } => what,
        TlsError::Pem { .. } => "pem",
        TlsError::Certificate { .. } => "certificate and key",
        TlsError::ClientCa { .. } => "client ca",
        _ => "else",
    }
    .to_owned()
}

#[test]
fn each_says_what_is_wrong() {
    let (ca, folder) = (Ca::new(), Folder::new());
    let (one, other) = (ca.server(), ca.server());
    let files = || folder.files(&one, Some((&ca, true)));
    let with = |name: &str, text: &str, mode| {
        let files = files();
        folder.write(name, text, mode);
        refused(files)
    };
    assert_eq!(refused(ServerFiles { certificate: folder.path("nowhere"), ..files() }), "read");
    assert_eq!(with("gate.key", &one.key, 0o644), "is readable by everyone (mode 644)");
    assert_eq!(with("gate.key", &one.key, 0o602), "can be written by everyone (mode 602)");
    assert_eq!(with("gate.key", &other.key, 0o600), "certificate and key");
    assert_eq!(with("gate.key", "", 0o600), "private key");
    assert_eq!(with("gate.key", &one.certificate, 0o600), "private key");
    assert_eq!(with("gate.pem", "", 0o644), "certificate");
    assert_eq!(with("gate.pem", &one.key, 0o644), "certificate");
    assert_eq!(with("gate.pem", &one.certificate.replace("-----END", "-----"), 0o644), "pem");
    assert_eq!(with("gate.pem", &"a".repeat(2 * 1024 * 1024), 0o644), "too large");
    assert_eq!(with("ca.pem", "", 0o644), "certificate");
    assert_eq!(with("gate.key", &one.key, 0o640), "fine", "its group may read it");
}
