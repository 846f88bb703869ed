//! Writes configurations and reads their reports.
#![allow(clippy::panic, clippy::unwrap_used, dead_code, reason = "tests, each of which uses a part")]

use barmkin_config::{Config, LoadOptions, Report, Secrets};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

/// 2026-11-24T00:00:00Z.
pub(crate) const NOW: Duration = Duration::from_secs(1_795_478_400);

/// A folder with files, readable by their owner only.
pub(crate) fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        write(&folder, name, text.as_bytes(), 0o600);
    }
    folder
}

/// Adds a file of any bytes and mode.
pub(crate) fn write(folder: &TempDir, name: &str, bytes: &[u8], mode: u32) {
    let path = folder.path().join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, bytes).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// Loads `barmkin.toml` of a folder.
pub(crate) fn load(folder: &TempDir) -> Result<Config, Report> {
    load_with(folder, Secrets::Read)
}

/// Likewise, with or without secrets.
pub(crate) fn load_with(folder: &TempDir, secrets: Secrets) -> Result<Config, Report> {
    Config::load(folder.path().join("barmkin.toml"), &LoadOptions { now: NOW, secrets })
}

/// The report of a configuration with errors, with paths relative to it.
pub(crate) fn report(folder: &TempDir) -> String {
    match load(folder) {
        Ok(_) => panic!("the configuration has no error"),
        Err(report) => relative(folder.path(), &report.to_string()),
    }
}

/// The report of one text.
pub(crate) fn report_of(text: &str) -> String {
    report(&folder(&[("barmkin.toml", text)]))
}

/// `text` without the folder of the test.
pub(crate) fn relative(folder: &Path, text: &str) -> String {
    text.replace(&format!("{}/", folder.display()), "")
}
