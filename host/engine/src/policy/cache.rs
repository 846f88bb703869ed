//! Configured and compiled components, on disk: a restart compiles nothing.
#![allow(unsafe_code, reason = "the one place that takes machine code from a file")]

use crate::policy::manifest::Manifest;
use crate::policy::written::Written;
use crate::verdict::Digest;
use rustix::process::geteuid;
use sha2::{Digest as _, Sha256};
use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use wasmtime::Engine;
use wasmtime::component::Component;

/// Entries that are kept, each of some hundred KB: a configuration has tens of
/// policies, and some generations of them are worth having.
const ENTRIES_MAX: usize = 512;

/// Bytes of a manifest as it is written.
const MANIFEST_BYTES_MAX: usize = 1024 * 1024;

/// After so long nobody is writing an entry any more: whoever was has died.
const UNFINISHED_MAX: Duration = Duration::from_secs(60 * 60);

/// Of entries, and of what `renewal` makes of a component: another version of
/// either finds none of them.
const FORMAT: &[u8] = b"3";

const EXTENSION: &str = "policy";
const UNFINISHED: &str = "unfinished";

/// A folder of configured and compiled components.
///
/// INVARIANT (trusted cache): what is read from it runs as machine code, so
/// that nobody but this process's user may have written it.
#[derive(Clone, Debug)]
pub(crate) struct Cache {
    folder: PathBuf,
}

/// A folder that cannot be a cache. The operator must act.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CacheError {
    #[error("the cache folder `{}` cannot be used", folder.display())]
    Folder { folder: PathBuf, source: io::Error },
    #[error("others may write to the cache folder `{}`, and what is in it runs", .0.display())]
    Writable(PathBuf),
}

/// What is found by [`Cache::find`].
pub(super) struct Cached {
    pub(super) manifest: Manifest,
    pub(super) memory_bytes: usize,
    pub(super) renews: bool,
    pub(super) component: Component,
}

/// Names an entry by everything that it depends on.
pub(super) struct Key(Digest);

impl Key {
    pub(super) fn new(engine: &Engine, component: Digest, settings: &str, memory_bytes: usize) -> Self {
        let mut settings_of_engine = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut settings_of_engine);
        let mut digest = Sha256::new();
        for part in [
            env!("CARGO_PKG_VERSION").as_bytes(),
            FORMAT,
            &settings_of_engine.finish().to_le_bytes(),
            &component.0,
            &u64::try_from(memory_bytes).unwrap_or(u64::MAX).to_le_bytes(),
            settings.as_bytes(),
        ] {
            digest.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
            digest.update(part);
        }
        Self(Digest(digest.finalize().into()))
    }
}

impl Cache {
    /// Opens `folder`, which is made if there is none.
    pub(crate) fn open(folder: &Path) -> Result<Self, CacheError> {
        let failed = |source| CacheError::Folder { folder: folder.to_owned(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
        if !is_only_ours(&fs::metadata(folder).map_err(failed)?) {
            return Err(CacheError::Writable(folder.to_owned()));
        }
        Ok(Self { folder: folder.to_owned() })
    }

    /// The entry `key`, if there is one that can be used.
    pub(super) fn find(&self, engine: &Engine, key: &Key) -> Option<Cached> {
        let mut file = File::open(self.path(key)).ok()?;
        if !is_only_ours(&file.metadata().ok()?) {
            tracing::warn!(key = %key.0, "an entry of the cache can be written by others and is not used");
            return None;
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).ok()?;
        let (manifest_bytes, rest) = bytes.split_first_chunk()?;
        let (memory_bytes, rest) = rest.split_first_chunk()?;
        let (renews, rest) = rest.split_first()?;
        let (manifest, code) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*manifest_bytes)).ok()?)?;
        let manifest = serde_json::from_slice::<Written>(manifest).ok()?.into_manifest()?;
        let memory_bytes = usize::try_from(u64::from_le_bytes(*memory_bytes)).ok()?;
        // SAFETY (trusted cache): this process's user wrote it, by `keep`;
        // wasmtime refuses what another version or configuration made.
        let component = unsafe { Component::deserialize(engine, code) }.ok()?;
        Some(Cached { manifest, memory_bytes, renews: *renews == 1, component })
    }

    /// Keeps an entry. A cache that cannot be written costs time, nothing else.
    pub(super) fn keep(&self, key: &Key, entry: &Cached) {
        if let Err(error) = self.try_keep(key, entry) {
            tracing::warn!(%error, folder = %self.folder.display(), "a compiled policy could not be cached");
        }
    }

    fn try_keep(&self, key: &Key, entry: &Cached) -> io::Result<()> {
        let manifest = serde_json::to_vec(&Written::from(&entry.manifest))?;
        let code = entry.component.serialize().map_err(io::Error::other)?;
        if manifest.len() > MANIFEST_BYTES_MAX {
            return Err(io::Error::other("its manifest is too long"));
        }
        self.prune()?;
        // Whoever looks finds all of it or nothing; two processes may write.
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let unfinished = self.folder.join(format!("{}-{number}.{UNFINISHED}", std::process::id()));
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
        let written = (|| {
            file.write_all(&u32::try_from(manifest.len()).unwrap_or_default().to_le_bytes())?;
            file.write_all(&u64::try_from(entry.memory_bytes).unwrap_or(u64::MAX).to_le_bytes())?;
            file.write_all(&[u8::from(entry.renews)])?;
            file.write_all(&manifest)?;
            file.write_all(&code)?;
            fs::rename(&unfinished, self.path(key))
        })();
        written.inspect_err(|_| drop(fs::remove_file(&unfinished)))
    }

    /// Makes room for one more: the oldest goes first, and what nobody will
    /// finish. Another process may be faster to remove one.
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
        self.folder.join(key.0.to_string()).with_extension(EXTENSION)
    }
}

/// Whether only this process's user, and root, may write it.
fn is_only_ours(metadata: &Metadata) -> bool {
    metadata.uid() == geteuid().as_raw() && metadata.mode() & 0o022 == 0
}
