//! A mistake, and what is said about it.

use crate::support::{barmkin, folder, secrets};
use std::net::TcpListener;
use std::path::Path;
use std::sync::LazyLock;
use tempfile::TempDir;

/// A configuration that is right, of which most mistakes are made.
pub(crate) const RIGHT: &str = include_str!("right.toml");

/// A policy that is compiled for one is there for the others.
static CACHE: LazyLock<TempDir> = LazyLock::new(|| folder(&[]));

/// Something that is done wrong.
pub(crate) struct Mistake {
    pub(crate) name: &'static str,
    pub(crate) command: Vec<&'static str>,
    /// The configuration; `PORT` is a port on which somebody listens already.
    pub(crate) rules: String,
    /// Further files, instead of those of the same name.
    pub(crate) files: Vec<(&'static str, Vec<u8>)>,
}

impl Mistake {
    /// The right configuration, with `from` replaced.
    pub(crate) fn edit(name: &'static str, from: &str, to: &str) -> Self {
        assert_eq!(RIGHT.matches(from).count(), 1, "{name}: `{from}`");
        Self::check(name, RIGHT.replace(from, to))
    }

    /// The right configuration, and more.
    pub(crate) fn add(name: &'static str, more: &str) -> Self {
        Self::check(name, format!("{RIGHT}\n{more}"))
    }

    pub(crate) fn check(name: &'static str, rules: String) -> Self {
        Self { name, command: vec!["check"], rules, files: Vec::new() }
    }

    /// A command, in the folder of the right configuration.
    pub(crate) fn command(name: &'static str, command: &[&'static str]) -> Self {
        Self { name, command: command.to_vec(), rules: RIGHT.to_owned(), files: Vec::new() }
    }

    pub(crate) fn with(mut self, file: &'static str, contents: impl Into<Vec<u8>>) -> Self {
        self.files.push((file, contents.into()));
        self
    }

    /// Met by another command than `check`.
    pub(crate) fn by(self, command: &[&'static str]) -> Self {
        Self { command: command.to_vec(), ..self }
    }

    /// Makes it.
    pub(crate) fn make(&self) -> Told {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port().to_string();
        let folder = folder(&[(
            "barmkin.toml",
            &self.rules.replace("PORT", &port).replace("CACHE", &CACHE.path().to_string_lossy()),
        )]);
        secrets(folder.path(), &[("github", "the secret of GitHub"), ("pepper", "a secret of the gate")]);
        for (name, contents) in &self.files {
            put(&folder.path().join(name), contents);
        }
        let ended = barmkin(folder.path(), &self.command).env("RUST_LOG", "off").output().unwrap();
        let text = |bytes| {
            let text = String::from_utf8(bytes).unwrap().replace(&*folder.path().to_string_lossy(), "FOLDER");
            let text = text.replace(&*CACHE.path().to_string_lossy(), "CACHE");
            if self.rules.contains("PORT") { text.replace(&port, "PORT") } else { text }
        };
        let (out, err) = (text(ended.stdout), text(ended.stderr));
        // Differences of cases are what `test` is asked for.
        let err = if self.command.first() == Some(&"test") { out + &err } else { err };
        Told { code: ended.status.code().unwrap(), err }
    }
}

fn put(path: &Path, contents: &[u8]) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, contents).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// The code and the message.
pub(crate) struct Told {
    pub(crate) code: i32,
    pub(crate) err: String,
}

impl Told {
    /// The things that the message lacks.
    pub(crate) fn wanting(&self) -> Vec<&'static str> {
        let first = self.err.lines().next().unwrap_or_default();
        let has_line = first.starts_with("barmkin.toml:")
            || first.split(": ").next().is_some_and(|place| place.contains(".toml:") || place.contains(".json:"));
        let mut wanting = Vec::new();
        if !(has_line || first.contains('`') || first.contains('\'')) {
            wanting.push("it names no place");
        }
        // clap has remedies of its own.
        if !["help: ", "tip: ", "Usage: ", "possible values: "].iter().any(|remedy| self.err.contains(remedy)) {
            wanting.push("it names no remedy");
        }
        if self.err.contains("panicked") || self.err.contains("expected struct") {
            wanting.push("it speaks of the program");
        }
        wanting
    }
}
