//! Reads back what a store wrote down.

use crate::head::Head;
use crate::log::Folder;
use crate::record::{self, FRAMED_BYTES_MAX, Place, Record};
use barmkin_host::Ledger;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::time::Duration;

/// Bytes that are read at once.
const READ_BYTES: u64 = 1 << 20;

/// The state that was read.
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
    /// The damage, if anything is missing.
    pub(crate) damage: Option<String>,
    /// Whether there are subjects in clear among it.
    pub(crate) names_somebody: bool,
}

/// Reads what `head` names, as far as it can be read.
pub(crate) fn recover(folder: &Folder, head: &Head, ledger: Ledger) -> io::Result<Recovered> {
    let mut recovered = replay(folder, head.base, head.active.saturating_sub(1), ledger)?;
    if head.active > head.base {
        let number = head.active;
        let read = recovered.read(folder, &folder.log(number), number)?;
        recovered.log_bytes += read.bytes;
        recovered.end = read.bytes;
        recovered.check(read.bytes >= head.length, || {
            format!("`{number}.log` can be read to byte {}, but had {}", read.bytes, head.length)
        });
    }
    recovered.ledger.use_up_held();
    Ok(recovered)
}

/// Reads the base and the logs behind it up to `last`, all of which are
/// complete: the state at the end of that.
pub(crate) fn replay(folder: &Folder, base: u64, last: u64, ledger: Ledger) -> io::Result<Recovered> {
    let mut recovered = Recovered {
        ledger,
        now: Duration::ZERO,
        end: 0,
        log_bytes: 0,
        base_bytes: 0,
        damage: None,
        names_somebody: false,
    };
    if base > 0 {
        let read = recovered.read(folder, &folder.base(base), base)?;
        recovered.base_bytes = read.bytes;
        recovered.check(read.sealed, || format!("`{base}.base` is not whole"));
    }
    for number in base + 1..=last {
        let read = recovered.read(folder, &folder.log(number), number)?;
        recovered.log_bytes += read.bytes;
        recovered.check(read.sealed, || format!("`{number}.log` is not whole"));
    }
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

    fn read(&mut self, folder: &Folder, path: &Path, number: u64) -> io::Result<Read> {
        let mut read = Read { bytes: 0, sealed: false };
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.check(false, || format!("`{}` is missing from `{}`", path.display(), folder.0.display()));
                return Ok(read);
            }
            Err(error) => return Err(error),
        };
        let (mut bytes, mut begin) = (Vec::new(), 0);
        loop {
            let rest = bytes.get(begin..).unwrap_or_default();
            if let Some(framed) = record::read(rest, Place { file: number, offset: read.bytes }) {
                self.now = self.now.max(framed.now);
                self.names_somebody |= framed.names_somebody;
                read.sealed = framed.record == Record::Sealed;
                self.apply(framed.record, framed.now);
                read.bytes += framed.length as u64;
                begin += framed.length;
                continue;
            }
            // A whole record would be here: this is none.
            if rest.len() >= FRAMED_BYTES_MAX {
                break;
            }
            bytes.drain(..begin);
            begin = 0;
            if file.by_ref().take(READ_BYTES).read_to_end(&mut bytes)? == 0 {
                break;
            }
        }
        // A base or a sealed log has nothing behind its seal.
        read.sealed &= bytes.len() == begin;
        Ok(read)
    }

    fn apply(&mut self, record: Record, now: Duration) {
        match record {
            Record::Claimed { nonce, claimed } => self.ledger.restore_nonce(&nonce, claimed),
            Record::Renewed { nonce, holder } => self.ledger.renew(now, &nonce, holder),
            Record::Confirmed { nonce, holder } => self.ledger.confirm(&nonce, holder),
            Record::Released { nonce, holder } => self.ledger.release(&nonce, holder),
            Record::Forgotten { nonce } => self.ledger.remove_nonce(&nonce),
            Record::Took { subject, draws, cost } => self.ledger.count(now, subject, &draws, cost),
            Record::GaveBack { subject, draw, cost, at } => self.ledger.give_back(now, subject, &draw, cost, at),
            Record::Counted { subject, quota, idle_at, tally } => {
                self.ledger.restore_tally(subject, &quota.into(), idle_at, tally);
            }
            Record::Sealed => {}
        }
    }
}
