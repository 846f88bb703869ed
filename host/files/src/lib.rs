//! Reads files that an operator names.
//!
//! A name can lead to something that is not a file: a FIFO whose other end
//! nobody opens, a device that never ends, a socket. Opening one of those can
//! wait for ever, and with it whatever else the thread was to do. So every file
//! that Barmkin is told to read is opened here: without blocking, as a regular
//! file, and up to a number of bytes.

mod exposure;

pub use exposure::Exposure;

use std::fmt;
use std::fs::{self, File, FileType, Metadata, OpenOptions};
use std::io::{self, Read};
use std::path::Path;

/// Something that is not a regular file, as the source of an [`io::Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotRegular(&'static str);

impl fmt::Display for NotRegular {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "it is {}, not a regular file", self.0)
    }
}

impl std::error::Error for NotRegular {}

impl NotRegular {
    /// Whether `error` is one of these.
    pub fn is(error: &io::Error) -> bool {
        error.get_ref().is_some_and(|source| source.is::<Self>())
    }

    fn check(kind: FileType) -> io::Result<()> {
        if kind.is_file() { Ok(()) } else { Err(io::Error::other(Self(name_of(kind)))) }
    }
}

/// A file that is longer than what it is read for, as the source of an
/// [`io::Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLarge {
    max: usize,
}

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "it has more than {} bytes", self.max)
    }
}

impl std::error::Error for TooLarge {}

impl TooLarge {
    /// Whether `error` is one of these.
    pub fn is(error: &io::Error) -> bool {
        error.get_ref().is_some_and(|source| source.is::<Self>())
    }
}

/// An open regular file.
#[derive(Debug)]
pub struct Regular {
    file: File,
    metadata: Metadata,
}

impl Regular {
    /// Opens `path`, at once.
    ///
    /// # Errors
    /// When it cannot be opened; [`NotRegular`] when it is something else.
    pub fn open(path: &Path) -> io::Result<Self> {
        // Opening a device can do something to it (rewind a tape), and a socket
        // cannot be opened at all: the open file is judged once more below,
        // since it may be another by then.
        NotRegular::check(fs::metadata(path)?.file_type())?;
        let file = without_blocking().open(path)?;
        let metadata = file.metadata()?;
        NotRegular::check(metadata.file_type())?;
        Ok(Self { file, metadata })
    }

    /// Of the file that is open, whatever its name has come to mean since.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// All its bytes, if there are at most `max`, whatever its metadata says.
    ///
    /// # Errors
    /// When it cannot be read, or is longer.
    pub fn read(self, max: usize) -> io::Result<Vec<u8>> {
        let expected = usize::try_from(self.metadata.len()).unwrap_or(max).min(max);
        // Room at once: a secret shall not leave copies behind as it grows.
        let mut bytes = Vec::with_capacity(expected + 1);
        let limit = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
        self.file.take(limit).read_to_end(&mut bytes)?;
        if bytes.len() > max {
            return Err(io::Error::other(TooLarge { max }));
        }
        Ok(bytes)
    }
}

/// The bytes of the regular file at `path`, if there are at most `max`.
///
/// # Errors
/// As for [`Regular::open`] and [`Regular::read`].
pub fn read(path: &Path, max: usize) -> io::Result<Vec<u8>> {
    Regular::open(path)?.read(max)
}

/// As [`read`], of a file that is text.
///
/// # Errors
/// As for [`read`], and when it is not UTF-8.
pub fn read_text(path: &Path, max: usize) -> io::Result<String> {
    String::from_utf8(read(path, max)?).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8"))
}

/// Whether `error` says that the file is not there: nothing is, or something that
/// is not such a file. Other errors (no permission, no room for one
/// more open file) say nothing of that.
pub fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::InvalidFilename)
        || NotRegular::is(error)
        || TooLarge::is(error)
        || is_loop(error)
}

/// Whether links lead round and round.
#[cfg(unix)]
fn is_loop(error: &io::Error) -> bool {
    rustix::io::Errno::from_io_error(error) == Some(rustix::io::Errno::LOOP)
}

#[cfg(not(unix))]
fn is_loop(_: &io::Error) -> bool {
    false
}

#[cfg(unix)]
fn without_blocking() -> OpenOptions {
    use rustix::fs::OFlags;
    use std::os::unix::fs::OpenOptionsExt;

    let flags = OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(flags.bits().cast_signed());
    options
}

#[cfg(not(unix))]
fn without_blocking() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true);
    options
}

#[cfg(unix)]
fn name_of(kind: FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt;

    match kind {
        kind if kind.is_dir() => "a folder",
        kind if kind.is_fifo() => "a FIFO",
        kind if kind.is_socket() => "a socket",
        kind if kind.is_char_device() || kind.is_block_device() => "a device",
        _ => "something else",
    }
}

#[cfg(not(unix))]
fn name_of(kind: FileType) -> &'static str {
    if kind.is_dir() { "a folder" } else { "something else" }
}
