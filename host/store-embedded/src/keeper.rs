//! The threads of a store: one rewrites the log, and where answers wait for the
//! disk, another flushes it.

use crate::open::Durability;
use crate::private;
use crate::recover;
use crate::store::{Shared, write_base};
use barmkin_host::Ledger;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

/// The threads. They have ended when this is dropped, so that the folder is free
/// for the next.
pub(crate) struct Threads {
    rewrite: Thread,
    flush: Option<Thread>,
}

/// A thread that works when it is told, and ends when nobody can tell it to any
/// longer.
struct Thread {
    tell: Option<SyncSender<()>>,
    handle: Option<JoinHandle<()>>,
}

impl Threads {
    /// Has the log rewritten.
    pub(crate) fn rewrite(&self) {
        self.rewrite.tell();
    }

    /// Has the disk flushed.
    pub(crate) fn flush(&self) {
        self.flush.iter().for_each(Thread::tell);
    }
}

/// Starts what `durability` needs.
pub(crate) fn start(shared: &Arc<Shared>, durability: Durability) -> io::Result<Threads> {
    let flush = match durability {
        Durability::Process => None,
        Durability::Power => Some(Thread::start("barmkin-flush", shared, flush)?),
    };
    Ok(Threads { rewrite: Thread::start("barmkin-rewrite", shared, rewrite)?, flush })
}

impl Thread {
    fn start(name: &str, shared: &Arc<Shared>, work: fn(&Shared)) -> io::Result<Self> {
        let (tell, told) = sync_channel(1);
        let shared = shared.clone();
        let work = move || told.iter().for_each(|()| work(&shared));
        let handle = std::thread::Builder::new().name(name.to_owned()).spawn(work)?;
        Ok(Self { tell: Some(tell), handle: Some(handle) })
    }

    /// Tells it to work. A call while it works makes it work once more
    /// afterwards.
    fn tell(&self) {
        if let Some(tell) = &self.tell {
            let _ = tell.try_send(());
        }
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.tell = None;
        if let Some(handle) = self.handle.take() {
            let _ = handle.join();
        }
    }
}

/// Rewrites the log. Requests wait while the next log is begun, but no longer for
/// a larger state: the log is read back here, in the background.
fn rewrite(shared: &Shared) {
    if let Err(error) = try_rewrite(shared) {
        tracing::warn!(%error, "the store's log could not be rewritten and goes on growing");
        shared.lock().postpone_rewrite();
    }
}

fn try_rewrite(shared: &Shared) -> io::Result<()> {
    let now = (shared.now)();
    let (base, last, folder) = {
        // No flush may come between the old log and the new one.
        let _alone = shared.synced.alone();
        let (folder, active, file, head_file, waits) = {
            let log = &shared.lock().log;
            (log.folder.clone(), log.head.active, log.file.clone(), log.head_file.clone(), !log.witness_each)
        };
        let next = private::create(&folder.log(active + 1))?;
        if waits {
            // So that little is left to flush under the lock.
            file.sync_data()?;
            folder.sync()?;
        }
        let (base, last) = shared.lock().begin_rewrite(next, now)?;
        if waits {
            head_file.sync_data()?;
        }
        (base, last, folder)
    };
    let state = recover::replay(&folder, base, last, Ledger::new(shared.limits))?;
    if let Some(damage) = state.damage {
        // The state in memory is whole, and the head names what is missing: a
        // restart would find it.
        return Err(io::Error::other(format!("its files were changed: {damage}")));
    }
    let bytes = folder.write_whole(&folder.base(last), |to| write_base(&state.ledger, now, last, to))?;
    let (head, head_file) = {
        let mut inner = shared.lock();
        inner.end_rewrite(last, bytes)?;
        (inner.log.head, inner.log.head_file.clone())
    };
    head_file.sync_data()?;
    folder.clean(&head)
}

/// Flushes what was written so far, and then says so in the head.
fn flush(shared: &Shared) {
    let _alone = shared.synced.alone();
    let (file, head_file, end, written) = {
        let log = &shared.lock().log;
        (log.file.clone(), log.head_file.clone(), log.end, shared.synced.written())
    };
    let flushed = file.sync_data().and_then(|()| shared.lock().log.witness(end)).and_then(|()| head_file.sync_data());
    if let Err(error) = flushed {
        // The kernel may have dropped what it could not write: nothing that is
        // acknowledged from here on could be relied on.
        tracing::error!(%error, "the store's disk has failed: it refuses everything until a restart");
        shared.lock().broken = Some(format!("its disk has failed: {error}"));
    }
    shared.synced.publish(written);
}
