//! A new policy crate passes its own tests, builds, and passes its cases, with
//! no file but its own.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use std::path::Path;
use std::process::Command;
use support::{Ended, barmkin, folder, run};

const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

#[test]
fn a_new_crate_works_from_the_start() {
    let folder = folder(&[]);
    let made = run(folder.path(), &["new", "partners"]);
    assert_eq!(made.code, Some(0), "{}", made.err);
    let policy = folder.path().join("partners");
    assert_eq!(paths_in(&policy.join("Cargo.toml")), ["sdk/guest"]);

    let tested = outside(Command::new(env!("CARGO")).args(["test", "--quiet"]), &policy);
    assert_eq!(tested.code, Some(0), "{}{}", tested.out, tested.err);
    for arguments in [&["build"][..], &["test"]] {
        let ended = outside(&mut barmkin(&policy, arguments), &policy);
        assert_eq!(ended.code, Some(0), "{arguments:?}: {}{}", ended.out, ended.err);
    }

    // So does the rule that the README shows, in its place.
    std::fs::write(policy.join("src/lib.rs"), rule_of_the_readme()).unwrap();
    std::fs::write(policy.join("cases.toml"), CASES_OF_THE_README).unwrap();
    for arguments in [&["build"][..], &["test"]] {
        let ended = outside(&mut barmkin(&policy, arguments), &policy);
        assert_eq!(ended.code, Some(0), "{arguments:?}: {}{}", ended.out, ended.err);
    }

    // The versions are those of the lock file that came with it.
    let locked = |lock: &Path| {
        let lock = std::fs::read_to_string(lock).unwrap().parse::<toml::Table>().unwrap();
        let packages = lock["package"].as_array().unwrap().iter();
        packages.map(|package| (package["name"].to_string(), package["version"].to_string())).collect::<Vec<_>>()
    };
    let tested_with = locked(&Path::new(REPOSITORY).join("Cargo.lock"));
    let used = locked(&policy.join("Cargo.lock"));
    assert!(used.len() > 10 && used.len() < tested_with.len(), "{used:?}");
    let others: Vec<_> = used.iter().filter(|package| !tested_with.contains(package)).collect();
    assert_eq!(others, [&("\"partners\"".to_owned(), "\"0.1.0\"".to_owned())]);
}

#[test]
fn a_new_crate_can_use_the_repository() {
    let folder = folder(&[]);
    let made = run(folder.path(), &["new", "partners", "--sdk", REPOSITORY]);
    assert_eq!(made.code, Some(0), "{}", made.err);
    let policy = folder.path().join("partners");
    let guest = Path::new(REPOSITORY).join("guest").canonicalize().unwrap();
    assert_eq!(paths_in(&policy.join("Cargo.toml")), [guest.to_str().unwrap()]);
    assert!(!policy.join("sdk").exists());

    let refused = run(folder.path(), &["new", "others", "--sdk", "partners"]);
    assert_eq!(refused.code, Some(2));
    assert!(refused.err.contains("does not hold the SDK: it has no `guest/Cargo.toml`"), "{}", refused.err);
}

#[test]
fn the_sdk_replaces_another_and_nothing_else() {
    let folder = folder(&[]);
    let wrote = run(folder.path(), &["sdk"]);
    assert_eq!(wrote.code, Some(0), "{}", wrote.err);
    let former = folder.path().join("sdk/guest/src/former.rs");
    std::fs::write(&former, "").unwrap();
    let wrote = run(folder.path(), &["sdk"]);
    assert_eq!(wrote.code, Some(0), "{}", wrote.err);
    assert!(!former.exists() && folder.path().join("sdk/guest/src/lib.rs").is_file());

    for (other, because) in [(".", "is not an SDK"), (REPOSITORY, "is Barmkin's repository")] {
        let refused = run(folder.path(), &["sdk", other]);
        assert_eq!(refused.code, Some(2));
        assert!(refused.err.contains(because), "{}", refused.err);
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

const CASES_OF_THE_README: &str = r#"
component = "partners.wasm"
settings = { allowed = ["acme"] }
grants = { vouch = true }
cases = [
    { name = "a partner", request = { target = "/", headers = { x-partner = "acme" } }, expect = { verdict = "allow", principal = "acme" } },
    { name = "nobody", request = { target = "/" }, expect = { verdict = "deny", reason = "unknown-partner", status = 403 } },
]
"#;

fn rule_of_the_readme() -> String {
    let readme = std::fs::read_to_string(Path::new(REPOSITORY).join("README.md")).unwrap();
    let (_, rule) = readme.split_once("### Write a policy\n\n```rust,ignore\n").unwrap();
    rule.split_once("```").unwrap().0.to_owned()
}

/// Paths of the dependencies that a manifest names.
fn paths_in(manifest: &Path) -> Vec<String> {
    let manifest = std::fs::read_to_string(manifest).unwrap().parse::<toml::Table>().unwrap();
    let dependencies = manifest["dependencies"].as_table().unwrap().values();
    dependencies.filter_map(|dependency| Some(dependency.get("path")?.as_str()?.to_owned())).collect()
}

/// Runs `command` on a crate that is not of this repository, whatever this test
/// was told of its own build. What such crates have in common is compiled once.
fn outside(command: &mut Command, policy: &Path) -> Ended {
    command.current_dir(policy).env("CARGO_TARGET_DIR", concat!(env!("CARGO_TARGET_TMPDIR"), "/outside"));
    command.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS").output().unwrap().into()
}
