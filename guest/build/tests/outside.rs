//! A policy crate outside this workspace, with nothing but the usual in its
//! manifest.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use barmkin_build::{BuildError, BuildOptions, build_component};
use wasmparser::{Operator, Parser, Payload};

const SOURCE: &str = r#"
use barmkin_guest::prelude::*;

/// Lets nobody in.
#[policy]
struct Closed {}

impl Rule for Closed {
    type Input<'a> = ();

    fn check(&self, (): ()) -> Decision {
        deny(403, "closed")
    }
}
"#;

#[test]
fn needs_nothing_but_a_library_of_the_right_type() {
    let folder = tempfile::tempdir().unwrap();
    write_crate(folder.path(), "closed", "crate-type = [\"cdylib\"]", SOURCE);

    let component = build_component(folder.path(), &options()).unwrap();

    let (mut memories, mut imported) = (0, BTreeSet::new());
    for payload in Parser::new(0).parse_all(&component) {
        match payload.unwrap() {
            Payload::MemorySection(section) => {
                for memory in section {
                    let memory = memory.unwrap();
                    assert_eq!((memory.initial, memory.maximum), (1, None), "more is more to restore for each request");
                    memories += 1;
                }
            }
            Payload::ImportSection(section) => {
                imported.extend(section.into_imports().map(|import| import.unwrap().module.to_owned()));
            }
            _ => {}
        }
    }
    assert_eq!(memories, 1);
    // But for the encoder's own modules, which import from each other.
    imported.retain(|module| !module.is_empty());
    assert_eq!(imported, BTreeSet::from(["barmkin:log/log@0.1.0".to_owned()]), "what it says when it panics");
    let text = String::from_utf8_lossy(&component);
    assert!(text.contains("/registry/serde_json-"), "panics carry paths");
    assert!(!text.contains("registry/src/"), "they show where it was built");
}

#[test]
fn a_library_of_another_type_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    write_crate(folder.path(), "library", "", "");
    let error = build_component(folder.path(), &options()).unwrap_err();
    assert_eq!(error.to_string(), "package `library` has no `cdylib` library");
    assert!(error.help().contains("crate-type"));
}

#[test]
fn a_package_says_how_large_its_stack_is() {
    let folder = tempfile::tempdir().unwrap();
    let build = |stack: &str| {
        let crate_folder = folder.path().join(stack);
        fs::create_dir(&crate_folder).unwrap();
        write_crate(&crate_folder, "stacked", "crate-type = [\"cdylib\"]", SOURCE);
        let manifest = crate_folder.join("Cargo.toml");
        let text = fs::read_to_string(&manifest).unwrap();
        fs::write(&manifest, format!("{text}\n[package.metadata.barmkin]\nstack = \"{stack}\"\n")).unwrap();
        build_component(&crate_folder, &options())
    };
    let component = build("48KiB").unwrap();
    let mut globals = Parser::new(0).parse_all(&component).filter_map(|payload| match payload.unwrap() {
        Payload::GlobalSection(section) => section.into_iter().next(),
        _ => None,
    });
    let pointer = globals.next().unwrap().unwrap().init_expr.get_operators_reader().read().unwrap();
    assert!(matches!(pointer, Operator::I32Const { value: 49_152 }), "{pointer:?}");

    for refused in ["64", "64KB", "3KiB", "1025KiB", "-8KiB"] {
        let error = build(refused).unwrap_err();
        let expected = format!("`stacked` has `stack = \"{refused}\"` under `[package.metadata.barmkin]`");
        assert_eq!(error.to_string(), expected);
        assert!(error.help().contains("from `4KiB` to `1024KiB`"));
    }
}

#[test]
fn a_crate_is_one_policy() {
    let (none, two) = (SOURCE.replace("#[policy]", ""), SOURCE.to_owned() + "mod another {" + SOURCE + "}");
    for (name, source, message, help) in [
        ("none", none, "`none` has no `#[policy]`", "write `#[policy]` above the struct"),
        ("two", two, "`two` has more than one `#[policy]`", "move the other to a crate of its own"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        write_crate(folder.path(), name, "crate-type = [\"cdylib\"]", &source);
        let error = build_component(folder.path(), &options()).unwrap_err();
        assert_eq!(error.to_string(), message);
        assert!(error.help().contains(help), "{}", error.help());
    }
}

#[test]
fn a_folder_without_a_manifest_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let error = build_component(folder.path(), &BuildOptions::default()).unwrap_err();
    assert!(matches!(error, BuildError::Metadata { .. }), "{error:?}");
}

/// The parts that crates share are compiled once, and not for each run: each crate
/// has a name of its own there.
fn options() -> BuildOptions {
    BuildOptions { target_dir: Some(Path::new(env!("CARGO_TARGET_TMPDIR")).join("outside")), locked: false }
}

fn write_crate(folder: &Path, name: &str, library: &str, source: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    let guest = root.join("guest").display().to_string();
    let uses = if source.is_empty() { String::new() } else { format!("barmkin-guest = {{ path = {guest:?} }}") };
    let manifest = format!(
        "[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
         [lib]\n{library}\n\n[dependencies]\n{uses}\n\n[workspace]\n"
    );
    fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    // The same versions as here, which are at hand.
    fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    fs::create_dir(folder.join("src")).unwrap();
    fs::write(folder.join("src/lib.rs"), source).unwrap();
}
