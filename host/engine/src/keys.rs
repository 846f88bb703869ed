//! Keys stay here; policies name them.

use crate::limits::{HASH_NS_PER_KIB, PUBLIC_KEY_CANDIDATES, SECRETS_MAX, SHA512_NS_PER_KIB};
use crate::pieces::{Breaks, in_pieces};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use ed25519_dalek::{Signature, VerifyingKey};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Sha256, Sha512};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use subtle::ConstantTimeEq;

/// The algorithm that a key is for. A key has exactly one, so that keys cannot
/// be confused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// RFC 2104 with SHA-1.
    HmacSha1,
    /// RFC 2104 with SHA-256.
    HmacSha256,
    /// RFC 2104 with SHA-512.
    HmacSha512,
    /// RFC 8032; the secret is the 32-byte public key.
    Ed25519,
    /// HMAC-SHA256 for looking up credentials of which only hashes are kept.
    KeyedHashSha256,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::HmacSha1, Self::HmacSha256, Self::HmacSha512, Self::Ed25519, Self::KeyedHashSha256];

    /// Whether what verifies with it cannot sign.
    pub(crate) const fn is_public_key(self) -> bool {
        matches!(self, Self::Ed25519)
    }

    /// Nanoseconds for a KiB that is hashed for it.
    pub(crate) const fn hash_ns_per_kib(self) -> u64 {
        match self {
            Self::HmacSha1 | Self::HmacSha256 | Self::KeyedHashSha256 => HASH_NS_PER_KIB,
            Self::HmacSha512 | Self::Ed25519 => SHA512_NS_PER_KIB,
        }
    }

    /// Its name in configurations.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HmacSha1 => "hmac-sha1",
            Self::HmacSha256 => "hmac-sha256",
            Self::HmacSha512 => "hmac-sha512",
            Self::Ed25519 => "ed25519",
            Self::KeyedHashSha256 => "keyed-hash-sha256",
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How a signature is written. Only the canonical text is a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// RFC 4648 section 8, in lower case.
    Hex,
    /// RFC 4648 section 4, with padding.
    Base64,
    /// RFC 4648 section 5, without padding.
    Base64Url,
}

impl Encoding {
    fn encode(self, bytes: &[u8]) -> String {
        match self {
            Self::Hex => hex::encode(bytes),
            Self::Base64 => BASE64_STANDARD.encode(bytes),
            Self::Base64Url => BASE64_URL_SAFE_NO_PAD.encode(bytes),
        }
    }

    /// Whether `text` is how `mac` is written, in constant time.
    fn writes(self, mac: &[u8], text: &str) -> bool {
        // The longest: a MAC of 64 bytes in hexadecimal digits.
        let mut written = [0; 128];
        let bytes = match self {
            Self::Hex => hex::encode_to_slice(mac, written.get_mut(..2 * mac.len()).unwrap_or_default())
                .ok()
                .map(|()| 2 * mac.len()),
            Self::Base64 => BASE64_STANDARD.encode_slice(mac, &mut written).ok(),
            Self::Base64Url => BASE64_URL_SAFE_NO_PAD.encode_slice(mac, &mut written).ok(),
        };
        let written = bytes.and_then(|bytes| written.get(..bytes));
        written.is_some_and(|written| written.ct_eq(text.as_bytes()).into())
    }

    fn decode(self, text: &str) -> Option<Vec<u8>> {
        let bytes = match self {
            Self::Hex => hex::decode(text).ok(),
            Self::Base64 => BASE64_STANDARD.decode(text).ok(),
            Self::Base64Url => BASE64_URL_SAFE_NO_PAD.decode(text).ok(),
        }?;
        (self.encode(&bytes) == text).then_some(bytes)
    }
}

/// A signature that a request carries.
pub(crate) struct Candidate<'a> {
    pub(crate) algorithm: Algorithm,
    pub(crate) encoding: Encoding,
    pub(crate) text: &'a str,
}

/// Why nothing was verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Mismatch,
    NoCandidate,
    NoUsableKey,
}

/// A secret that cannot be used. The operator must act.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Anybody can sign with the empty key.
    #[error("secret `{id}` is empty")]
    Empty {
        /// Which.
        id: String,
    },
    /// Not a public key of the algorithm.
    #[error("secret `{id}` is not a public key for {algorithm}")]
    Malformed {
        /// Which.
        id: String,
        /// The algorithm that it should be for.
        algorithm: Algorithm,
    },
    /// Each secret in force costs a MAC of the body.
    #[error("a key has at most {SECRETS_MAX} secrets")]
    TooMany,
    /// The source has no key of that name.
    #[error("there is no key `{0}`")]
    Unknown(String),
    /// The source could not read it.
    #[error("key `{name}` cannot be read: {problem}")]
    Unreadable {
        /// Which.
        name: String,
        /// Why, without the secret.
        problem: String,
    },
}

/// Where keys come from. Asked when a generation is built.
pub trait KeySource: Send + Sync {
    /// The key `name`.
    ///
    /// # Errors
    /// [`KeyError`] when there is none, or it cannot be used.
    fn key(&self, name: &str) -> Result<Key, KeyError>;
}

/// Keys given by the embedder.
#[derive(Clone, Debug, Default)]
pub struct KeyRing(std::collections::BTreeMap<String, Key>);

impl KeyRing {
    /// Adds `key` under `name`.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, key: Key) -> Self {
        self.0.insert(name.into(), key);
        self
    }

    /// The key `name`.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Key> {
        self.0.get_mut(name)
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Key)> {
        self.0.iter().map(|(name, key)| (name.as_str(), key))
    }
}

impl KeySource for KeyRing {
    fn key(&self, name: &str) -> Result<Key, KeyError> {
        self.0.get(name).cloned().ok_or_else(|| KeyError::Unknown(name.to_owned()))
    }
}

/// A key: an algorithm, and the secrets that are in force, newest first.
#[derive(Clone)]
pub struct Key {
    algorithm: Algorithm,
    secrets: Vec<Secret>,
}

impl fmt::Debug for Key {
    /// Never the secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<_> = self.secrets.iter().map(|secret| &*secret.id).collect();
        f.debug_struct("Key").field("algorithm", &self.algorithm).field("secrets", &ids).finish()
    }
}

#[derive(Clone)]
struct Secret {
    id: Arc<str>,
    until: Option<Duration>,
    material: Material,
}

/// The key schedule: the secret itself is not kept.
#[derive(Clone)]
enum Material {
    HmacSha1(Hmac<Sha1>),
    HmacSha256(Hmac<Sha256>),
    HmacSha512(Box<Hmac<Sha512>>),
    Ed25519(Box<VerifyingKey>),
}

impl Key {
    /// A key with no secret yet: it verifies nothing.
    pub fn new(algorithm: Algorithm) -> Self {
        Self { algorithm, secrets: Vec::new() }
    }

    /// The algorithm that it is for.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Adds a secret after the ones it has. `until`, time since 1970, ends its
    /// use; the host looks at it on every request.
    ///
    /// # Errors
    /// [`KeyError`] when the secret is empty or malformed, or one too many.
    pub fn with_secret(mut self, id: &str, secret: &[u8], until: Option<Duration>) -> Result<Self, KeyError> {
        if secret.is_empty() {
            return Err(KeyError::Empty { id: id.to_owned() });
        }
        if self.secrets.len() == SECRETS_MAX {
            return Err(KeyError::TooMany);
        }
        let material = Material::new(self.algorithm, secret)
            .ok_or_else(|| KeyError::Malformed { id: id.to_owned(), algorithm: self.algorithm })?;
        self.secrets.push(Secret { id: id.into(), until, material });
        Ok(self)
    }

    /// Takes a secret away.
    pub fn withdraw(&mut self, id: &str) {
        self.secrets.retain(|secret| *secret.id != *id);
    }

    /// Ends the use of a secret at `until` (time since 1970) if it does not
    /// end before: an end is never put off.
    pub fn end(&mut self, id: &str, until: Duration) {
        for secret in self.secrets.iter_mut().filter(|secret| *secret.id == *id) {
            secret.until = Some(secret.until.map_or(until, |before| before.min(until)));
        }
    }

    /// Ids of the secrets, newest first.
    pub fn secret_ids(&self) -> impl Iterator<Item = &str> {
        self.secrets.iter().map(|secret| &*secret.id)
    }

    /// The hash under which a credential is kept: under the newest secret.
    /// `None` if the key has none, or is for signatures.
    pub fn hash_to_keep(&self, credential: &[u8]) -> Option<Vec<u8>> {
        let newest = self.secrets.first().filter(|_| self.algorithm == Algorithm::KeyedHashSha256)?;
        newest.material.mac(credential)
    }

    /// Looks for a candidate that signs `parts` under a secret in force, and
    /// names that secret.
    pub(crate) async fn verify(
        &self,
        parts: &[&[u8]],
        candidates: &[Candidate<'_>],
        now: Duration,
        breaks: Breaks,
    ) -> Result<Arc<str>, Refusal> {
        if self.in_force(now).next().is_none() {
            return Err(Refusal::NoUsableKey);
        }
        let candidates: Vec<_> = self.tried(candidates, now).collect();
        if candidates.is_empty() {
            return Err(Refusal::NoCandidate);
        }
        for secret in self.in_force(now) {
            if secret.material.verifies(parts, &candidates, breaks).await {
                return Ok(secret.id.clone());
            }
        }
        Err(Refusal::Mismatch)
    }

    /// How often verifying `candidates` hashes the base at most.
    pub(crate) fn hashings(&self, candidates: &[Candidate<'_>], now: Duration) -> usize {
        let tried = self.tried(candidates, now).count();
        self.in_force(now).count() * if self.algorithm.is_public_key() { tried } else { tried.min(1) }
    }

    /// The candidates that are looked at. An HMAC is computed once and compared
    /// with all of them; a public key hashes everything again for each.
    fn tried<'c>(
        &self,
        candidates: &'c [Candidate<'c>],
        now: Duration,
    ) -> impl Iterator<Item = &'c Candidate<'c>> + use<'c> {
        let max = if self.algorithm.is_public_key() {
            self.in_force(now).count().max(PUBLIC_KEY_CANDIDATES)
        } else {
            candidates.len()
        };
        let algorithm = self.algorithm;
        candidates.iter().filter(move |candidate| candidate.algorithm == algorithm).take(max)
    }

    /// The hash of `data` under each secret in force.
    pub(crate) fn keyed_hashes(&self, data: &[u8], now: Duration) -> Vec<Vec<u8>> {
        self.in_force(now).filter_map(|secret| secret.material.mac(data)).collect()
    }

    /// Their ids.
    pub(crate) fn ids_in_force(&self, now: Duration) -> impl Iterator<Item = &str> {
        self.in_force(now).map(|secret| &*secret.id)
    }

    /// Secrets that are in force.
    pub(crate) fn in_force_count(&self, now: Duration) -> usize {
        self.in_force(now).count()
    }

    fn in_force(&self, now: Duration) -> impl Iterator<Item = &Secret> {
        self.secrets.iter().filter(move |secret| secret.until.is_none_or(|until| now < until))
    }
}

impl Material {
    fn new(algorithm: Algorithm, secret: &[u8]) -> Option<Self> {
        Some(match algorithm {
            Algorithm::HmacSha1 => Self::HmacSha1(Hmac::new_from_slice(secret).ok()?),
            Algorithm::HmacSha256 | Algorithm::KeyedHashSha256 => Self::HmacSha256(Hmac::new_from_slice(secret).ok()?),
            Algorithm::HmacSha512 => Self::HmacSha512(Box::new(Hmac::new_from_slice(secret).ok()?)),
            Algorithm::Ed25519 => Self::Ed25519(Box::new(VerifyingKey::from_bytes(secret.try_into().ok()?).ok()?)),
        })
    }

    async fn verifies(&self, parts: &[&[u8]], candidates: &[&Candidate<'_>], breaks: Breaks) -> bool {
        match self {
            Self::HmacSha1(schedule) => signs(schedule, parts, candidates, breaks).await,
            Self::HmacSha256(schedule) => signs(schedule, parts, candidates, breaks).await,
            Self::HmacSha512(schedule) => signs(&**schedule, parts, candidates, breaks).await,
            Self::Ed25519(key) => {
                for candidate in candidates {
                    if verify_strict(key, parts, candidate, breaks).await.is_some() {
                        return true;
                    }
                }
                false
            }
        }
    }

    /// The MAC of `data`; a public key makes none.
    fn mac(&self, data: &[u8]) -> Option<Vec<u8>> {
        fn run<M: Mac + Clone>(schedule: &M, data: &[u8]) -> Vec<u8> {
            schedule.clone().chain_update(data).finalize().into_bytes().to_vec()
        }
        match self {
            Self::HmacSha1(schedule) => Some(run(schedule, data)),
            Self::HmacSha256(schedule) => Some(run(schedule, data)),
            Self::HmacSha512(schedule) => Some(run(&**schedule, data)),
            Self::Ed25519(_) => None,
        }
    }
}

/// Whether some candidate is the MAC of `parts`.
async fn signs<M: Mac + Clone>(schedule: &M, parts: &[&[u8]], candidates: &[&Candidate<'_>], breaks: Breaks) -> bool {
    let mut mac = schedule.clone();
    for part in parts {
        in_pieces(part, breaks, |piece| mac.update(piece)).await;
    }
    let mac = mac.finalize().into_bytes();
    candidates.iter().any(|candidate| candidate.encoding.writes(&mac, candidate.text))
}

/// RFC 8032 section 5.1.7, and neither the key nor the signature's point of
/// small order: such verify more than one message.
async fn verify_strict(key: &VerifyingKey, parts: &[&[u8]], candidate: &Candidate<'_>, breaks: Breaks) -> Option<()> {
    let signature = Signature::from_slice(&candidate.encoding.decode(candidate.text)?).ok()?;
    let point = VerifyingKey::from_bytes(signature.r_bytes()).ok()?;
    if point.is_weak() || key.is_weak() {
        return None;
    }
    let mut verifier = key.verify_stream(&signature).ok()?;
    for part in parts {
        in_pieces(part, breaks, |piece| verifier.update(piece)).await;
    }
    verifier.finalize_and_verify().ok()
}
