//! Each target for a moment, and on every input that ever broke it: those are
//! in its corpus.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests")]

use barmkin_fuzz::{Found, TARGETS, run, target};
use std::path::Path;

fn short(name: &str, rounds: u32) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
    if let Err(Found(input)) = run(target(name).unwrap(), &corpus, rounds).unwrap() {
        panic!("{name} breaks on: {}", input.escape_ascii());
    }
}

macro_rules! targets {
    ($($name:ident: $rounds:literal)*) => {
        $(#[test] fn $name() { short(stringify!($name), $rounds); })*

        #[test]
        fn each_target_is_run() {
            assert_eq!(TARGETS.iter().map(|target| target.name).collect::<Vec<_>>(), [$(stringify!($name)),*]);
        }
    };
}

targets! {
    normalization: 20_000
    fields: 20_000
    configuration: 1_000
    component: 5_000
    decision: 20_000
    header: 2_000
    ext_authz: 20_000
}

/// Every target has a program of the same name for cargo-fuzz to build.
#[test]
fn cargo_fuzz_has_a_program_for_each_target() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cargo-fuzz");
    let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).unwrap();
    for target in TARGETS {
        let file = format!("fuzz_targets/{}.rs", target.name);
        let program = std::fs::read_to_string(folder.join(&file)).unwrap();
        assert!(program.contains(&format!("barmkin_fuzz::check(\"{}\", input)", target.name)), "{file}");
        assert!(manifest.contains(&format!("path = \"{file}\"")), "{file}");
    }
}
