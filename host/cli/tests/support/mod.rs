//! Runs `barmkin` as its users do.
#![allow(clippy::unwrap_used, clippy::panic, dead_code, reason = "tests, each of which uses a part")]

pub(crate) mod serving;
pub(crate) mod webhooks;

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// A configuration that knows callers by their keys: `KEYS` are its entries.
pub(crate) const CALLERS: &str = r#"version = 1

[keys.pepper]
algorithm = "keyed-hash-sha256"
secrets = [{ id = "1", from = "file:pepper" }]

[policies.callers]
component = "stock:api-key"
settings = { keys = [KEYS] }
grants = { keys = { pepper = "pepper" }, vouch = true }

[[routes]]
name = "api"
match = { path.prefix = "/v1" }
chain = ["callers"]

[[routes]]
name = "open"
match = { path.exact = "/" }
public = true
"#;

/// A folder with files that only their owner can read.
pub(crate) fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    folder
}

/// Writes secrets, below `secrets`, that only their owner can read.
pub(crate) fn secrets(folder: &Path, secrets: &[(&str, &str)]) {
    let below = folder.join("secrets");
    std::fs::create_dir(&below).unwrap();
    for (name, secret) in secrets {
        let path = below.join(name);
        std::fs::write(&path, secret).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
}

/// A command of `barmkin` in a folder.
pub(crate) fn barmkin(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_barmkin"));
    command.current_dir(folder).args(arguments);
    command
}

/// The code that a command ended with, and its output.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

/// Runs a command to its end.
pub(crate) fn run(folder: &Path, arguments: &[&str]) -> Ended {
    barmkin(folder, arguments).output().unwrap().into()
}

/// Runs a command to its end, with `input` as its standard input.
pub(crate) fn run_with(folder: &Path, arguments: &[&str], input: &[u8]) -> Ended {
    let mut command = barmkin(folder, arguments);
    let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // One that refuses its arguments may be gone before it has read.
    let _ = process.stdin.take().unwrap().write_all(input);
    process.wait_with_output().unwrap().into()
}

/// A key for a caller, and the folder of a configuration that knows it.
pub(crate) fn with_a_caller() -> (TempDir, String) {
    let folder = folder(&[("pepper", "pepper of the tests"), ("barmkin.toml", &CALLERS.replace("KEYS", ""))]);
    let made = run(folder.path(), &["api-key", "new", "--id", "partner-a"]);
    assert_eq!(made.code, Some(0), "{}", made.err);
    let key = made.out.split_whitespace().find(|word| word.starts_with("bk_")).unwrap().to_owned();
    let (_, entry) = made.out.split_once("`keys`: ").unwrap();
    let configuration = CALLERS.replace("KEYS", entry.trim());
    std::fs::write(folder.path().join("barmkin.toml"), configuration).unwrap();
    (folder, key)
}
