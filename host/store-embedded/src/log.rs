//! The files of a store, and appending to the last of them.

use crate::head::Head;
use crate::private;
use crate::record::{self, Encoder, Place};
use std::fs::File;
use std::io::{self, BufWriter};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The files by their names, in the folder of a store.
#[derive(Clone, Debug)]
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn head(&self) -> PathBuf {
        self.0.join("head")
    }

    pub(crate) fn lock(&self) -> PathBuf {
        self.0.join("lock")
    }

    pub(crate) fn log(&self, number: u64) -> PathBuf {
        self.0.join(format!("{number}.log"))
    }

    pub(crate) fn base(&self, number: u64) -> PathBuf {
        self.0.join(format!("{number}.base"))
    }

    /// A file that is whole, and on the disk, once it has its name. Without room
    /// for it, nothing is left of it.
    pub(crate) fn write_whole<T>(
        &self,
        path: &Path,
        fill: impl FnOnce(&mut BufWriter<File>) -> io::Result<T>,
    ) -> io::Result<T> {
        let new = self.0.join("new");
        let write = || {
            let mut to = BufWriter::new(private::create(&new)?);
            let filled = fill(&mut to)?;
            to.into_inner().map_err(|error| error.into_error())?.sync_all()?;
            std::fs::rename(&new, path)?;
            Ok(filled)
        };
        let filled = write().inspect_err(|_: &io::Error| drop(std::fs::remove_file(&new)))?;
        self.sync()?;
        Ok(filled)
    }

    /// Makes names durable.
    pub(crate) fn sync(&self) -> io::Result<()> {
        File::open(&self.0)?.sync_all()
    }

    /// The numbers and kinds of the files with numbers.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = (u64, String)> {
        let names = self.0.read_dir().into_iter().flatten().flatten().map(|entry| entry.file_name());
        names.filter_map(|name| {
            let (number, kind) = name.to_str()?.split_once('.')?;
            Some((number.parse().ok()?, kind.to_owned()))
        })
    }

    /// Removes everything that `head` does not name: what was left by a crash.
    pub(crate) fn clean(&self, head: &Head) -> io::Result<()> {
        for entry in self.0.read_dir()?.flatten() {
            let name = entry.file_name();
            let (number, kind) = name.to_str().and_then(|name| name.split_once('.')).unwrap_or_default();
            let stale = match (number.parse::<u64>(), kind) {
                (Ok(number), "log") => number <= head.base || number > head.active,
                (Ok(number), "base") => number != head.base,
                _ => name == "new",
            };
            if stale {
                std::fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }
}

/// The log that is written, and its head.
#[derive(Debug)]
pub(crate) struct Log {
    pub(crate) folder: Folder,
    pub(crate) head: Head,
    /// Where the next record goes: beyond what the head witnesses, where that is
    /// written only when the disk has it.
    pub(crate) end: u64,
    pub(crate) file: Arc<File>,
    pub(crate) head_file: Arc<File>,
    /// Whether each record is witnessed as it is written.
    pub(crate) witness_each: bool,
    buffer: Vec<u8>,
}

impl Log {
    /// Goes on with the files that `head` names, after `end` bytes of the last.
    pub(crate) fn open(folder: Folder, head: Head, end: u64, witness_each: bool) -> io::Result<Self> {
        let open = |path: PathBuf| File::options().write(true).open(path).map(Arc::new);
        let (file, head_file) = (open(folder.log(head.active))?, open(folder.head())?);
        let mut log = Self { folder, head, end, file, head_file, witness_each, buffer: Vec::new() };
        // Records that were read beyond the head count from now on.
        log.file.set_len(end)?;
        log.witness(end)?;
        Ok(log)
    }

    /// Appends a record. After an error it is as if nothing had been appended:
    /// the next record is written over it.
    pub(crate) fn append(&mut self, now: Duration, fill: impl FnOnce(&mut Encoder<'_>)) -> io::Result<()> {
        self.buffer.clear();
        record::write(&mut self.buffer, Place { file: self.head.active, offset: self.end }, now, fill);
        self.file.write_all_at(&self.buffer, self.end)?;
        let end = self.end + self.buffer.len() as u64;
        if self.witness_each {
            self.witness(end)?;
        }
        self.end = end;
        Ok(())
    }

    /// Says in the head that the log has `length` bytes.
    pub(crate) fn witness(&mut self, length: u64) -> io::Result<()> {
        let before = self.head.length;
        self.head.length = length;
        self.head.write(&self.head_file).inspect_err(|_| self.head.length = before)
    }

    /// Seals the log and goes on in `next`, an empty file that has its name.
    pub(crate) fn rotate(&mut self, next: File, now: Duration) -> io::Result<()> {
        self.append(now, |to| to.sealed())?;
        if !self.witness_each {
            self.file.sync_data()?;
        }
        let (active, before) = (self.head.active + 1, self.head);
        (self.head.active, self.head.length) = (active, 0);
        self.write_head_twice().inspect_err(|_| self.head = before)?;
        (self.file, self.end) = (Arc::new(next), 0);
        Ok(())
    }

    /// Says in the head that the state up to and with log `base` is in its base
    /// file.
    pub(crate) fn rebase(&mut self, base: u64) -> io::Result<()> {
        let before = self.head;
        self.head.base = base;
        self.write_head_twice().inspect_err(|_| self.head = before)
    }

    /// Both slots name the same files, so that losing one loses none of them.
    fn write_head_twice(&mut self) -> io::Result<()> {
        self.head.write(&self.head_file)?;
        self.head.write(&self.head_file)
    }
}
