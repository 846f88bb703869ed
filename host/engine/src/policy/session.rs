//! One request on its way through a chain: what is decided, and what the
//! policies before established.

use crate::effects::Journal;
use crate::pieces::{Breaks, in_pieces};
use crate::policy::manifest::DigestAlgorithm;
use crate::principal::{Facts, Principal};
use crate::request::{Body, Request};
use crate::store::Pot;
use bytes::Bytes;
use sha2::{Digest, Sha256, Sha512};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// The request that a chain decides, and when.
#[derive(Debug)]
pub(crate) struct Subject {
    pub(crate) request: Request,
    pub(crate) body: Body,
    /// Time since 1970: one reading for the whole chain.
    pub(crate) now: Duration,
    pub(crate) route: Arc<str>,
    /// Digests of the body, each computed once for the whole chain.
    pub(crate) digests: BodyDigests,
}

impl BodyDigests {
    /// Computes those that `wanted` names and that are not there yet.
    pub(super) async fn prepare(&self, body: &[u8], wanted: &[DigestAlgorithm]) {
        for algorithm in wanted {
            match algorithm {
                DigestAlgorithm::Sha256 => fill::<Sha256>(&self.sha256, body).await,
                DigestAlgorithm::Sha512 => fill::<Sha512>(&self.sha512, body).await,
            }
        }
    }

    /// One that was prepared.
    pub(super) fn get(&self, algorithm: DigestAlgorithm) -> &[u8] {
        match algorithm {
            DigestAlgorithm::Sha256 => self.sha256.get().map_or(&[], |digest| digest),
            DigestAlgorithm::Sha512 => self.sha512.get().map_or(&[], |digest| digest),
        }
    }
}

async fn fill<D: Digest>(digest: &OnceLock<Box<[u8]>>, body: &[u8]) {
    if digest.get().is_none() {
        let mut hasher = D::new();
        in_pieces(body, Breaks::BetweenPieces, |piece| hasher.update(piece)).await;
        digest.get_or_init(|| hasher.finalize().as_slice().into());
    }
}

/// The digests of a body that some policy declared. Few do: the others do not
/// pay for their room.
#[derive(Debug, Default)]
pub(crate) struct BodyDigests {
    sha256: OnceLock<Box<[u8]>>,
    sha512: OnceLock<Box<[u8]>>,
}

impl Subject {
    /// The body, where it is whole.
    pub(crate) fn body(&self) -> Option<&Bytes> {
        match &self.body {
            Body::Whole(bytes) => Some(bytes),
            Body::NotCarried | Body::Withheld(_) | Body::Truncated | Body::TooLarge | Body::NoRoom => None,
        }
    }
}

/// The principal and facts that earlier policies established: a later policy
/// cannot change them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Established {
    pub(crate) principal: Option<Arc<Principal>>,
    pub(crate) facts: Option<Arc<Facts>>,
    /// The signed text: the identity of the delivery.
    pub(crate) signed: Option<Arc<Signed>>,
}

/// A signature base that was verified.
#[derive(Debug)]
pub(crate) struct Signed {
    /// The operator's name of the key that verified it.
    key: Arc<str>,
    parts: Vec<SignedPart>,
    digest: OnceLock<[u8; 32]>,
}

impl Signed {
    pub(super) fn new(key: Arc<str>, parts: Vec<SignedPart>) -> Self {
        Self { key, parts, digest: OnceLock::new() }
    }

    /// The operator's name of the key that verified it.
    pub(super) fn key(&self) -> &str {
        &self.key
    }

    /// Adds how many parts there are, and how long each is.
    pub(super) fn add_lengths(&self, body: Option<&[u8]>, digest: &mut Sha256) {
        let body = body.map_or(0, <[u8]>::len);
        let length = |part: &SignedPart| match part {
            SignedPart::Bytes(bytes) => bytes.len() as u64,
            SignedPart::Body => body as u64,
        };
        digest.update((self.parts.len() as u64).to_be_bytes());
        for parts in self.parts.chunks(8) {
            let mut lengths = [[0; 8]; 8];
            lengths.iter_mut().zip(parts).for_each(|(to, part)| *to = length(part).to_be_bytes());
            digest.update(lengths.as_flattened());
        }
    }

    /// The digest of what was signed, one part behind the other, computed once
    /// for the whole chain; none if it holds a body that is not there.
    pub(super) async fn digest(&self, body: Option<&[u8]>, breaks: Breaks) -> Option<[u8; 32]> {
        if let Some(digest) = self.digest.get() {
            return Some(*digest);
        }
        let mut digest = Sha256::new().chain_update(b"signature\0");
        for part in &self.parts {
            let bytes = match part {
                SignedPart::Bytes(bytes) => bytes,
                SignedPart::Body => body?,
            };
            in_pieces(bytes, breaks, |piece| digest.update(piece)).await;
        }
        Some(*self.digest.get_or_init(|| digest.finalize().into()))
    }
}

/// A part of a verified signature base.
#[derive(Clone, Debug)]
pub(crate) enum SignedPart {
    Bytes(Vec<u8>),
    Body,
}

/// One request on its way through a chain. It moves from sandbox to sandbox.
pub(crate) struct Session {
    pub(crate) subject: Arc<Subject>,
    pub(crate) established: Established,
    pub(crate) journal: Journal,
    /// When the chain began: no check of it began before.
    pub(crate) began: Instant,
    /// Put before the name of every space and quota: each shadow has its own.
    pub(crate) name_space: Option<Arc<str>>,
    /// Bytes of linear memory that the last sandbox had when it was left.
    pub(crate) memory_bytes: usize,
    /// Something that the host noticed while the policy ran: a deny by the policy
    /// says it, too.
    pub(crate) remark: Option<Box<str>>,
}

impl Session {
    /// `pot` in this session's name space.
    pub(super) fn scoped(&self, pot: &Pot) -> Pot {
        match &self.name_space {
            None => pot.clone(),
            Some(own) => pot.trial(own),
        }
    }
}
