use std::io;
use std::path::{Path, PathBuf};

/// Why a store cannot be opened. The operator must act.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process has it open.
    #[error("the store `{}` is in use by another process", .0.display())]
    InUse(PathBuf),
    /// Something that was acknowledged is no longer there.
    #[error("the store `{}` is damaged: {detail}", folder.display())]
    Damaged {
        /// The store.
        folder: PathBuf,
        /// The damage.
        detail: String,
    },
    /// There was a store, and its folder is empty or not there.
    #[error("the store `{}` is missing: `{}` says that there was one", folder.display(), witness.display())]
    Missing {
        /// The store.
        folder: PathBuf,
        /// The file that says so.
        witness: PathBuf,
    },
    /// Users outside the owner's group can write to it.
    #[error("others can write to the store `{}`: its mode is {mode:o}", folder.display())]
    Exposed {
        /// The store.
        folder: PathBuf,
        /// Its folder's mode.
        mode: u32,
    },
    /// A folder with something else in it.
    #[error("`{}` is not empty, and is not a store", .0.display())]
    NotAStore(PathBuf),
    /// The file system refuses.
    #[error("`{}` cannot be used", path.display())]
    Io {
        /// The file that was to be read or written.
        path: PathBuf,
        /// Why it was not.
        #[source]
        source: io::Error,
    },
}

impl OpenError {
    /// The remedy, where there is a single one.
    pub fn help(&self) -> Option<&'static str> {
        match self {
            Self::Damaged { .. } => Some(
                "restore it, or start once with `--accept-loss`: requests signed before that start are then refused",
            ),
            Self::Missing { .. } => Some(
                "mount or restore it, or start once with `--accept-loss`: requests signed before that start are then \
                 refused; if it never let anything in, remove the witness",
            ),
            Self::Exposed { .. } => Some(
                "find out who could have changed it, and run `chmod -R go= FOLDER`, or start with a new store and \
                 `--accept-loss`",
            ),
            Self::InUse(_) => Some("give each gate a store of its own, or let them share a Redis"),
            _ => None,
        }
    }

    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        |source| Self::Io { path: path.to_owned(), source }
    }
}
