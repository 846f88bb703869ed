//! Files that commands take, and standard input in their place.

use crate::help::Help;
use anyhow::{Context, Result, bail};
use barmkin_config::{Finding, WithLines};
use serde::de::DeserializeOwned;
use std::io::{self, Read};
use std::ops::Range;
use std::path::Path;

/// Whether `path` stands for standard input.
pub(crate) fn is_input(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// The bytes of the file at `path`, if there are at most `max`.
pub(crate) fn read(path: &Path, max: usize) -> Result<Vec<u8>> {
    if !is_input(path) {
        return barmkin_files::read(path, max).with_context(|| unreadable(path)).help(READABLE);
    }
    let limit = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    io::stdin().lock().take(limit).read_to_end(&mut bytes).context("standard input cannot be read")?;
    if bytes.len() > max {
        bail!("standard input has more than {max} bytes");
    }
    Ok(bytes)
}

/// Says that a file cannot be read.
pub(crate) fn unreadable(path: &Path) -> String {
    format!("`{}` cannot be read", path.display())
}

/// The remedy for that.
pub(crate) const READABLE: &str = "correct the path, or let this user read it";

/// As [`read`], of text.
pub(crate) fn read_text(path: &Path, max: usize) -> Result<String> {
    let bytes = read(path, max)?;
    String::from_utf8(bytes).map_err(|_| anyhow::anyhow!("`{}` is not UTF-8\n  help: save it as UTF-8", path.display()))
}

/// The value of `text`, which is TOML and was read from `path`.
pub(crate) fn parse_toml<T: DeserializeOwned>(path: &Path, text: &str) -> Result<T> {
    let parsed = toml::from_str::<barmkin_by_name::ByName<T>>(text);
    parsed.map(|named| named.0).map_err(|error| problem(path, text, error.span().unwrap_or_default(), error.message()))
}

/// The value of `text`, which is JSON and was read from `path`.
pub(crate) fn parse_json<T: DeserializeOwned>(path: &Path, text: &str) -> Result<T> {
    let parsed = serde_json::from_str::<barmkin_by_name::ByName<T>>(text);
    parsed.map(|named| named.0).map_err(|error| {
        let message = error.to_string();
        let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(message, _)| message);
        let before = text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum::<usize>();
        // Columns count bytes, and the last of what was read.
        let at = before + error.column().saturating_sub(1);
        problem(path, text, at..at, message)
    })
}

fn problem(path: &Path, text: &str, span: Range<usize>, message: &str) -> anyhow::Error {
    let mut message = message.trim_end().replace('\n', ", ");
    if let Some(first) = message.get_mut(..1) {
        first.make_ascii_lowercase();
    }
    anyhow::anyhow!("{}", WithLines(&[Finding::error_at(path, text, span, &message)]))
}
