//! A file beside the folder of a store, which shows that there was one.
//!
//! A missing folder may be that of a store which is started for the first time, or
//! of one whose disk is not mounted. The second must not begin empty: every nonce
//! that it remembers would be let in again.

use crate::private;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

const MADE: &[u8] = b"a store of barmkin was made here\n";

/// The witness. While it is open no other process makes or replaces the store.
#[derive(Debug)]
pub(crate) struct Witness {
    /// None where this user may not write beside the store.
    file: Option<File>,
    was_made: bool,
}

impl Witness {
    /// Opens the witness of `folder`, and waits until nobody else has it.
    pub(crate) fn open(folder: &Path) -> io::Result<Self> {
        let path = beside(folder, "witness");
        if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            std::fs::create_dir_all(parent)?;
        }
        let open = || File::options().read(true).write(true).open(&path);
        let opened = open().or_else(|error| match error.kind() {
            io::ErrorKind::NotFound => private::create_new(&path).or_else(|_| open()),
            _ => Err(error),
        });
        let mut file = match opened {
            Ok(file) => file,
            // A store that is there is its own witness.
            Err(error) if is_forbidden(&error) => return Ok(Self { file: None, was_made: false }),
            Err(error) => return Err(error),
        };
        file.lock()?;
        let mut text = Vec::new();
        Read::by_ref(&mut file).take(MADE.len() as u64).read_to_end(&mut text)?;
        Ok(Self { file: Some(file), was_made: !text.is_empty() })
    }

    /// Whether there was a store here.
    pub(crate) fn was_made(&self) -> bool {
        self.was_made
    }

    /// There is one now.
    pub(crate) fn note_made(&mut self) -> io::Result<()> {
        if let (Some(file), false) = (&mut self.file, self.was_made) {
            file.write_all(MADE)?;
            file.sync_all()?;
        }
        self.was_made = true;
        Ok(())
    }
}

fn is_forbidden(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem)
}

/// `path` with `.extension` behind its name.
pub(crate) fn beside(path: &Path, extension: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(extension);
    name.into()
}
