//! Files and folders for this user alone, whatever the umask: their contents show
//! who came when, and a user who can write to them can let a nonce in again.

use crate::error::OpenError;
use std::fs::{DirBuilder, File, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// Permission to write for users outside the owner's group.
const OTHERS_WRITE: u32 = 0o002;

/// Any permission of anybody but the owner.
const NOT_OWNER: u32 = 0o077;

/// An empty file.
pub(crate) fn create(path: &Path) -> io::Result<File> {
    let file = File::options().write(true).create(true).truncate(true).mode(FILE_MODE).open(path)?;
    // A umask can take more than it should, and a file that was there had its
    // own mode.
    file.set_permissions(Permissions::from_mode(FILE_MODE))?;
    Ok(file)
}

/// An empty file that can be read, too, where there was none.
pub(crate) fn create_new(path: &Path) -> io::Result<File> {
    let file = File::options().read(true).write(true).create_new(true).mode(FILE_MODE).open(path)?;
    file.set_permissions(Permissions::from_mode(FILE_MODE))?;
    Ok(file)
}

/// A folder that is not there yet.
pub(crate) fn create_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(FOLDER_MODE).create(path)?;
    std::fs::set_permissions(path, Permissions::from_mode(FOLDER_MODE))
}

/// Judges a store that was made by somebody else, or by release 0.1.0, which
/// left the mode to the umask: one that others can write to is not relied on,
/// one that they can read is closed.
pub(crate) fn judge(folder: &Path) -> Result<(), OpenError> {
    let inspect = || -> io::Result<(u32, u32)> {
        let of_folder = std::fs::metadata(folder)?.mode();
        let files = folder.read_dir()?.map(|entry| entry?.metadata());
        let of_files = files.filter_map(mode).try_fold(0, |all, mode| mode.map(|mode| all | mode))?;
        Ok((of_folder, of_files))
    };
    let (of_folder, of_files) = inspect().map_err(OpenError::io(folder))?;
    if (of_folder | of_files) & OTHERS_WRITE != 0 {
        return Err(OpenError::Exposed { folder: folder.to_owned(), mode: of_folder & 0o777 });
    }
    if (of_folder | of_files) & NOT_OWNER != 0 {
        let folder_name = folder.display();
        match close(folder) {
            Ok(()) => {
                tracing::warn!(folder = %folder_name, "the store was accessible to other users, and no longer is")
            }
            Err(error) => tracing::warn!(
                folder = %folder_name,
                %error,
                "the store is accessible to other users and its mode cannot be changed: run `chmod -R go= FOLDER`"
            ),
        }
    }
    Ok(())
}

/// `None` for a file that went away meanwhile.
fn mode(file: io::Result<Metadata>) -> Option<io::Result<u32>> {
    match file {
        Ok(file) => Some(Ok(file.mode())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => Some(Err(error)),
    }
}

fn close(folder: &Path) -> io::Result<()> {
    std::fs::set_permissions(folder, Permissions::from_mode(FOLDER_MODE))?;
    for entry in folder.read_dir()?.flatten() {
        if entry.file_type()?.is_file() {
            std::fs::set_permissions(entry.path(), Permissions::from_mode(FILE_MODE))?;
        }
    }
    Ok(())
}
