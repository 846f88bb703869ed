//! Configured and compiled components, on disk: a restart compiles nothing.
#![allow(unsafe_code, reason = "the one place that takes machine code from a file")]

mod entry;
mod folder;

use crate::policy::manifest::Manifest;
use barmkin_files::Regular;
pub(super) use entry::Key;
use folder::is_only_ours;
use rustix::fs::OFlags;
use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;
use wasmtime::Engine;
use wasmtime::component::Component;

/// Entries that are kept, each of some hundred KB: a configuration has tens of
/// policies, and some generations of them are worth having.
const ENTRIES_MAX: usize = 512;

/// Bytes of an entry: code of the largest component, and the memory that it
/// was configured with.
const ENTRY_BYTES_MAX: usize = 256 * 1024 * 1024;

/// An unfinished entry that is older than this is abandoned: its writer has died.
const UNFINISHED_MAX: Duration = Duration::from_secs(60 * 60);

const EXTENSION: &str = "policy";
const UNFINISHED: &str = "unfinished";

/// A folder of configured and compiled components.
///
/// INVARIANT (trusted cache): an entry runs as machine code, so only this
/// process's user may have written it.
#[derive(Clone, Debug)]
pub(crate) struct Cache {
    folder: PathBuf,
}

/// A folder that cannot be a cache. The operator must act.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CacheError {
    #[error("the cache folder `{}` cannot be used", folder.display())]
    Folder { folder: PathBuf, source: io::Error },
    #[error(
        "others can write to the cache folder, or replace it, because they can change `{}`: the code in it is \
         run",
        .0.display()
    )]
    Writable(PathBuf),
}

/// An entry found by [`Cache::find`].
pub(super) struct Cached {
    pub(super) manifest: Manifest,
    pub(super) memory_bytes: usize,
    /// Why its instances cannot be renewed, if they cannot.
    pub(super) not_renewed: Option<String>,
    pub(super) component: Component,
}

impl Cache {
    /// Opens `folder`, which is made if there is none.
    pub(crate) fn open(folder: &Path) -> Result<Self, CacheError> {
        let failed = |source| CacheError::Folder { folder: folder.to_owned(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
        Ok(Self { folder: folder::trusted(folder)? })
    }

    /// The entry `key`, if there is one that can be used. One that cannot is
    /// made again.
    pub(super) fn find(&self, engine: &Engine, key: &Key) -> Option<Cached> {
        let path = self.path(key);
        let unusable = |problem: &dyn std::fmt::Display| {
            tracing::warn!(%problem, entry = %path.display(), "a cache entry cannot be used and is made again");
        };
        let file = match Regular::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            opened => opened.inspect_err(|error| unusable(error)).ok()?,
        };
        if !is_only_ours(file.metadata()) {
            unusable(&"others may write to it");
            return None;
        }
        let bytes = file.read(ENTRY_BYTES_MAX).inspect_err(|error| unusable(error)).ok()?;
        let entry = entry::read(key, &bytes).inspect_err(|problem| unusable(problem)).ok()?;
        // SAFETY (trusted cache): this process's user wrote it, by `keep`, for
        // this key, and it is byte for byte what was written; wasmtime refuses
        // what another version or configuration made.
        let component = unsafe { Component::deserialize(engine, entry.code) };
        let component = component.inspect_err(|error| unusable(error)).ok()?;
        Some(Cached {
            manifest: entry.manifest,
            memory_bytes: entry.memory_bytes,
            not_renewed: entry.not_renewed,
            component,
        })
    }

    /// Keeps an entry. A cache that cannot be written costs time, nothing else.
    pub(super) fn keep(&self, key: &Key, entry: &Cached) {
        if let Err(error) = self.try_keep(key, entry) {
            tracing::warn!(%error, folder = %self.folder.display(), "a compiled policy could not be cached");
        }
    }

    fn try_keep(&self, key: &Key, cached: &Cached) -> io::Result<()> {
        let code = cached.component.serialize().map_err(io::Error::other)?;
        let entry = entry::write(key, &cached.manifest, cached.memory_bytes, cached.not_renewed.as_deref(), &code)?;
        if entry.len() > ENTRY_BYTES_MAX {
            return Err(io::Error::other(format!("it would have more than {ENTRY_BYTES_MAX} bytes")));
        }
        self.prune()?;
        // All of it is found or nothing, also after a crash, and no other
        // process writes to this file: ids of processes are not unique among
        // containers that share the folder.
        let mut name = [0; 16];
        getrandom::fill(&mut name).map_err(|error| io::Error::other(error.to_string()))?;
        let unfinished = self.folder.join(hex::encode(name)).with_extension(UNFINISHED);
        let flags = (OFlags::NOFOLLOW | OFlags::CLOEXEC).bits().cast_signed();
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600).custom_flags(flags);
        let mut file = options.open(&unfinished)?;
        let written = (|| {
            file.write_all(&entry)?;
            file.sync_all()?;
            fs::rename(&unfinished, self.path(key))?;
            File::open(&self.folder)?.sync_all()
        })();
        written.inspect_err(|_| drop(fs::remove_file(&unfinished)))
    }

    /// Makes room for one more: the oldest goes first, and with it abandoned
    /// files. Another process may be faster to remove one.
    fn prune(&self) -> io::Result<()> {
        let (mut entries, mut left) = (Vec::new(), Vec::new());
        for path in fs::read_dir(&self.folder)?.flatten().map(|entry| entry.path()) {
            let Ok(modified) = fs::metadata(&path).and_then(|metadata| metadata.modified()) else { continue };
            match path.extension().and_then(OsStr::to_str) {
                Some(EXTENSION) => entries.push((modified, path)),
                Some(UNFINISHED) if modified.elapsed().is_ok_and(|age| age > UNFINISHED_MAX) => left.push(path),
                _ => {}
            }
        }
        entries.sort();
        entries.truncate((entries.len() + 1).saturating_sub(ENTRIES_MAX));
        left.extend(entries.into_iter().map(|(_, path)| path));
        left.iter().for_each(|path| drop(fs::remove_file(path)));
        Ok(())
    }

    fn path(&self, key: &Key) -> PathBuf {
        self.folder.join(key.digest().to_string()).with_extension(EXTENSION)
    }
}

#[cfg(test)]
mod tests;
