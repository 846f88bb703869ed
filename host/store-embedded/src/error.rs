use std::io;
use std::path::{Path, PathBuf};

/// Why a store cannot be opened. The operator must act.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process has it open.
    #[error("the store `{}` is in use by another process", .0.display())]
    InUse(PathBuf),
    /// Something that was acknowledged is not there any more.
    #[error("the store `{}` is damaged: {detail}", folder.display())]
    Damaged {
        /// The store.
        folder: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// A folder with something else in it.
    #[error("`{}` is not empty, and is no store", .0.display())]
    NotAStore(PathBuf),
    /// The file system refuses.
    #[error("`{}` cannot be used", path.display())]
    Io {
        /// What was to be read or written.
        path: PathBuf,
        /// Why it was not.
        #[source]
        source: io::Error,
    },
}

impl OpenError {
    /// What to do about it, where there is one thing to do.
    pub fn help(&self) -> Option<&'static str> {
        match self {
            Self::Damaged { .. } => Some(
                "restore it, or start once with `--accept-loss`: what was signed before that start is then refused",
            ),
            Self::InUse(_) => Some("give each gate a store of its own, or let them share a Redis"),
            _ => None,
        }
    }

    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        |source| Self::Io { path: path.to_owned(), source }
    }
}
