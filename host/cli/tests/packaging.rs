//! The image and the unit, as far as they can be tried without an engine or a system
//! that starts them: everything they copy and run is there, and is taken.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;
use support::run;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn packaged(name: &str) -> String {
    std::fs::read_to_string(repository().join("packaging").join(name)).unwrap()
}

/// Whether `barmkin` takes these arguments: `--help` answers only behind what is
/// understood.
fn is_taken(arguments: &[&str]) {
    let here = tempfile::tempdir().unwrap();
    let tried = run(here.path(), &[arguments, &["--help"]].concat());
    assert_eq!(tried.code, Some(0), "{arguments:?}: {}", tried.err);
    let wrong = run(here.path(), &[arguments, &["--no-such-option", "--help"]].concat());
    assert_ne!(wrong.code, Some(0), "{arguments:?} could be anything");
}

/// The instructions of a Dockerfile, with continued lines joined.
fn instructions(text: &str) -> Vec<(String, String)> {
    let lines: Vec<_> = text.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
    let joined = lines.join("\n").replace("\\\n", " ");
    let instruction = |line: &str| {
        let (name, rest) = line.split_once(' ')?;
        Some((name.to_owned(), rest.split_whitespace().collect::<Vec<_>>().join(" ")))
    };
    joined.lines().filter_map(instruction).collect()
}

/// The words of the exec form, `["a", "b"]`.
fn words(exec: &str) -> Vec<String> {
    serde_json::from_str(exec).unwrap_or_else(|error| panic!("`{exec}` is not the exec form: {error}"))
}

#[test]
fn the_image_has_what_it_runs_and_runs_as_nobody() {
    let instructions = instructions(&packaged("Dockerfile"));
    let all = |name: &str| -> Vec<_> {
        instructions.iter().filter(|(found, _)| found == name).map(|(_, rest)| rest.as_str()).collect()
    };
    let one = |name: &str| -> &str {
        let found = all(name);
        assert_eq!(found.len(), 1, "{name}: {found:?}");
        found[0]
    };
    // Pinned to the toolchain of the repository.
    let toolchain = std::fs::read_to_string(repository().join("rust-toolchain.toml")).unwrap();
    let version = toolchain.lines().find_map(|line| line.strip_prefix("channel = ")).unwrap().trim_matches('"');
    assert_eq!(all("FROM")[0], format!("rust:{version}-bookworm AS build"));
    assert!(all("FROM").iter().all(|image| !image.ends_with(":latest") && image.contains(':')), "{:?}", all("FROM"));

    // The program is the one that is built, and is put where it is run.
    let build = all("RUN")[0];
    assert_eq!(build, "cargo build --release --locked --package barmkin");
    assert!(repository().join("Cargo.lock").exists(), "`--locked`");
    let copies: Vec<Vec<_>> = all("COPY").iter().map(|copy| copy.split(' ').collect()).collect();
    assert_eq!(copies[0], [".", "."]);
    assert_eq!(copies[1], ["--from=build", "/build/target/release/barmkin", "/usr/local/bin/barmkin"]);
    assert_eq!(copies[2], ["--from=build", "--chown=65532:65532", "/folders/", "/"]);
    assert!(all("RUN")[1].starts_with("mkdir -p /folders/run/barmkin "), "{}", all("RUN")[1]);
    assert_eq!(one("USER"), "65532:65532");
    assert_eq!(one("STOPSIGNAL"), "SIGTERM");

    let entry = words(one("ENTRYPOINT"));
    assert_eq!(entry, ["/usr/local/bin/barmkin"]);
    let command = words(one("CMD"));
    is_taken(&command.iter().map(String::as_str).collect::<Vec<_>>());
    let (_, check) = one("HEALTHCHECK").split_once("CMD ").unwrap();
    let check = words(check);
    assert_eq!(check[0], entry[0]);
    is_taken(&check[1..].iter().map(String::as_str).collect::<Vec<_>>());
    let socket = check.last().unwrap().strip_prefix("unix:").unwrap();
    assert!(socket.starts_with("/run/barmkin/"), "{socket}");

    // What is built in it is of the repository, and not of a build before.
    let ignored = packaged("Dockerfile.dockerignore");
    assert!(ignored.lines().any(|line| line == "target"), "{ignored}");
    for needed in ["Cargo.toml", "host", "guest", "policies", "wit", "path", "tests", "benches", "fuzz", "xtask"] {
        assert!(repository().join(needed).exists() && !ignored.lines().any(|line| line == needed), "{needed}");
    }
}

#[test]
fn the_unit_runs_what_the_program_takes() {
    let unit = packaged("barmkin.service");
    let value = |name: &str| {
        let found: Vec<_> = unit.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('=')).collect();
        assert_eq!(found.len(), 1, "{name}: {found:?}");
        found[0]
    };
    for name in ["ExecStart", "ExecReload"] {
        let words: Vec<_> = value(name).split(' ').collect();
        assert_eq!(words[0], "/usr/bin/barmkin");
        is_taken(&words[1..]);
    }
    assert_eq!((value("Type"), value("KillSignal"), value("User")), ("notify", "SIGTERM", "barmkin"));
    // `[admin]` in the documentation is where `reload` asks, and where it may be made.
    let operations = std::fs::read_to_string(repository().join("docs/operations.md")).unwrap();
    assert!(operations.contains("unix:/run/barmkin/admin.sock") && value("RuntimeDirectory") == "barmkin");

    verify(&unit);
}

/// By systemd itself, where it is there, with the program that was built.
fn verify(unit: &str) {
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        return println!("not run: there is no systemd-analyze to verify the unit");
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("barmkin.service");
    std::fs::write(&file, unit.replace("/usr/bin/barmkin", env!("CARGO_BIN_EXE_barmkin"))).unwrap();
    let verified = Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&file).output().unwrap();
    let said = String::from_utf8_lossy(&verified.stderr).into_owned();
    let own: Vec<_> = said.lines().filter(|line| line.contains("barmkin.service")).collect();
    assert!(own.is_empty(), "{}", own.join("\n"));
}
