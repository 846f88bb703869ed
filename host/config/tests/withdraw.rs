//! Which secrets go when a configuration breaks, and which stay.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use barmkin_config::Config;
use std::os::unix::fs::symlink;
use std::path::Path;
use support::{folder, load, write};
use tempfile::TempDir;

const TWO_KEYS: &str = r#"version = 1
[keys.a]
algorithm = "hmac-sha256"
secrets = [{ id = "1", from = "file:a1" }, { id = "2", from = "file:a2" }]
[keys.b]
algorithm = "hmac-sha256"
secrets = [{ id = "1", from = "file:b1" }]
"#;

fn loaded() -> (TempDir, Config) {
    let folder = folder(&[("barmkin.toml", TWO_KEYS), ("a1", "secret a1"), ("a2", "secret a2"), ("b1", "secret b1")]);
    let config = load(&folder).unwrap_or_else(|report| panic!("{report}"));
    (folder, config)
}

/// The secrets that are withdrawn after `change`.
fn after(change: impl FnOnce(&TempDir)) -> Vec<String> {
    let (folder, mut config) = loaded();
    change(&folder);
    withdraw(&mut config)
}

fn withdraw(config: &mut Config) -> Vec<String> {
    config.withdraw().iter().map(ToString::to_string).collect()
}

fn rewrite(folder: &TempDir, text: &str) {
    write(folder, "barmkin.toml", text.as_bytes(), 0o600);
}

/// The ids of the secrets that key `name` has left.
fn left(config: &Config, name: &str) -> Vec<String> {
    let (_, key) = config.keys().iter().find(|(key, _)| *key == name).unwrap();
    key.secret_ids().map(str::to_owned).collect()
}

const LEFT: &str = "secret `1` of key `a`: its file no longer has it";

#[test]
fn what_is_still_there_stays() {
    assert!(after(|_| {}).is_empty());
    assert!(after(|folder| write(folder, "a1", b"secret a1\n", 0o600)).is_empty(), "as it would be read");
}

#[test]
fn a_secret_goes_with_its_file_or_what_is_in_it() {
    assert_eq!(after(|folder| std::fs::remove_file(folder.path().join("a1")).unwrap()), [LEFT]);
    for other in ["", "another secret"] {
        assert_eq!(after(|folder| write(folder, "a1", other.as_bytes(), 0o600)), [LEFT]);
    }
}

#[test]
fn a_secret_goes_when_something_else_than_a_file_is_in_its_place() {
    type Put = fn(&Path);
    let ways: [(&str, Put); 5] = [
        ("a FIFO", |path| assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success())),
        ("a folder", |path| std::fs::create_dir(path).unwrap()),
        ("a link to itself", |path| symlink("a1", path).unwrap()),
        ("a link to nothing", |path| symlink("absent", path).unwrap()),
        ("a path through a file", |path| symlink("a2/absent", path).unwrap()),
    ];
    for (what, put) in ways {
        let gone = after(|folder| {
            let path = folder.path().join("a1");
            std::fs::remove_file(&path).unwrap();
            put(&path);
        });
        assert_eq!(gone, [LEFT], "{what}");
    }
    let long = [b"secret a1", &[b'x'; 70_000][..]].concat();
    assert_eq!(after(|folder| write(folder, "a1", &long, 0o600)), [LEFT], "a file that is too long");
}

#[test]
fn a_secret_goes_with_its_entry_although_the_rest_is_broken() {
    let broken = "[[routes]]\nname = \"r\"\nchain = [\"absent\"]\n[unknown]\n";
    let first_only = TWO_KEYS.replace(", { id = \"2\", from = \"file:a2\" }", "");
    let gone = after(|folder| rewrite(folder, &format!("{first_only}{broken}")));
    assert_eq!(gone, ["secret `2` of key `a`: it is no longer declared"]);

    let (without_b, _) = TWO_KEYS.split_once("[keys.b]").unwrap();
    let gone = after(|folder| rewrite(folder, &format!("{without_b}{broken}")));
    assert_eq!(gone, ["secret `1` of key `b`: it is no longer declared"]);

    // It is elsewhere now, and that is not it.
    let moved = TWO_KEYS.replace("file:a1", "file:b1");
    assert_eq!(after(|folder| rewrite(folder, &moved)), [LEFT]);
}

#[test]
fn what_cannot_be_read_says_nothing_but_files_do() {
    for unreadable in ["not TOML [", "keys = 5", "\u{0}"] {
        let (folder, mut config) = loaded();
        rewrite(&folder, unreadable);
        assert!(withdraw(&mut config).is_empty(), "{unreadable}");
        std::fs::remove_file(folder.path().join("a1")).unwrap();
        assert_eq!(withdraw(&mut config), [LEFT], "{unreadable}");
    }
    let typo = TWO_KEYS.replace("hmac-sha256", "hmac-sha999");
    assert!(after(|folder| rewrite(folder, &typo)).is_empty());
    assert!(after(|folder| std::fs::remove_file(folder.path().join("barmkin.toml")).unwrap()).is_empty());
}

#[test]
fn an_end_that_is_sooner_counts_and_a_later_one_does_not() {
    let until =
        |until: &str| TWO_KEYS.replace("from = \"file:b1\"", &format!("from = \"file:b1\", until = \"{until}\""));
    let (folder, mut config) = loaded();
    rewrite(&folder, &(until("2026-11-24T00:00:01Z") + "[unknown]\n"));
    assert_eq!(withdraw(&mut config), ["secret `1` of key `b`: its `until` is sooner"]);
    rewrite(&folder, &(until("2027-11-24T00:00:01Z") + "[unknown]\n"));
    assert!(withdraw(&mut config).is_empty());
    assert_eq!(left(&config, "b"), ["1"]);
}

#[test]
fn what_was_withdrawn_does_not_come_back_by_itself() {
    let (folder, mut config) = loaded();
    std::fs::remove_file(folder.path().join("a1")).unwrap();
    assert_eq!(withdraw(&mut config), [LEFT]);
    write(&folder, "a1", b"secret a1", 0o600);
    write(&folder, "a2", b"another", 0o600);
    assert_eq!(withdraw(&mut config), ["secret `2` of key `a`: its file no longer has it"]);
    assert_eq!(left(&config, "a"), Vec::<String>::new());
    assert_eq!(left(&config, "b"), ["1"]);
}

/// A slip in `include` says nothing of the keys that stand in those files.
#[test]
fn a_slip_in_include_withdraws_nothing() {
    let main = |include: &str| format!("version = 1\n{include}\n");
    let slips = [
        "inclde = [\"keys.toml\"]",
        "include = \"keys.toml\"",
        "include = [\"kys.toml\"]",
        "include = [\"/keys.toml\"]",
        "include = [\"***\"]",
        "include = [1]",
        "include = []",
        "",
        "include = [\"keys2.*\"]",
    ];
    let keys = TWO_KEYS.replace("version = 1\n", "");
    let files = [
        ("keys2.toml", ""),
        ("keys.toml", keys.as_str()),
        ("a1", "secret a1"),
        ("a2", "secret a2"),
        ("b1", "secret b1"),
    ];
    for slip in slips {
        let folder = folder(&files);
        rewrite(&folder, &main("include = [\"keys.toml\"]"));
        let mut config = load(&folder).unwrap_or_else(|report| panic!("{report}"));
        rewrite(&folder, &main(slip));
        assert!(withdraw(&mut config).is_empty(), "{slip}");
        std::fs::remove_file(folder.path().join("a1")).unwrap();
        assert_eq!(withdraw(&mut config), [LEFT], "{slip}: its own file counts");
        std::fs::remove_file(folder.path().join("keys.toml")).unwrap();
        let gone = withdraw(&mut config).len();
        assert_eq!(
            gone,
            if slip.is_empty() || slip.contains("[]") || slip.contains("keys2") { 2 } else { 0 },
            "{slip}"
        );
    }
}
