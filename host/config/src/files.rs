//! The files that a configuration was read from, and the folders to watch for
//! changes.

use barmkin_files::Regular;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::Metadata;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

/// Symbolic links on the way to one file, as Linux has it.
const LINKS_MAX: usize = 40;

/// Every file that a configuration was read from, or should have been.
#[derive(Clone, Debug, Default)]
pub struct Files {
    paths: BTreeSet<PathBuf>,
    below: BTreeSet<PathBuf>,
    contents: Sha256,
}

impl Files {
    /// Tells whether anything in the files has changed. It is made from
    /// secrets, too: not to be shown.
    pub fn digest(&self) -> [u8; 32] {
        self.contents.clone().finalize().into()
    }

    /// Changes when one of the files is written or replaced, as far as that can
    /// be told without reading them: for file systems that do not tell.
    pub fn stamp(&self) -> u64 {
        let mut stamp = DefaultHasher::new();
        for path in &self.paths {
            stamp_of(path).hash(&mut stamp);
        }
        stamp.finish()
    }

    /// The folders to watch to notice a change of one of them.
    pub fn watched(&self) -> Watched {
        let mut watched = Watched::default();
        for path in &self.paths {
            watched.add(path);
        }
        for folder in &self.below {
            // As if there were a file in it.
            watched.add(&folder.join("_"));
            watched.open.extend(std::path::absolute(folder));
        }
        watched
    }

    /// Reads a file of at most `max` bytes.
    pub(crate) fn read(&mut self, path: &Path, max: usize) -> std::io::Result<Vec<u8>> {
        self.read_if(path, max, |_| ()).map(|(bytes, ())| bytes)
    }

    /// As [`read`](Self::read), with what `judge` says of the very file that
    /// is read.
    pub(crate) fn read_if<J>(
        &mut self,
        path: &Path,
        max: usize,
        judge: impl FnOnce(&Metadata) -> J,
    ) -> std::io::Result<(Vec<u8>, J)> {
        let opened = Regular::open(path);
        // Who may read it decides whether it can be used.
        let permissions = opened.as_ref().ok().map(|file| file.metadata().permissions());
        let read = opened.and_then(|file| {
            let judged = judge(file.metadata());
            Ok((file.read(max)?, judged))
        });
        self.note(path, read.as_ref().ok().map(|(bytes, _)| bytes.as_slice()));
        self.contents.update(format!("{permissions:?}"));
        read
    }

    pub(crate) fn note(&mut self, path: &Path, contents: Option<&[u8]>) {
        self.paths.insert(path.to_owned());
        let name = path.as_os_str().as_encoded_bytes();
        for part in [Some(name), contents] {
            let length = part.map_or(u64::MAX, |part| part.len() as u64);
            self.contents.update(length.to_le_bytes());
            self.contents.update(part.unwrap_or_default());
        }
    }

    /// Files may come to be below `folder`.
    pub(crate) fn expect_below(&mut self, folder: &Path) {
        self.below.insert(folder.to_owned());
    }
}

#[cfg(unix)]
fn stamp_of(path: &Path) -> Option<impl Hash> {
    use std::os::unix::fs::MetadataExt;

    let metadata = std::fs::metadata(path).ok()?;
    let changed = (metadata.mtime(), metadata.mtime_nsec(), metadata.ctime(), metadata.ctime_nsec());
    Some((metadata.dev(), metadata.ino(), metadata.len(), changed))
}

#[cfg(not(unix))]
fn stamp_of(path: &Path) -> Option<impl Hash> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.len(), metadata.modified().ok()))
}

/// The folders to watch to notice a change of files.
///
/// A file changes when it is written or replaced, but also when a symbolic link
/// on the way to it is, as mounted secrets do. So the folders of the file and of
/// every such link are watched; a folder that is not there stands for the
/// nearest above it that is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watched {
    folders: BTreeSet<PathBuf>,
    names: BTreeSet<OsString>,
    /// Folders in which every name counts.
    open: BTreeSet<PathBuf>,
}

impl Watched {
    /// The folders, by absolute paths.
    pub fn folders(&self) -> impl Iterator<Item = &Path> {
        self.folders.iter().map(PathBuf::as_path)
    }

    /// Whether something that happened to `path` (absolute) may be a change:
    /// other files in the folders may be written all the time.
    pub fn concerns(&self, path: &Path) -> bool {
        path.file_name().is_none_or(|name| self.names.contains(name))
            || self.folders.contains(path)
            || self.open.iter().any(|folder| path.starts_with(folder))
    }

    /// Adds everything of `other`.
    pub fn extend(&mut self, other: &Self) {
        self.folders.extend(other.folders.iter().cloned());
        self.names.extend(other.names.iter().cloned());
        self.open.extend(other.open.iter().cloned());
    }

    fn add(&mut self, path: &Path) {
        // Without a current folder there is nothing to watch.
        if let Ok(path) = std::path::absolute(path) {
            self.add_absolute(&path, LINKS_MAX);
        }
    }

    fn add_absolute(&mut self, path: &Path, links_left: usize) {
        let mut folder = PathBuf::new();
        let mut parts = path.components().peekable();
        while let Some(part) = parts.next() {
            let is_last = parts.peek().is_none();
            let here = folder.join(part);
            let link = std::fs::read_link(&here).ok().filter(|_| links_left > 0);
            let is_missing = !is_last && link.is_none() && !here.exists();
            if is_last || link.is_some() || is_missing {
                self.folders.insert(folder.clone());
                self.names.insert(part.as_os_str().to_owned());
            }
            if is_missing {
                return;
            }
            if let Some(link) = link {
                let rest: PathBuf = parts.collect();
                return self.add_absolute(&folder.join(link).join(rest), links_left - 1);
            }
            folder = here;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn folders(files: &Files) -> BTreeSet<PathBuf> {
        files.watched().folders().map(Path::to_owned).collect()
    }

    #[test]
    fn every_folder_on_the_way_to_a_mounted_secret_is_watched() {
        let folder = tempfile::tempdir().unwrap();
        let mount = folder.path().join("mount");
        std::fs::create_dir_all(mount.join("..2026_11")).unwrap();
        std::fs::write(mount.join("..2026_11/github"), "secret").unwrap();
        symlink("..2026_11", mount.join("..data")).unwrap();
        symlink("..data/github", mount.join("github")).unwrap();
        symlink("mount", folder.path().join("current")).unwrap();

        let mut files = Files::default();
        files.note(&folder.path().join("current/github"), None);
        let expected: BTreeSet<_> = [folder.path(), &mount, &mount.join("..2026_11")].map(Path::to_owned).into();
        assert_eq!(folders(&files), expected);
        let watched = files.watched();
        for name in ["current", "mount/github", "mount/..data", "mount/..2026_11/github", "mount"] {
            assert!(watched.concerns(&folder.path().join(name)), "{name}");
        }
        assert!(!watched.concerns(&folder.path().join("mount/access.log")));
    }

    #[test]
    fn what_is_not_there_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let mut files = Files::default();
        files.note(&folder.path().join("a/b/c"), None);
        files.expect_below(&folder.path().join("rules"));
        assert_eq!(folders(&files), [folder.path().to_owned()].into());
        for name in ["a", "rules", "rules/any.toml"] {
            assert!(files.watched().concerns(&folder.path().join(name)), "{name}");
        }
        std::fs::create_dir(folder.path().join("rules")).unwrap();
        assert!(folders(&files).contains(&folder.path().join("rules")));

        symlink("loop", folder.path().join("loop")).unwrap();
        files.note(&folder.path().join("loop/x"), None);
        assert!(folders(&files).contains(folder.path()));
    }

    #[test]
    fn contents_and_their_absence_tell() {
        let digest = |contents: &[Option<&[u8]>]| {
            let mut files = Files::default();
            contents.iter().for_each(|contents| files.note(Path::new("a"), *contents));
            files.digest()
        };
        assert_eq!(digest(&[Some(b"x")]), digest(&[Some(b"x")]));
        assert_ne!(digest(&[Some(b"x")]), digest(&[Some(b"y")]));
        assert_ne!(digest(&[Some(b"")]), digest(&[None]));
    }
}
