//! Reads back what a store wrote down.

use crate::head::Head;
use crate::log::Folder;
use crate::record::{self, Place, Record};
use barmkin_host::Ledger;
use std::io;
use std::time::Duration;

/// What was read.
#[derive(Debug)]
pub(crate) struct Recovered {
    pub(crate) ledger: Ledger,
    /// The store's time when the last record was written.
    pub(crate) now: Duration,
    /// Bytes of the last log that are whole.
    pub(crate) end: u64,
    /// Bytes of the logs, and of the base.
    pub(crate) log_bytes: u64,
    pub(crate) base_bytes: u64,
    /// What is missing, if anything is.
    pub(crate) damage: Option<String>,
}

/// Reads what `head` names, as far as it can be read.
pub(crate) fn recover(folder: &Folder, head: &Head, ledger: Ledger) -> io::Result<Recovered> {
    let mut recovered = Recovered { ledger, now: Duration::ZERO, end: 0, log_bytes: 0, base_bytes: 0, damage: None };
    if head.base > 0 {
        let read = recovered.read(folder, &folder.base(head.base), head.base)?;
        recovered.base_bytes = read.bytes;
        recovered.check(read.sealed, || format!("`{}.base` is not whole", head.base));
    }
    for number in head.base + 1..=head.active {
        let read = recovered.read(folder, &folder.log(number), number)?;
        recovered.log_bytes += read.bytes;
        recovered.end = read.bytes;
        if number < head.active {
            recovered.check(read.sealed, || format!("`{number}.log` is not whole"));
        } else {
            recovered.check(read.bytes >= head.length, || {
                format!("`{number}.log` can be read to byte {}, but had {}", read.bytes, head.length)
            });
        }
    }
    // Whoever held a claim is gone: it counts as used.
    recovered.ledger.end_holds();
    Ok(recovered)
}

/// How far a file could be read.
struct Read {
    bytes: u64,
    /// Whether its last record says that it is complete.
    sealed: bool,
}

impl Recovered {
    fn check(&mut self, holds: bool, damage: impl FnOnce() -> String) {
        if !holds {
            self.damage.get_or_insert_with(damage);
        }
    }

    fn read(&mut self, folder: &Folder, path: &std::path::Path, number: u64) -> io::Result<Read> {
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.check(false, || format!("`{}` is missing from `{}`", path.display(), folder.0.display()));
                Vec::new()
            }
            Err(error) => return Err(error),
        };
        let mut read = Read { bytes: 0, sealed: false };
        let mut rest = &bytes[..];
        while let Some((record, now, length)) = record::read(rest, Place { file: number, offset: read.bytes }) {
            self.now = self.now.max(now);
            read.sealed = record == Record::Sealed;
            self.apply(record, now);
            read.bytes += length as u64;
            rest = rest.get(length..).unwrap_or_default();
        }
        // A base or a sealed log has nothing behind its seal.
        read.sealed &= rest.is_empty();
        Ok(read)
    }

    fn apply(&mut self, record: Record, now: Duration) {
        match record {
            Record::Claimed { nonce, claimed } => self.ledger.restore_nonce(nonce, claimed),
            Record::Confirmed { nonce, holder } => self.ledger.confirm(&nonce, holder),
            Record::Released { nonce, holder } => self.ledger.release(&nonce, holder),
            Record::Took { subject, draws, cost } => self.ledger.count(now, &subject, &draws, cost),
            Record::GaveBack { subject, draw, cost, at } => self.ledger.give_back(now, &subject, &draw, cost, at),
            Record::Counted { subject, quota, idle_at, tally } => {
                self.ledger.restore_tally(&subject, quota, idle_at, tally);
            }
            Record::Sealed => {}
        }
    }
}
