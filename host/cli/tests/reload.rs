//! The serving generation follows the configuration on disk, and only to a good
//! one.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use serde_json::Value;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, Instant};
use support::webhooks::{NEW, OLD, RULES, Webhooks, get, with_rules, without_old_entry};

/// How often a secret is removed and put back: each time something else may
/// come first.
const ROUNDS: usize = 12;

const BROKEN: &str = "\n[[routes]]\nname = \"broken\"\nchain = [\"absent\"]\n";

#[test]
fn a_file_that_is_replaced_is_taken_and_deliveries_are_remembered() {
    let mut gate = Webhooks::start();
    assert_eq!(gate.deliver("/hooks", NEW, "1"), None);
    assert_eq!(gate.deliver("/others", NEW, "2").as_deref(), Some("no-route"));

    gate.replace("barmkin.toml", &RULES.replace("/hooks", "/others"));
    let loaded = gate.loaded();
    assert_eq!((&loaded["by"], &loaded["compiled"]), (&"a file change".into(), &0.into()));
    assert_eq!(gate.deliver("/hooks", NEW, "2").as_deref(), Some("no-route"));
    assert_eq!(gate.deliver("/others", NEW, "2"), None);
    assert_eq!(gate.deliver("/others", NEW, "1").as_deref(), Some("replayed"));
    assert_eq!(gate.status()["generation"]["number"], 2);
}

#[test]
fn mounted_secrets_that_are_swapped_compile_nothing() {
    let folder = with_rules();
    let mount = folder.path().join("secrets");
    add_version(&mount, "..2026_11_24", OLD);
    symlink("..2026_11_24", mount.join("..data")).unwrap();
    for file in ["new", "old"] {
        std::fs::remove_file(mount.join(file)).unwrap();
        symlink(format!("..data/{file}"), mount.join(file)).unwrap();
    }
    let mut gate = Webhooks::start_in(folder, "info");
    assert_eq!(gate.deliver("/hooks", OLD, "1"), None);

    // As Kubernetes does it.
    let mount = gate.folder.path().join("secrets");
    for (name, before, after) in [("..2026_11_25", OLD, NEW), ("..2026_11_26", NEW, OLD)] {
        add_version(&mount, name, after);
        symlink(name, mount.join("..data_tmp")).unwrap();
        std::fs::rename(mount.join("..data_tmp"), mount.join("..data")).unwrap();
        assert_eq!(gate.loaded()["compiled"], 0);
        assert_eq!(gate.deliver("/hooks", before, name).as_deref(), Some("signature-mismatch"));
        assert_eq!(gate.deliver("/hooks", after, name), None);
    }
}

/// A version of the mounted secrets, both of which are `secret`.
fn add_version(mount: &Path, name: &str, secret: &str) {
    std::fs::create_dir(mount.join(name)).unwrap();
    for file in ["new", "old"] {
        let file = mount.join(name).join(file);
        std::fs::write(&file, secret).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
}

#[test]
fn a_signal_and_a_command_take_what_is_on_disk() {
    let mut gate = Webhooks::start();
    gate.serving.signal("HUP");
    assert_eq!(gate.serving.wait_for("unchanged")["by"], "SIGHUP");

    gate.replace("barmkin.toml", &RULES.replace("/hooks", "/others"));
    let done = gate.command(&["reload"]);
    assert_eq!(done.code, Some(0), "{}", done.err);
    assert_eq!(gate.deliver("/others", NEW, "1"), None);
    let status = gate.status();
    let attempts = status["attempts"].as_array().unwrap();
    assert!(attempts.iter().any(|attempt| attempt["outcome"] == "loaded" && attempt["serving"] == 2), "{status}");
}

#[test]
fn what_cannot_be_used_replaces_nothing_and_is_seen_everywhere() {
    let mut gate = Webhooks::start();
    let listeners = RULES.replace("127.0.0.1:0", "127.0.0.1:1");
    let rules = [
        ("not TOML [".to_owned(), "this is not TOML"),
        (format!("{RULES}{BROKEN}"), "there is no policy `absent`"),
        (RULES.replace("\"github\" }\ngrants", "\"nobody\" }\ngrants"), "setting `provider`"),
        (RULES.replace("stock:webhook-signature", "file:absent.wasm"), "absent.wasm` cannot be read"),
        (RULES.replace(", vouch = true", ""), "vouches for requests, which it is not granted"),
        (listeners, "[listen.edge] differ from what was read at the start"),
    ];
    for (number, (rules, expected)) in rules.iter().enumerate() {
        gate.replace("barmkin.toml", rules);
        let problem = gate.refused()["problem"].as_str().unwrap().to_owned();
        assert!(problem.contains(expected), "{problem}");
        assert_eq!(gate.deliver("/hooks", OLD, &number.to_string()), None);
        assert!(gate.status()["problem"].as_str().unwrap().contains(expected));
    }
    let refused = gate.command(&["reload"]);
    assert_eq!((refused.code, refused.out.as_str()), (Some(1), ""));
    assert!(refused.err.contains("[listen.edge] differ"), "{}", refused.err);
    let status = gate.status();
    assert_eq!((&status["ready"], &status["generation"]["number"]), (&true.into(), &1.into()));

    gate.replace("barmkin.toml", RULES);
    gate.loaded();
    assert_eq!(gate.status()["problem"], Value::Null);
}

#[test]
fn a_component_that_comes_later_is_taken_then() {
    let mut gate = Webhooks::start();
    gate.replace("barmkin.toml", &RULES.replace("stock:webhook-signature", "file:components/own.wasm"));
    gate.refused();
    let component = barmkin_stock::get("webhook-signature").unwrap().component;
    std::fs::create_dir(gate.folder.path().join("components")).unwrap();
    std::fs::write(gate.folder.path().join("components/aside"), component).unwrap();
    let components = gate.folder.path().join("components");
    std::fs::rename(components.join("aside"), components.join("own.wasm")).unwrap();
    gate.loaded();
    assert_eq!(gate.deliver("/hooks", NEW, "1"), None);
}

#[test]
fn a_key_is_revoked_although_the_rest_is_broken() {
    let mut gate = Webhooks::start();
    let revoked = |gate: &Webhooks, body| {
        assert_eq!(gate.deliver("/hooks", OLD, body).as_deref(), Some("signature-mismatch"));
        assert_eq!(gate.deliver("/hooks", NEW, body), None);
    };
    // By removing its entry,
    gate.replace("barmkin.toml", &(without_old_entry() + BROKEN));
    gate.refused();
    revoked(&gate, "1");
    let status = gate.status();
    assert_eq!(status["keys"]["github"], serde_json::json!(["new"]));
    // which holds although it is put back, until all is right.
    gate.replace("barmkin.toml", &format!("{RULES}{BROKEN}[another]\n"));
    gate.refused();
    revoked(&gate, "2");
    gate.replace("barmkin.toml", RULES);
    gate.loaded();
    assert_eq!(gate.deliver("/hooks", OLD, "3"), None);

    // By removing its file,
    std::fs::remove_file(gate.folder.path().join("secrets/old")).unwrap();
    assert_eq!(gate.refused()["problem"].as_str().unwrap().lines().count(), 2);
    revoked(&gate, "4");
    let withdrawn = "withdrawn: secret `old` of key `github`: its file no longer has it";
    assert!(gate.serving.stop().contains(withdrawn));
}

#[test]
fn a_secret_that_is_put_back_verifies_again_each_time() {
    let gate = Webhooks::start();
    let old = gate.folder.path().join("secrets/old");
    let has_old = || get(gate.folder.path(), "/status").contains("\"old\"");
    for round in 0..ROUNDS {
        std::fs::remove_file(&old).unwrap();
        wait_until(|| !has_old());
        // At once, so that loading may have seen nothing of it.
        gate.replace("secrets/old", OLD);
        wait_until(has_old);
        assert_eq!(gate.deliver("/hooks", OLD, &round.to_string()), None);
    }
    assert_eq!(gate.status()["problem"], Value::Null);
}

#[test]
fn going_back_never_brings_back_a_secret() {
    let mut gate = Webhooks::start();
    gate.replace("barmkin.toml", &without_old_entry().replace("/hooks", "/others"));
    gate.loaded();
    let back = gate.command(&["rollback"]);
    assert_eq!(back.code, Some(0), "{}", back.err);
    assert!(gate.serving.wait_for("rolled-back")["by"].as_str().unwrap().starts_with("user "));
    assert_eq!(gate.deliver("/hooks", NEW, "1"), None);
    assert_eq!(gate.deliver("/hooks", OLD, "1").as_deref(), Some("signature-mismatch"));
    let nothing = gate.command(&["rollback"]);
    assert_eq!(nothing.code, Some(1));
    assert_eq!(nothing.err, "there is no earlier generation in the history\n");

    // What was left does not come back with a secret that is rotated,
    gate.replace("secrets/new", OLD);
    assert_eq!(gate.loaded()["compiled"], 0);
    assert_eq!(gate.deliver("/hooks", OLD, "2"), None);
    assert_eq!(gate.deliver("/hooks", NEW, "2").as_deref(), Some("signature-mismatch"));
    let status = gate.status();
    assert_eq!(status["generation"]["number"], 1);
    assert!(status["generation"]["rolled-back-from"].is_string(), "{status}");
    // nor does a removed one with going back once more, however soon.
    let forth = gate.command(&["rollback", "--to", "2"]);
    assert_eq!(forth.code, Some(0), "{}", forth.err);
    gate.replace("secrets/new", "yet another");
    assert_eq!(gate.command(&["rollback", "--to", "1"]).code, Some(0));
    assert!(gate.deliver("/hooks", OLD, "3").is_some());
    // A reload that somebody asks for takes what is on disk.
    assert_eq!(gate.command(&["reload"]).code, Some(0));
    assert_eq!(gate.deliver("/others", "yet another", "4"), None);
}

#[test]
fn no_secret_and_no_body_is_in_the_log() {
    let folder = with_rules();
    let mut gate = Webhooks::start_in(folder, "debug");
    for (secret, body) in [(NEW, "a body to be found"), ("a wrong secret", "a body to be found"), (OLD, "{")] {
        gate.deliver("/hooks", secret, body);
    }
    gate.replace("barmkin.toml", &(without_old_entry() + BROKEN));
    gate.refused();
    gate.replace("secrets/old", "a rotated secret");
    gate.replace("barmkin.toml", RULES);
    gate.loaded();
    assert_eq!(gate.deliver("/hooks", "a rotated secret", "another body to be found"), None);
    let log = gate.serving.stop();
    assert!(log.contains("\"request\":\""), "{log}");
    for secret in [NEW, OLD, "a wrong secret", "a rotated secret", "to be found"] {
        assert!(!log.contains(secret), "`{secret}` is in the log:\n{log}");
    }
}

#[test]
fn metrics_and_status_say_what_was_decided() {
    let gate = Webhooks::start();
    assert_eq!(gate.deliver("/hooks", NEW, "1"), None);
    assert!(gate.deliver("/hooks", "wrong", "2").is_some());
    assert!(gate.deliver("/", NEW, "3").is_some());
    let metrics = support::webhooks::get(gate.folder.path(), "/metrics");
    for line in [
        r#"barmkin_verdicts_total{route="hooks",verdict="allow",policy="",reason=""} 1"#,
        r#"barmkin_verdicts_total{route="hooks",verdict="deny",policy="github",reason="signature-mismatch"} 1"#,
        r#"barmkin_verdicts_total{route="",verdict="deny",policy="",reason="no-route"} 1"#,
        r#"barmkin_verdict_seconds_count{route="hooks"} 2"#,
        r#"barmkin_policy_decisions_total{policy="stock:replay-window",decision="abstain"} 1"#,
        "barmkin_reload_failing 0",
        "barmkin_pool_checks 0",
    ] {
        assert!(metrics.lines().any(|found| found == line), "`{line}` is not in:\n{metrics}");
    }
    let status = gate.status();
    assert_eq!(status["policies"]["github"]["deny"], 1);
    assert!(status["policies"]["github"]["component"].as_str().unwrap().starts_with("sha256:"));
    assert_eq!(status["routes"]["hooks"], serde_json::json!({ "allow": 1, "deny": 1, "observed": 0 }));
    assert_eq!(status["history"][0]["serving"], true);
}

/// Asks until `is_so`; fails when it has not been for ten seconds.
fn wait_until(mut is_so: impl FnMut() -> bool) {
    #[expect(clippy::disallowed_methods, reason = "how long a real gate takes")]
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(10), "it has not been so for ten seconds");
        std::thread::sleep(Duration::from_millis(5));
    }
}
