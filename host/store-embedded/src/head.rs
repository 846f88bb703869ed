//! The head: which files the store is made of, and how long the last is.
//!
//! It witnesses what was acknowledged, apart from the log: a log that is shorter
//! than its head says has lost something. It is written in place, into two
//! slots by turns, so that a torn write leaves the one before.

use crate::record::nanos;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::time::Duration;

const MAGIC: &[u8; 8] = b"barmkin1";

/// Slots are in sectors of their own.
const SLOT_BYTES: usize = 512;

/// Two slots.
pub(crate) const HEAD_BYTES: usize = 2 * SLOT_BYTES;

/// The contents of the head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// Counts the writes: the higher slot is the later one.
    pub(crate) turn: u64,
    /// The file with the state up to and with the log of this number; 0 for none.
    pub(crate) base: u64,
    /// The log that is written.
    pub(crate) active: u64,
    /// Bytes of it that were acknowledged.
    pub(crate) length: u64,
    /// When what was remembered was lost, if it was.
    pub(crate) lost_at: Option<Duration>,
}

impl Head {
    /// The later of the two slots that can be read.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        if bytes.len() != HEAD_BYTES {
            return None;
        }
        bytes.chunks(SLOT_BYTES).filter_map(Self::decode).max_by_key(|head| head.turn)
    }

    /// Writes the next turn.
    pub(crate) fn write(&mut self, file: &File) -> io::Result<()> {
        let next = Self { turn: self.turn + 1, ..*self };
        let slot = next.turn % 2 * SLOT_BYTES as u64;
        file.write_all_at(&next.encode(), slot)?;
        *self = next;
        Ok(())
    }

    /// Both slots of a new file.
    pub(crate) fn create(&self) -> Vec<u8> {
        let mut bytes = vec![0; HEAD_BYTES];
        for slot in bytes.chunks_mut(SLOT_BYTES) {
            let encoded = self.encode();
            slot.iter_mut().zip(encoded).for_each(|(to, from)| *to = from);
        }
        bytes
    }

    fn encode(&self) -> Vec<u8> {
        let lost_at = self.lost_at.map_or(0, nanos);
        let mut bytes = MAGIC.to_vec();
        for number in [self.turn, self.base, self.active, self.length, lost_at] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        bytes.extend_from_slice(&crc32fast::hash(&bytes).to_le_bytes());
        bytes
    }

    fn decode(slot: &[u8]) -> Option<Self> {
        let (bytes, rest) = slot.split_at_checked(MAGIC.len() + 5 * 8)?;
        let sum = u32::from_le_bytes(*rest.first_chunk()?);
        if crc32fast::hash(bytes) != sum || !bytes.starts_with(MAGIC) {
            return None;
        }
        let mut numbers = bytes.get(MAGIC.len()..)?.as_chunks().0.iter().map(|number| u64::from_le_bytes(*number));
        let [turn, base, active, length, lost_at] = std::array::from_fn(|_| numbers.next().unwrap_or_default());
        let lost_at = (lost_at > 0).then(|| Duration::from_nanos(lost_at));
        Some(Self { turn, base, active, length, lost_at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_slot_leaves_the_one_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("head");
        let mut head = Head { turn: 0, base: 1, active: 2, length: 3, lost_at: Some(Duration::from_secs(4)) };
        std::fs::write(&path, head.create()).unwrap();
        let file = File::options().write(true).open(&path).unwrap();
        for length in [10, 20, 30] {
            let before = head;
            head.length = length;
            head.write(&file).unwrap();
            let mut bytes = std::fs::read(&path).unwrap();
            assert_eq!(Head::read(&bytes), Some(head));
            bytes[usize::try_from(head.turn % 2).unwrap() * SLOT_BYTES + 30] ^= 1;
            assert_eq!(Head::read(&bytes), Some(before));
            assert_eq!(Head::read(&bytes[1..]), None);
        }
    }
}
