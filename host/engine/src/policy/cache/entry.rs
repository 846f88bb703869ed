//! An entry as it is written: its key, what was configured, and the code, all
//! under one checksum.

use crate::policy::component::CONTRACT_DIGEST;
use crate::policy::manifest::Manifest;
use crate::policy::written::Written;
use crate::verdict::Digest;
use sha2::{Digest as _, Sha256};
use std::hash::{Hash, Hasher};
use wasmtime::Engine;

/// Of entries, and of what `renewal` makes of a component: another version of
/// either finds none of them.
const FORMAT: &[u8] = b"5";

/// The first bytes of an entry.
const MAGIC: &[u8; 8] = b"barmkin\0";

/// Bytes of a manifest as it is written.
const MANIFEST_BYTES_MAX: usize = 1024 * 1024;

/// Everything that an entry depends on. It stands in the entry, too, so that
/// one that lies under another's name is not taken for it.
pub(crate) struct Key(Vec<u8>);

impl Key {
    pub(crate) fn new(engine: &Engine, component: Digest, settings: &str, memory_bytes: usize) -> Self {
        let mut settings_of_engine = Sha256Hasher(Sha256::new());
        engine.precompile_compatibility_hash().hash(&mut settings_of_engine);
        let mut key = Vec::new();
        for part in [
            FORMAT,
            env!("CARGO_PKG_VERSION").as_bytes(),
            WASMTIME.as_bytes(),
            &settings_of_engine.0.finalize(),
            &*CONTRACT_DIGEST,
            &component.0,
            &u64::try_from(memory_bytes).unwrap_or(u64::MAX).to_le_bytes(),
            settings.as_bytes(),
        ] {
            put(&mut key, part);
        }
        Self(key)
    }

    /// Names the entry in its folder.
    pub(crate) fn digest(&self) -> Digest {
        Digest(Sha256::digest(&self.0).into())
    }
}

/// The runtime's version. That it is this one, the tests compare with the lock
/// file.
const WASMTIME: &str = "48.0.8";

/// The contents of an entry, whose code has not been looked at yet.
pub(super) struct Contents<'e> {
    pub(super) manifest: Manifest,
    pub(super) memory_bytes: usize,
    pub(super) not_renewed: Option<String>,
    pub(super) code: &'e [u8],
}

/// An entry that is not what was written, or not of the key.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotAnEntry {
    #[error("its checksum does not match its contents")]
    Damaged,
    #[error("it was made of something else")]
    OfAnother,
    #[error("it is not in the format of this version")]
    Malformed,
}

/// Writes an entry.
pub(super) fn write(
    key: &Key,
    manifest: &Manifest,
    memory_bytes: usize,
    not_renewed: Option<&str>,
    code: &[u8],
) -> std::io::Result<Vec<u8>> {
    let manifest = serde_json::to_vec(&Written::from(manifest))?;
    if manifest.len() > MANIFEST_BYTES_MAX {
        return Err(std::io::Error::other("its manifest is too long"));
    }
    let mut rest = Vec::with_capacity(key.0.len() + manifest.len() + code.len() + 64);
    put(&mut rest, &key.0);
    put(&mut rest, &manifest);
    put(&mut rest, &u64::try_from(memory_bytes).unwrap_or(u64::MAX).to_le_bytes());
    // Nothing, where they are renewed.
    put(&mut rest, not_renewed.unwrap_or_default().as_bytes());
    put(&mut rest, code);
    let mut entry = MAGIC.to_vec();
    entry.extend_from_slice(&Sha256::digest(&rest));
    entry.append(&mut rest);
    Ok(entry)
}

/// Reads an entry of `key`. Nothing of it is looked at before its checksum is
/// right: a page of zeros in machine code is machine code.
pub(super) fn read<'e>(key: &Key, entry: &'e [u8]) -> Result<Contents<'e>, NotAnEntry> {
    let rest = entry.strip_prefix(MAGIC).ok_or(NotAnEntry::Malformed)?;
    let (checksum, mut rest) = rest.split_first_chunk::<32>().ok_or(NotAnEntry::Malformed)?;
    if Sha256::digest(rest)[..] != checksum[..] {
        return Err(NotAnEntry::Damaged);
    }
    let mut next = || take(&mut rest).ok_or(NotAnEntry::Malformed);
    if next()? != key.0 {
        return Err(NotAnEntry::OfAnother);
    }
    let manifest = serde_json::from_slice::<Written>(next()?).ok().and_then(Written::into_manifest);
    let memory_bytes = next()?.try_into().map(u64::from_le_bytes).ok().and_then(|bytes| usize::try_from(bytes).ok());
    let not_renewed = str::from_utf8(next()?).map_err(|_| NotAnEntry::Malformed)?;
    let not_renewed = (!not_renewed.is_empty()).then(|| not_renewed.to_owned());
    let code = next()?;
    match (manifest, memory_bytes) {
        (Some(manifest), Some(memory_bytes)) if rest.is_empty() => {
            Ok(Contents { manifest, memory_bytes, not_renewed, code })
        }
        _ => Err(NotAnEntry::Malformed),
    }
}

fn put(bytes: &mut Vec<u8>, part: &[u8]) {
    bytes.extend_from_slice(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
    bytes.extend_from_slice(part);
}

fn take<'b>(bytes: &mut &'b [u8]) -> Option<&'b [u8]> {
    let (length, rest) = bytes.split_first_chunk()?;
    let (part, rest) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
    *bytes = rest;
    Some(part)
}

/// Has whatever can be hashed go into SHA-256.
struct Sha256Hasher(Sha256);

impl Hasher for Sha256Hasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let digest = self.0.clone().finalize();
        digest.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::WASMTIME;

    #[test]
    fn the_key_names_the_runtime_that_is_locked() {
        let lock = include_str!("../../../../../Cargo.lock");
        let expected = format!("name = \"wasmtime\"\nversion = \"{WASMTIME}\"\n");
        assert!(lock.replace("\r\n", "\n").contains(&expected));
    }
}
