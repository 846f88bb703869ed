//! A new policy crate passes its own tests, builds, and passes its cases.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::path::Path;
use std::process::Command;
use support::{folder, run};

#[test]
fn a_new_crate_works_from_the_start() {
    let folder = folder(&[]);
    let sdk = concat!(env!("CARGO_MANIFEST_DIR"), "/../../guest");
    let made = run(folder.path(), &["new", "partners", "--sdk", sdk]);
    assert_eq!(made.code, Some(0), "{}", made.err);
    let policy = folder.path().join("partners");

    let tested = cargo_test(&policy);
    assert!(tested.success());
    for arguments in [&["build"][..], &["test"]] {
        let ended = run(&policy, arguments);
        assert_eq!(ended.code, Some(0), "{arguments:?}: {}{}", ended.out, ended.err);
    }
}

#[test]
fn a_name_that_cargo_refuses_and_a_folder_that_is_there_are_refused() {
    let folder = folder(&[]);
    let refused = run(folder.path(), &["new", "Partners!"]);
    assert_eq!(refused.code, Some(2));
    assert!(refused.err.contains("`Partners!`"), "{}", refused.err);

    std::fs::create_dir(folder.path().join("partners")).unwrap();
    let refused = run(folder.path(), &["new", "partners"]);
    assert_eq!(refused.code, Some(2));
    assert!(std::fs::read_dir(folder.path().join("partners")).unwrap().next().is_none());
}

/// In a target directory of its own, whatever this test was told.
fn cargo_test(policy: &Path) -> std::process::ExitStatus {
    let mut command = Command::new(env!("CARGO"));
    command.args(["test", "--quiet", "--target-dir", "target"]).current_dir(policy);
    command.env_remove("CARGO_TARGET_DIR").env_remove("RUSTFLAGS").status().unwrap()
}
