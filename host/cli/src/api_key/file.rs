//! The file of keys: JSON Lines, an entry a line.

use super::Entry;
use crate::help::Help;
use anyhow::{Context, Result, bail};
use barmkin_host::limits::SETTINGS_BYTES_MAX;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::Path;

const WRITABLE: &str = "name a file that this user may read and write to, in a folder that is there";

/// A line that the file can have.
pub(crate) struct Line<'p> {
    path: &'p Path,
    text: String,
}

/// The line for `entry` in the file at `path`.
///
/// # Errors
/// When the file cannot be read, or has the id already.
pub(crate) fn line<'p>(path: &'p Path, entry: &Entry) -> Result<Line<'p>> {
    let written = match barmkin_files::read(path, SETTINGS_BYTES_MAX) {
        Ok(written) => String::from_utf8(written).with_context(|| format!("`{}` is not UTF-8", path.display()))?,
        Err(error) if error.kind() == ErrorKind::NotFound && is_in_a_folder(path) => String::new(),
        Err(error) => return Err(error).with_context(|| format!("cannot read `{}`", path.display())).help(WRITABLE),
    };
    for (index, line) in written.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let other: serde_json::Map<String, serde_json::Value> = serde_json::from_str(line)
            .with_context(|| format!("{}:{}: this line is not an entry", path.display(), index + 1))
            .help("write one JSON object a line, and no byte order mark before the first")?;
        if other.get("id").and_then(|id| id.as_str()) == Some(entry.id()) {
            bail!(
                "{}:{}: there is a key `{}` already\n  help: give each key an id of its own, and whom several stand \
                 for as `--principal`",
                path.display(),
                index + 1,
                entry.id(),
            );
        }
    }
    let begin = if written.is_empty() || written.ends_with('\n') { "" } else { "\n" };
    let text = format!("{begin}{}\n", serde_json::to_string(entry)?);
    if written.len() + text.len() > SETTINGS_BYTES_MAX {
        bail!("`{}` would have more than {SETTINGS_BYTES_MAX} bytes, which no gate reads", path.display());
    }
    Ok(Line { path, text })
}

fn is_in_a_folder(path: &Path) -> bool {
    path.parent().is_some_and(|folder| folder.as_os_str().is_empty() || folder.is_dir())
}

impl Line<'_> {
    /// Appends it to the file, which is made if there is none. A gate that reads it
    /// meanwhile sees the whole line or nothing of it.
    pub(crate) fn append(self) -> Result<()> {
        let file = OpenOptions::new().append(true).create(true).open(self.path);
        let write = |mut file: std::fs::File| file.write_all(self.text.as_bytes()).and_then(|()| file.sync_all());
        file.and_then(write).with_context(|| format!("cannot write to `{}`", self.path.display())).help(WRITABLE)
    }
}
