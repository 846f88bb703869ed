//! Opening a store: making it, reading it back, or refusing to.

use crate::error::OpenError;
use crate::head::Head;
use crate::keeper;
use crate::log::{Folder, Log};
use crate::power::Synced;
use crate::recover::{self, Recovered};
use crate::store::{EmbeddedStore, Inner, Shared, encode};
use barmkin_host::{Clock, Ledger, MemoryLimits, SystemClock};
use std::fs::{File, TryLockError};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// What a store is opened with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its folder, which belongs to the store alone.
    pub folder: PathBuf,
    /// How much it may hold, in memory and so on the disk.
    pub limits: MemoryLimits,
    /// What an answer survives.
    pub durability: Durability,
    /// Whether it starts although something that was acknowledged is lost.
    pub accept_loss: bool,
}

/// What the answer to a claim or a take survives.
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
        // Locked once: a child that this process starts keeps the first lock
        // for a moment, and a second one would find it.
        let mut lock = if is_absent(&folder)? { create(&folder, &settings.folder, None, &[])? } else { lock(&folder)? };
        let (mut head, mut recovered) = read(&folder, settings)?;
        if let Some(detail) = recovered.damage.take() {
            if !settings.accept_loss {
                return Err(OpenError::Damaged { folder: settings.folder.clone(), detail });
            }
            let lost_at = clock().max(recovered.now);
            tracing::warn!(
                folder = %settings.folder.display(),
                detail,
                "the store lost what it remembered: what was signed before now is refused"
            );
            lock = replace(&folder, &recovered, lost_at)?;
            (head, recovered) = read(&folder, settings)?;
        }
        let behind = recovered.now.saturating_sub(clock());
        let now = Box::new(move || clock().saturating_add(behind));
        let io = || OpenError::io(&settings.folder);
        folder.clean(&head).map_err(io())?;
        let witness_each = settings.durability == Durability::Process;
        let log = Log::open(folder, head, recovered.end, witness_each).map_err(io())?;
        let shared = Arc::new(Shared {
            lost_at: head.lost_at,
            inner: Mutex::new(Inner::new(recovered.ledger, log, recovered.log_bytes, recovered.base_bytes)),
            now,
            synced: Synced::default(),
            _lock: lock,
        });
        let threads = keeper::start(&shared, settings.durability).map_err(io())?;
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

/// Makes a store beside `place`, and puts it there when it is complete: a half
/// store never stands there. Gives its lock.
fn create(place: &Folder, named: &std::path::Path, lost_at: Option<Duration>, base: &[u8]) -> Result<File, OpenError> {
    let new = Folder(beside(named, "new"));
    let make = || -> io::Result<File> {
        if new.0.exists() {
            std::fs::remove_dir_all(&new.0)?;
        }
        std::fs::create_dir_all(&new.0)?;
        let lock = File::create(new.lock())?;
        lock.lock()?;
        let base_number = u64::from(!base.is_empty());
        if base_number > 0 {
            new.write_whole(&new.base(base_number), base)?;
        }
        let head = Head { turn: 0, base: base_number, active: base_number + 1, length: 0, lost_at };
        new.write_whole(&new.log(head.active), &[])?;
        new.write_whole(&new.head(), &head.create())?;
        std::fs::rename(&new.0, &place.0)?;
        if let Some(parent) = place.0.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            File::open(parent)?.sync_all()?;
        }
        Ok(lock)
    };
    make().map_err(OpenError::io(&place.0))
}

/// Puts a new store with what could be read in the place of a damaged one.
fn replace(folder: &Folder, recovered: &Recovered, lost_at: Duration) -> Result<File, OpenError> {
    let base = encode(&recovered.ledger, lost_at, 1);
    let damaged = beside(&folder.0, "damaged");
    let set_aside = || -> io::Result<()> {
        if damaged.exists() {
            std::fs::remove_dir_all(&damaged)?;
        }
        std::fs::rename(&folder.0, &damaged)
    };
    set_aside().map_err(OpenError::io(&damaged))?;
    create(folder, &folder.0, Some(lost_at), &base)
}

fn beside(path: &std::path::Path, extension: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(extension);
    name.into()
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

/// What the head says, and all that can be read.
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
    let names = folder.0.read_dir().into_iter().flatten().flatten().map(|entry| entry.file_name());
    let files: Vec<(u64, String)> = names
        .filter_map(|name| {
            let (number, kind) = name.to_str()?.split_once('.')?;
            Some((number.parse().ok()?, kind.to_owned()))
        })
        .collect();
    let newest = |wanted| files.iter().filter(|(_, kind)| kind == wanted).map(|(number, _)| *number).max();
    let base = newest("base").unwrap_or_default();
    Head { turn: 0, base, active: newest("log").unwrap_or_default().max(base), length: 0, lost_at: None }
}
