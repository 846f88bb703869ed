//! What a configuration was read from: what to watch for a change of it.

use crate::source::read_limited;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

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

    /// The folders in which something happens when one of the files changes:
    /// those of the files, and of every symbolic link on the way to them, since
    /// mounted secrets change by a link that is replaced. A folder that is not
    /// there stands for the nearest above it that is.
    pub fn folders(&self) -> BTreeSet<PathBuf> {
        let mut folders = BTreeSet::new();
        for path in &self.paths {
            add_folders(path, &mut LINKS_MAX.clone(), &mut folders);
        }
        for folder in &self.below {
            // As if there were a file in it.
            add_folders(&folder.join("_"), &mut LINKS_MAX.clone(), &mut folders);
        }
        folders
    }

    pub(crate) fn read(&mut self, path: &Path, max: usize) -> std::io::Result<Vec<u8>> {
        let read = read_limited(path, max);
        self.note(path, read.as_deref().ok());
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

fn add_folders(path: &Path, links_left: &mut usize, folders: &mut BTreeSet<PathBuf>) {
    let mut folder = if path.is_absolute() { PathBuf::new() } else { PathBuf::from(".") };
    let mut parts = path.components().peekable();
    while let Some(part) = parts.next() {
        if part == Component::CurDir {
            continue;
        }
        let is_last = parts.peek().is_none();
        let here = folder.join(part);
        let link = std::fs::read_link(&here).ok().filter(|_| *links_left > 0);
        if is_last || link.is_some() || !here.exists() {
            folders.insert(folder.clone());
        }
        if !is_last && link.is_none() && !here.exists() {
            return;
        }
        if let Some(link) = link {
            *links_left -= 1;
            let rest: PathBuf = parts.map(|part| -> &OsStr { part.as_os_str() }).collect();
            return add_folders(&folder.join(link).join(rest), links_left, folders);
        }
        folder = here;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

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
        assert_eq!(files.folders(), expected);
    }

    #[test]
    fn what_is_not_there_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let mut files = Files::default();
        files.note(&folder.path().join("a/b/c"), None);
        files.expect_below(&folder.path().join("rules"));
        assert_eq!(files.folders(), [folder.path().to_owned()].into());
        std::fs::create_dir(folder.path().join("rules")).unwrap();
        assert!(files.folders().contains(&folder.path().join("rules")));

        symlink("loop", folder.path().join("loop")).unwrap();
        files.note(&folder.path().join("loop/x"), None);
        assert!(files.folders().contains(folder.path()));
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
