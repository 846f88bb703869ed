//! The store itself: the state in memory, with the log beside it.

use crate::keeper::Threads;
use crate::log::Log;
use crate::open::Durability;
use crate::power::{Durable, Synced};
use crate::record::{self, Encoder, Place};
use barmkin_host::{
    Claim, Claimed, Draw, Hold, Holder, Ledger, Listed, LocalStore, MemoryLimits, NonceId, Store, StoreError,
    SubjectId, Take,
};
use std::fs::File;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The log may grow to this, however little is live.
const LOG_BYTES_MIN: u64 = 8 * 1024 * 1024;

/// A store in a folder of this machine.
#[derive(Clone)]
pub struct EmbeddedStore {
    pub(crate) shared: Arc<Shared>,
    pub(crate) durability: Durability,
    /// They end with the last store.
    pub(crate) threads: Arc<Threads>,
}

pub(crate) struct Shared {
    pub(crate) inner: Mutex<Inner>,
    pub(crate) now: Box<dyn Fn() -> Duration + Send + Sync>,
    pub(crate) lost_at: Option<Duration>,
    pub(crate) limits: MemoryLimits,
    pub(crate) synced: Synced,
    /// No other process has the store while this is open.
    pub(crate) _lock: File,
}

/// The state in memory, and the log that says the same.
pub(crate) struct Inner {
    pub(crate) ledger: Ledger,
    pub(crate) log: Log,
    /// Bytes of all logs since the base.
    log_bytes: u64,
    /// When they are to be rewritten.
    rewrite_at: u64,
    /// Why nothing can be written any longer.
    pub(crate) broken: Option<String>,
}

impl EmbeddedStore {
    /// The store as an engine takes it: one that answers at once, or one that
    /// answers when the disk has it, which needs a tokio runtime with time.
    pub fn into_store(self) -> Store {
        match self.durability {
            Durability::Process => Store::Local(Arc::new(self)),
            Durability::Power => Store::Remote(Arc::new(Durable::new(self))),
        }
    }

    /// Does `what` under the lock, at the store's time, and has the log
    /// rewritten when it is long.
    pub(crate) fn with<T>(
        &self,
        what: impl FnOnce(&mut Inner, Duration) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut inner = self.shared.lock();
        if let Some(broken) = &inner.broken {
            return Err(StoreError::Unavailable(broken.clone()));
        }
        let now = (self.shared.now)();
        let result = what(&mut inner, now);
        if inner.log_bytes >= inner.rewrite_at {
            inner.rewrite_at = u64::MAX;
            self.threads.rewrite();
        }
        result
    }
}

impl Shared {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing under the lock panics; what it guards is whole.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    pub(crate) fn new(ledger: Ledger, log: Log, log_bytes: u64, base_bytes: u64) -> Self {
        Self { ledger, log, log_bytes, rewrite_at: rewrite_at(base_bytes), broken: None }
    }

    /// Writes down a change. Where it cannot, the change is not made.
    pub(crate) fn write(&mut self, now: Duration, fill: impl FnOnce(&mut Encoder<'_>)) -> Result<(), StoreError> {
        let before = self.log.end;
        self.log.append(now, fill).map_err(unavailable)?;
        self.log_bytes += self.log.end - before;
        Ok(())
    }

    pub(crate) fn claim(
        &mut self,
        now: Duration,
        nonce: &NonceId,
        retain: Duration,
        hold: Option<Hold>,
    ) -> Result<Claim, StoreError> {
        let claim = self.ledger.claim(now, nonce, retain, hold)?;
        if claim == Claim::FirstUse {
            let claimed = Claimed::new(now, retain, hold);
            self.write(now, |to| to.claimed(nonce, &claimed)).inspect_err(|_| self.ledger.remove_nonce(nonce))?;
        }
        Ok(claim)
    }

    pub(crate) fn renew(&mut self, now: Duration, nonce: &NonceId, holder: Holder) -> Result<(), StoreError> {
        if self.ledger.holds(nonce, holder) {
            self.write(now, |to| to.renewed(nonce, holder))?;
            self.ledger.renew(now, nonce, holder);
        }
        Ok(())
    }

    pub(crate) fn confirm(&mut self, now: Duration, nonce: &NonceId, holder: Holder) -> Result<(), StoreError> {
        if self.ledger.holds(nonce, holder) {
            self.write(now, |to| to.confirmed(nonce, holder))?;
            self.ledger.confirm(nonce, holder);
        }
        Ok(())
    }

    pub(crate) fn release(&mut self, now: Duration, nonce: &NonceId, holder: Holder) -> Result<(), StoreError> {
        if self.ledger.holds(nonce, holder) {
            self.write(now, |to| to.released(nonce, holder))?;
            self.ledger.release(nonce, holder);
        }
        Ok(())
    }

    pub(crate) fn forget(&mut self, now: Duration, space: &str, digest: &[u8; 32]) -> Result<bool, StoreError> {
        let nonce = NonceId { space: space.into(), digest: *digest, former: None };
        self.write(now, |to| to.forgotten(&nonce))?;
        Ok(self.ledger.forget_nonce(now, space, digest))
    }

    pub(crate) fn take(&mut self, now: Duration, subject: &str, draws: &[Draw], cost: u32) -> Result<Take, StoreError> {
        let subject = SubjectId::of(subject);
        let take = self.ledger.take(now, subject, draws, cost)?;
        if take.admitted && cost > 0 {
            self.write(now, |to| to.took(subject, draws, cost)).inspect_err(|_| {
                // At the time of the take, that leaves nothing of it.
                draws.iter().for_each(|draw| self.ledger.give_back(now, subject, draw, cost, now));
            })?;
        }
        Ok(take)
    }

    pub(crate) fn give_back(
        &mut self,
        now: Duration,
        subject: &str,
        draw: &Draw,
        cost: u32,
        at: Duration,
    ) -> Result<(), StoreError> {
        let subject = SubjectId::of(subject);
        self.write(now, |to| to.gave_back(subject, draw, cost, at))?;
        self.ledger.give_back(now, subject, draw, cost, at);
        Ok(())
    }

    /// Begins a rewrite: goes on in the log `next`. Gives the number of the log
    /// that is complete now, and that of the base that it continues.
    pub(crate) fn begin_rewrite(&mut self, next: File, now: Duration) -> io::Result<(u64, u64)> {
        let (base, last) = (self.log.head.base, self.log.head.active);
        self.log.rotate(next, now)?;
        Ok((base, last))
    }

    /// Ends a rewrite that wrote `base_bytes`.
    pub(crate) fn end_rewrite(&mut self, number: u64, base_bytes: u64) -> io::Result<()> {
        self.log.rebase(number)?;
        self.log_bytes = self.log.end;
        self.rewrite_at = rewrite_at(base_bytes);
        Ok(())
    }

    /// A rewrite failed: another is due when the log has grown again.
    pub(crate) fn postpone_rewrite(&mut self) {
        self.rewrite_at = self.log_bytes + LOG_BYTES_MIN;
    }
}

/// Writes all of `ledger` that is live at `now` as base file `number`. Gives its
/// length.
pub(crate) fn write_base(ledger: &Ledger, now: Duration, number: u64, to: &mut impl Write) -> io::Result<u64> {
    let (mut length, mut record) = (0, Vec::new());
    let mut write = |fill: &dyn Fn(&mut Encoder<'_>)| {
        record.clear();
        record::write(&mut record, Place { file: number, offset: length }, now, |to| fill(to));
        length += record.len() as u64;
        to.write_all(&record)
    };
    for (nonce, claimed) in ledger.nonces().filter(|(_, claimed)| claimed.expires > now) {
        write(&|to| to.claimed(&nonce, claimed))?;
    }
    for (subject, quota, idle_at, tally) in ledger.tallies().filter(|(_, _, idle_at, _)| *idle_at > now) {
        write(&|to| to.counted(subject, quota, idle_at, tally))?;
    }
    write(&|to| to.sealed())?;
    Ok(length)
}

fn rewrite_at(base_bytes: u64) -> u64 {
    (2 * base_bytes).max(LOG_BYTES_MIN)
}

pub(crate) fn unavailable(error: io::Error) -> StoreError {
    StoreError::Unavailable(format!("it cannot be written: {error}"))
}

impl LocalStore for EmbeddedStore {
    fn claim(&self, nonce: &NonceId, retain: Duration, hold: Option<Hold>) -> Result<Claim, StoreError> {
        self.with(|inner, now| inner.claim(now, nonce, retain, hold))
    }

    fn renew(&self, nonce: &NonceId, holder: Holder) -> Result<(), StoreError> {
        self.with(|inner, now| inner.renew(now, nonce, holder))
    }

    fn confirm(&self, nonce: &NonceId, holder: Holder) -> Result<(), StoreError> {
        self.with(|inner, now| inner.confirm(now, nonce, holder))
    }

    fn release(&self, nonce: &NonceId, holder: Holder) -> Result<(), StoreError> {
        self.with(|inner, now| inner.release(now, nonce, holder))
    }

    fn take(&self, subject: &Arc<str>, draws: &[Draw], cost: u32) -> Result<Take, StoreError> {
        self.with(|inner, now| inner.take(now, subject, draws, cost))
    }

    fn give_back(&self, subject: &Arc<str>, draw: &Draw, cost: u32, at: Duration) -> Result<(), StoreError> {
        self.with(|inner, now| inner.give_back(now, subject, draw, cost, at))
    }

    fn list(&self, space: &str, most: usize) -> Result<Vec<Listed>, StoreError> {
        self.with(|inner, now| Ok(inner.ledger.list(now, space, most)))
    }

    fn forget(&self, space: &str, digest: &[u8; 32]) -> Result<bool, StoreError> {
        self.with(|inner, now| inner.forget(now, space, digest))
    }

    fn lost_at(&self) -> Option<Duration> {
        self.shared.lost_at
    }

    fn room(&self) -> Option<MemoryLimits> {
        Some(self.shared.limits)
    }
}
