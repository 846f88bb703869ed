//! Whom a quota counts against, as stores keep it.

use sha2::{Digest, Sha256};
use std::fmt;

/// Half a SHA-256 of a subject. Subjects name people and may be long: what a
/// store keeps of one has one size, and no name in it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubjectId(pub [u8; 16]);

impl SubjectId {
    /// The id of `subject`.
    pub fn of(subject: &str) -> Self {
        let digest: [u8; 32] = Sha256::digest(subject.as_bytes()).into();
        let (half, _) = digest.split_first_chunk().unwrap_or((&[0; 16], &[]));
        Self(*half)
    }
}

impl fmt::Debug for SubjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        crate::write_hex::<32>(f, &self.0)
    }
}
