use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ed25519_dalek::{Signature, VerifyingKey};
use hmac::{Hmac, KeyInit, Mac};

use crate::types::{Algorithm, Candidate, Encoding, Refusal, Verified};

/// One secret of a key.
#[derive(Clone, Debug)]
pub struct Secret {
    id: String,
    bytes: Vec<u8>,
}

impl Secret {
    /// A secret by its id and its bytes; for Ed25519 the 32 of the public key.
    #[must_use]
    pub fn new(id: &str, bytes: impl Into<Vec<u8>>) -> Self {
        Self { id: id.to_owned(), bytes: bytes.into() }
    }
}

/// A key of the operator: an algorithm, and secrets from the newest to the
/// oldest. An empty secret is never in force.
#[derive(Clone, Debug)]
pub struct TestKey {
    pub(super) algorithm: Algorithm,
    secrets: Vec<Secret>,
}

impl TestKey {
    /// A key.
    #[must_use]
    pub fn new(algorithm: Algorithm, secrets: impl IntoIterator<Item = Secret>) -> Self {
        let secrets = secrets.into_iter().filter(|secret| !secret.bytes.is_empty()).collect();
        Self { algorithm, secrets }
    }

    pub(super) fn verify(&self, base: &[u8], candidates: &[Candidate<'_>]) -> Result<Verified, Refusal> {
        if self.secrets.is_empty() {
            return Err(Refusal::NoUsableKey);
        }
        let candidates: Vec<_> = candidates.iter().filter(|candidate| candidate.algorithm == self.algorithm).collect();
        if candidates.is_empty() {
            return Err(Refusal::NoCandidate);
        }
        let signed_by = |secret: &&Secret| {
            candidates.iter().any(|candidate| {
                decode(candidate).is_some_and(|signature| self.signed(&secret.bytes, base, &signature))
            })
        };
        match self.secrets.iter().find(signed_by) {
            Some(secret) => Ok(Verified { key_id: secret.id.clone() }),
            None => Err(Refusal::Mismatch),
        }
    }

    pub(super) fn keyed_hash(&self, data: &[u8]) -> Vec<Vec<u8>> {
        self.secrets.iter().filter_map(|secret| mac::<Hmac<sha2::Sha256>>(&secret.bytes, data)).collect()
    }

    fn signed(&self, secret: &[u8], base: &[u8], signature: &[u8]) -> bool {
        let expected = match self.algorithm {
            Algorithm::HmacSha1 => mac::<Hmac<sha1::Sha1>>(secret, base),
            Algorithm::HmacSha256 => mac::<Hmac<sha2::Sha256>>(secret, base),
            Algorithm::HmacSha512 => mac::<Hmac<sha2::Sha512>>(secret, base),
            Algorithm::Ed25519 => return signed_by_ed25519(secret, base, signature),
            Algorithm::KeyedHashSha256 => None,
        };
        expected.is_some_and(|expected| expected == signature)
    }
}

fn mac<M: Mac + KeyInit>(secret: &[u8], data: &[u8]) -> Option<Vec<u8>> {
    let mut mac = <M as KeyInit>::new_from_slice(secret).ok()?;
    mac.update(data);
    Some(mac.finalize().into_bytes().to_vec())
}

fn signed_by_ed25519(public_key: &[u8], base: &[u8], signature: &[u8]) -> bool {
    let key = public_key.try_into().ok().and_then(|bytes| VerifyingKey::from_bytes(bytes).ok());
    let signature = Signature::from_slice(signature).ok();
    key.zip(signature).is_some_and(|(key, signature)| key.verify_strict(base, &signature).is_ok())
}

/// The bytes of a signature, if its text is exactly what encoding them gives.
fn decode(candidate: &Candidate<'_>) -> Option<Vec<u8>> {
    let text = candidate.text;
    let bytes = match candidate.encoding {
        Encoding::Hex => hex::decode(text).ok()?,
        Encoding::Base64 => STANDARD.decode(text).ok()?,
        Encoding::Base64url => URL_SAFE_NO_PAD.decode(text).ok()?,
    };
    let canonical = match candidate.encoding {
        Encoding::Hex => hex::encode(&bytes),
        Encoding::Base64 => STANDARD.encode(&bytes),
        Encoding::Base64url => URL_SAFE_NO_PAD.encode(&bytes),
    };
    (canonical == text).then_some(bytes)
}
