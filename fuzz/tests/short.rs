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
            assert_eq!(TARGETS.map(|target| target.name), [$(stringify!($name)),*]);
        }
    };
}

targets! {
    normalization: 20_000
    configuration: 1_000
    component: 5_000
    decision: 20_000
    header: 2_000
    ext_authz: 20_000
}
