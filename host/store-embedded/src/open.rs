//! Opening a store: making it, reading it back, or refusing to.

use crate::error::OpenError;
use crate::head::Head;
use crate::keeper;
use crate::log::{Folder, Log};
use crate::power::Synced;
use crate::private;
use crate::recover::{self, Recovered};
use crate::store::{EmbeddedStore, Inner, Shared, write_base};
use crate::witness::{Witness, beside};
use barmkin_host::{Clock, Ledger, MemoryLimits, SystemClock};
use std::fs::{File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// The settings with which a store is opened.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its folder, which belongs to the store alone.
    pub folder: PathBuf,
    /// How much it may hold, in memory and so on the disk.
    pub limits: MemoryLimits,
    /// The failures that an answer survives.
    pub durability: Durability,
    /// Whether it starts although something that was acknowledged is lost.
    pub accept_loss: bool,
}

/// The failures that the answer to a claim or a take survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// The death of the process. It answers at once.
    #[default]
    Process,
    /// Also power loss: it answers when the disk has it.
    Power,
}

impl EmbeddedStore {
    /// Opens the store in `settings.folder`, and makes it if there is none.
    ///
    /// It goes by the machine's time as it was when it was opened, and never
    /// back behind what it wrote down.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(settings: &Settings) -> Result<Self, OpenError> {
        let wall = SystemClock.now();
        #[expect(clippy::disallowed_methods, reason = "a store has a clock of its own")]
        let start = Instant::now();
        Self::open_with_clock(settings, move || wall.saturating_add(start.elapsed()))
    }

    /// As [`open`](Self::open), by a clock of the caller's: time since 1970.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open_with_clock(
        settings: &Settings,
        clock: impl Fn() -> Duration + Send + Sync + 'static,
    ) -> Result<Self, OpenError> {
        let folder = Folder(settings.folder.clone());
        let io = || OpenError::io(&settings.folder);
        let mut witness = Witness::open(&folder.0).map_err(io())?;
        let lock = if is_absent(&folder)? {
            let trace = trace(&folder, &witness);
            match trace {
                Some(witness) if !settings.accept_loss => {
                    return Err(OpenError::Missing { folder: settings.folder.clone(), witness });
                }
                _ => create(&folder, trace.map(|_| clock())).map_err(io())?,
            }
        } else {
            lock(&folder)?
        };
        witness.note_made().map_err(io())?;
        private::judge(&folder.0)?;
        let (mut head, mut recovered) = read(&folder, settings)?;
        if let Some(detail) = recovered.damage.take() {
            if !settings.accept_loss {
                return Err(OpenError::Damaged { folder: settings.folder.clone(), detail });
            }
            let lost_at = clock().max(recovered.now);
            tracing::warn!(
                folder = %settings.folder.display(),
                detail,
                "the store lost its contents: requests signed before now are refused"
            );
            replace(&folder, &recovered, lost_at).map_err(io())?;
            (head, recovered) = read(&folder, settings)?;
        }
        let behind = recovered.now.saturating_sub(clock());
        let now = Box::new(move || clock().saturating_add(behind));
        folder.clean(&head).map_err(io())?;
        let witness_each = settings.durability == Durability::Process;
        let log = Log::open(folder, head, recovered.end, witness_each).map_err(io())?;
        let shared = Arc::new(Shared {
            lost_at: head.lost_at,
            limits: settings.limits,
            inner: Mutex::new(Inner::new(recovered.ledger, log, recovered.log_bytes, recovered.base_bytes)),
            now,
            synced: Synced::default(),
            _lock: lock,
        });
        let threads = keeper::start(&shared, settings.durability).map_err(io())?;
        if recovered.names_somebody {
            threads.rewrite();
        }
        Ok(Self { shared, durability: settings.durability, threads: Arc::new(threads) })
    }
}

/// Whether there is neither a store nor anything else.
fn is_absent(folder: &Folder) -> Result<bool, OpenError> {
    let io = || OpenError::io(&folder.0);
    match folder.0.read_dir() {
        Ok(mut entries) => match entries.next() {
            None => Ok(true),
            Some(_) if folder.lock().is_file() => Ok(false),
            Some(_) => Err(OpenError::NotAStore(folder.0.clone())),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(io()(error)),
    }
}

/// The file that shows that there was a store where there is none.
fn trace(folder: &Folder, witness: &Witness) -> Option<PathBuf> {
    if witness.was_made() {
        return Some(beside(&folder.0, "witness"));
    }
    // Release 0.1.0 had no witness, and could die between setting a damaged
    // store aside and putting the new one in its place.
    Some(beside(&folder.0, "damaged")).filter(|damaged| damaged.exists())
}

/// Makes an empty store beside its place, and puts it there when it is complete:
/// half a store never stands there. Gives its lock, which is the one that stays:
/// a child that this process starts keeps a first lock for a moment, and a
/// second one would find it.
fn create(place: &Folder, lost_at: Option<Duration>) -> io::Result<File> {
    let new = Folder(beside(&place.0, "new"));
    remove(&new.0)?;
    private::create_folder(&new.0)?;
    let lock = private::create(&new.lock())?;
    lock.lock()?;
    let head = Head { turn: 0, base: 0, active: 1, length: 0, lost_at };
    new.write_whole(&new.log(head.active), |_| Ok(()))?;
    new.write_whole(&new.head(), |to| to.write_all(&head.create()))?;
    std::fs::rename(&new.0, &place.0)?;
    sync_parent(&place.0)?;
    Ok(lock)
}

/// Replaces a damaged store with what could be read of it: beside the damaged
/// files at first, which the head goes on naming. Replacing the head is the one
/// step by which the store becomes another.
fn replace(folder: &Folder, recovered: &Recovered, lost_at: Duration) -> io::Result<()> {
    set_aside(folder)?;
    let base = folder.numbers().map(|(number, _)| number).max().unwrap_or_default() + 1;
    folder.write_whole(&folder.base(base), |to| write_base(&recovered.ledger, lost_at, base, to))?;
    let head = Head { turn: 0, base, active: base + 1, length: 0, lost_at: Some(lost_at) };
    folder.write_whole(&folder.log(head.active), |_| Ok(()))?;
    folder.write_whole(&folder.head(), |to| to.write_all(&head.create()))
}

/// Keeps the files of a damaged store, by links where the file system has them:
/// a disk that is full must not keep it from being set aside.
fn set_aside(folder: &Folder) -> io::Result<()> {
    let (damaged, new) = (beside(&folder.0, "damaged"), beside(&folder.0, "damaged.new"));
    remove(&new)?;
    private::create_folder(&new)?;
    for entry in folder.0.read_dir()? {
        let entry = entry?;
        let (from, to) = (entry.path(), new.join(entry.file_name()));
        if entry.file_type()?.is_file() && from != folder.lock() {
            std::fs::hard_link(&from, &to).or_else(|_| std::fs::copy(&from, &to).map(drop))?;
        }
    }
    File::open(&new)?.sync_all()?;
    remove(&damaged)?;
    std::fs::rename(&new, &damaged)?;
    sync_parent(&folder.0)
}

/// Removes a folder, if it is there.
fn remove(folder: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

fn lock(folder: &Folder) -> Result<File, OpenError> {
    let path = folder.lock();
    let lock = File::options().write(true).open(&path).map_err(OpenError::io(&path))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse(folder.0.clone())),
        Err(TryLockError::Error(error)) => Err(OpenError::io(&path)(error)),
    }
}

/// The contents of the head, and all that can be read.
fn read(folder: &Folder, settings: &Settings) -> Result<(Head, Recovered), OpenError> {
    let ledger = Ledger::new(settings.limits);
    let path = folder.head();
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(OpenError::io(&path)(error)),
    };
    let known = Head::read(&bytes);
    // Without its head nobody knows what there was: what is there is read.
    let head = known.unwrap_or_else(|| any_head(folder));
    let mut recovered = recover::recover(folder, &head, ledger).map_err(OpenError::io(&folder.0))?;
    if known.is_none() {
        recovered.damage = Some("its `head` cannot be read".to_owned());
    }
    Ok((head, recovered))
}

fn any_head(folder: &Folder) -> Head {
    let newest = |wanted| folder.numbers().filter(|(_, kind)| kind == wanted).map(|(number, _)| number).max();
    let base = newest("base").unwrap_or_default();
    Head { turn: 0, base, active: newest("log").unwrap_or_default().max(base), length: 0, lost_at: None }
}
