//! Judges the folder of a cache: what is in it runs.

use super::CacheError;
use rustix::process::geteuid;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

/// Symbolic links on the way to one folder, as Linux has it.
const LINKS_MAX: usize = 40;

/// The true path of `folder`, if only root and this process's user can put
/// another in its place: nobody else may write to it, to a folder above it, or to
/// one that a link on the way is in.
pub(super) fn trusted(folder: &Path) -> Result<PathBuf, CacheError> {
    let failed = |source| CacheError::Folder { folder: folder.to_owned(), source };
    let absolute = std::path::absolute(folder).map_err(failed)?;
    let path = walk(&absolute, folder)?;
    let metadata = fs::metadata(&path).map_err(failed)?;
    // In a folder with the sticky bit others may not remove entries, but an entry
    // that they add would be found.
    if is_only_ours(&metadata) { Ok(path) } else { Err(CacheError::Writable(path)) }
}

/// Whether only this process's user, and root, may write it.
pub(super) fn is_only_ours(metadata: &Metadata) -> bool {
    is_owned_by_us(metadata) && metadata.mode() & 0o022 == 0
}

fn is_owned_by_us(metadata: &Metadata) -> bool {
    metadata.uid() == geteuid().as_raw() || metadata.uid() == 0
}

/// Follows `path`, and judges everything that it leads through.
fn walk(path: &Path, named: &Path) -> Result<PathBuf, CacheError> {
    let failed = |source| CacheError::Folder { folder: named.to_owned(), source };
    let mut links_left = LINKS_MAX;
    let mut rest: Vec<_> = path.components().rev().map(|part| part.as_os_str().to_owned()).collect();
    let mut here = PathBuf::new();
    while let Some(part) = rest.pop() {
        match Path::new(&part).components().next() {
            Some(Component::ParentDir) => {
                // It was judged on the way.
                here.pop();
                continue;
            }
            Some(Component::RootDir) => here = PathBuf::from("/"),
            _ => here.push(&part),
        }
        let metadata = fs::symlink_metadata(&here).map_err(failed)?;
        if metadata.is_symlink() {
            if !is_owned_by_us(&metadata) {
                return Err(CacheError::Writable(here));
            }
            links_left = links_left
                .checked_sub(1)
                .ok_or_else(|| failed(io::Error::other("it is a link that leads to itself")))?;
            let target = fs::read_link(&here).map_err(failed)?;
            here.pop();
            rest.extend(target.components().rev().map(|part| part.as_os_str().to_owned()));
        } else if !is_safe_to_lead_through(&metadata) {
            return Err(CacheError::Writable(here));
        }
    }
    Ok(here)
}

/// Whether no other user can replace our entries in it. In a folder with the
/// sticky bit, like `/tmp`, everybody may add entries, but only the owner may
/// rename or remove them.
fn is_safe_to_lead_through(metadata: &Metadata) -> bool {
    const STICKY: u32 = 0o1000;
    is_owned_by_us(metadata) && (metadata.mode() & 0o022 == 0 || metadata.mode() & STICKY != 0)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    /// The folder that others may write to, if that is why it is refused.
    fn refused(folder: &Path) -> Option<PathBuf> {
        match trusted(folder) {
            Ok(_) => None,
            Err(CacheError::Writable(path)) => Some(path),
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn all_that_leads_to_the_folder_is_judged() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        let (above, cache) = (root.join("above"), root.join("above/cache"));
        fs::create_dir_all(&cache).unwrap();
        set_mode(&cache, 0o700);
        set_mode(&above, 0o755);
        let links = root.join("links");
        fs::create_dir(&links).unwrap();
        symlink("../above", links.join("first")).unwrap();
        symlink("first/cache", links.join("second")).unwrap();
        let linked = links.join("second");
        assert_eq!(trusted(&linked).unwrap(), cache);

        for mode in [0o770, 0o707, 0o777] {
            set_mode(&above, mode);
            assert_eq!(refused(&cache), Some(above.clone()), "{mode:o}");
            assert_eq!(refused(&linked), Some(above.clone()), "{mode:o}");
        }
        // As in /tmp: nobody can put another folder in the place of ours.
        set_mode(&above, 0o1777);
        assert_eq!(refused(&cache), None);
        set_mode(&above, 0o755);

        set_mode(&links, 0o777);
        assert_eq!(refused(&cache), None);
        assert_eq!(refused(&linked), Some(links.clone()), "the link could be another");
        set_mode(&links, 0o755);

        set_mode(&cache, 0o1777);
        assert_eq!(refused(&cache), Some(cache.clone()), "an entry of somebody else's would be found");
        symlink("loop", root.join("loop")).unwrap();
        assert!(matches!(trusted(&root.join("loop")), Err(CacheError::Folder { .. })));
    }
}
