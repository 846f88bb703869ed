//! Operators on other machines, who show the gate who they are.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

#[path = "../../tls/tests/support/mod.rs"]
mod certificates;
mod support;

use certificates::{Ca, Identity};
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use support::Ended;
use support::webhooks::{RULES, Webhooks, with_rules};

const TLS: &str = r#"[admin]
address = "127.0.0.1:0"
tls = { certificate = "gate.pem", key = "gate.key", client-ca = "operators.pem" }
"#;

/// A gate whose operators must have certificates.
struct Setup {
    gate: Webhooks,
    rules: String,
    operators: Ca,
}

impl Setup {
    fn start() -> Self {
        let (folder, gates, operators) = (with_rules(), Ca::new(), Ca::new());
        write(folder.path(), "gate", &gates.server());
        for (name, ca) in [("gates.pem", &gates), ("operators.pem", &operators)] {
            std::fs::write(folder.path().join(name), ca.pem()).unwrap();
        }
        let rules = RULES.replace("[admin]\naddress = \"unix:admin.sock\"\n", TLS);
        std::fs::write(folder.path().join("barmkin.toml"), &rules).unwrap();
        Self { gate: Webhooks::start_in(folder, "info"), rules, operators }
    }

    /// The command, given by `by`, to the gate at `host`.
    fn command(&self, command: &[&str], host: &str, ca: &str, by: Option<&Identity>) -> Ended {
        let port = self.gate.admin.rsplit_once(':').unwrap().1;
        let admin = format!("https://{host}:{port}");
        let mut arguments = [command, &["--admin", &admin, "--ca", ca]].concat();
        if let Some(identity) = by {
            write(self.gate.folder.path(), "operator", identity);
            arguments.extend(["--cert", "operator.pem", "--key", "operator.key"]);
        }
        self.gate.command(&arguments)
    }
}

fn write(folder: &Path, name: &str, identity: &Identity) {
    std::fs::write(folder.join(format!("{name}.pem")), &identity.certificate).unwrap();
    let key = folder.join(format!("{name}.key"));
    std::fs::write(&key, &identity.key).unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn an_operator_with_a_certificate_is_answered_and_named() {
    let mut setup = Setup::start();
    let operator = setup.operators.issue(&[], &["spiffe://example/operator"]);
    let asked = |setup: &Setup, command: &[&str]| setup.command(command, "localhost", "gates.pem", Some(&operator));

    let status = asked(&setup, &["status", "--json"]);
    assert_eq!(status.code, Some(0), "{}", status.err);
    let status: Value = serde_json::from_str(&status.out).unwrap();
    assert_eq!((&status["ready"], &status["generation"]["number"]), (&true.into(), &1.into()));

    let unchanged = asked(&setup, &["reload"]);
    assert_eq!(unchanged.code, Some(0), "{}", unchanged.err);
    let by = setup.gate.serving.wait_for("unchanged")["by"].as_str().unwrap().to_owned();
    assert!(by.starts_with("`spiffe://example/operator` from 127.0.0.1:"), "{by}");

    setup
        .gate
        .replace("barmkin.toml", &format!("{}\n[[routes]]\nname = \"broken\"\nchain = [\"absent\"]\n", setup.rules));
    let refused = asked(&setup, &["reload"]);
    assert_eq!((refused.code, refused.out.as_str()), (Some(1), ""));
    assert!(refused.err.contains("there is no policy `absent`"), "{}", refused.err);
    let nothing = asked(&setup, &["rollback"]);
    assert_eq!(nothing.code, Some(1));
    assert_eq!(nothing.err, "there is no earlier generation in the history\n");
}

#[test]
fn who_cannot_prove_who_they_are_is_not_answered() {
    let setup = Setup::start();
    let operator = setup.operators.issue(&[], &["spiffe://example/operator"]);
    let stranger = Ca::new().issue(&[], &["spiffe://example/operator"]);
    let cases = [
        ("no certificate", "localhost", "gates.pem", None, "the gate did not answer: "),
        ("one of another CA", "localhost", "gates.pem", Some(&stranger), "the gate did not answer: "),
        ("a gate of another CA", "localhost", "operators.pem", Some(&operator), ": invalid peer certificate: "),
        (
            "a gate of another name",
            "127.0.0.1",
            "gates.pem",
            Some(&operator),
            ": invalid peer certificate: certificate not valid for name",
        ),
    ];
    for (what, host, ca, by, expected) in cases {
        for command in ["reload", "rollback", "status"] {
            let refused = setup.command(&[command], host, ca, by);
            assert_eq!((refused.code, refused.out.as_str()), (Some(2), ""), "{what}: {}", refused.err);
            assert!(refused.err.contains(expected), "{what}: {}", refused.err);
        }
    }
    // The gate was told nothing by any of them, and is there.
    let status = setup.command(&["status", "--json"], "localhost", "gates.pem", Some(&operator));
    let status: Value = serde_json::from_str(&status.out).unwrap();
    assert_eq!(status["attempts"].as_array().unwrap().len(), 0, "{status}");
}

#[test]
fn what_is_missing_is_said() {
    let setup = Setup::start();
    write(setup.gate.folder.path(), "operator", &setup.operators.issue(&[], &[]));
    let port = setup.gate.admin.rsplit_once(':').unwrap().1.to_owned();
    let (https, plain) = (format!("https://localhost:{port}"), format!("localhost:{port}"));
    let cases: [(&[&str], &str); 7] = [
        (&[], "help: add `--admin https://HOST:PORT --ca FILE --cert FILE --key FILE`"),
        (&["--admin", &https], "help: add `--ca` and a PEM file"),
        (&["--admin", &plain, "--ca", "gates.pem"], "help: write `https://` before it"),
        (&["--admin", &plain], "the gate did not answer"),
        (&["--admin", &https, "--ca", "absent.pem"], "`absent.pem` cannot be read"),
        (&["--admin", &https, "--ca", "gate.key"], "there is no certificate in `gate.key`"),
        (&["--admin", &https, "--ca", "gates.pem", "--cert", "operator.pem"], "--key <FILE>"),
    ];
    for (arguments, expected) in cases {
        let refused = setup.gate.command(&[&["status"], arguments].concat());
        assert_eq!((refused.code, refused.out.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(refused.err.contains(expected), "{arguments:?}: {}", refused.err);
    }
}
