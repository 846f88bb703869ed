//! `barmkin:keys`: verifying with keys that never enter the sandbox.

use crate::keys::{self, Algorithm};
use crate::limits;
use crate::policy::bindings::barmkin::keys::keys::{Candidate, Encoding, Part, Refusal, Verified};
use crate::policy::bindings::barmkin::keys::types::Algorithm as WireAlgorithm;
use crate::policy::capabilities::no_such;
use crate::policy::failure::Failure;
use crate::policy::sandbox::{Sandbox, SignedPart};
use crate::reason::HostReason;

impl Sandbox {
    /// `keys.verify`.
    pub(super) fn verify(
        &mut self,
        key: u32,
        base: Vec<Part>,
        candidates: &[Candidate],
    ) -> Result<Result<Verified, Refusal>, Failure> {
        let granted = self.granted.clone();
        let session = self.begin_call()?;
        let key = granted.keys.get(key as usize).ok_or_else(|| no_such("key", key))?;
        if key.algorithm() == Algorithm::KeyedHashSha256 {
            return Err(Failure::new(HostReason::ContractViolation, "a key for keyed hashes verifies nothing"));
        }
        if candidates.len() > limits::CANDIDATES_MAX {
            return Err(Failure::new(
                HostReason::HostCallsExceeded,
                format!("{} candidates in one call", candidates.len()),
            ));
        }
        let subject = session.subject.clone();
        let mut parts: Vec<&[u8]> = Vec::with_capacity(base.len());
        for part in &base {
            parts.push(match part {
                Part::Bytes(bytes) => bytes,
                Part::Body => subject.body().ok_or_else(|| {
                    Failure::new(HostReason::ContractViolation, "its manifest declares no need of the body")
                })?,
            });
        }
        let candidates: Vec<_> = candidates.iter().map(candidate).collect();
        Ok(match key.verify(&parts, &candidates, subject.now) {
            Ok(key_id) => {
                session.established.signed = Some(base.into_iter().map(signed_part).collect());
                Ok(Verified { key_id: key_id.to_string() })
            }
            Err(keys::Refusal::Mismatch) => Err(Refusal::Mismatch),
            Err(keys::Refusal::NoCandidate) => Err(Refusal::NoCandidate),
            Err(keys::Refusal::NoUsableKey) => Err(Refusal::NoUsableKey),
        })
    }

    /// `keys.keyed-hash`.
    pub(super) fn keyed_hash(&mut self, key: u32, data: &[u8]) -> Result<Vec<Vec<u8>>, Failure> {
        let granted = self.granted.clone();
        let now = self.begin_call()?.subject.now;
        let key = granted.keys.get(key as usize).ok_or_else(|| no_such("key", key))?;
        if key.algorithm() != Algorithm::KeyedHashSha256 {
            return Err(Failure::new(HostReason::ContractViolation, "a key that verifies signatures makes no hashes"));
        }
        Ok(key.keyed_hashes(data, now))
    }
}

fn candidate(candidate: &Candidate) -> keys::Candidate<'_> {
    keys::Candidate {
        algorithm: algorithm(candidate.algorithm),
        encoding: match candidate.encoding {
            Encoding::Hex => keys::Encoding::Hex,
            Encoding::Base64 => keys::Encoding::Base64,
            Encoding::Base64url => keys::Encoding::Base64Url,
        },
        text: &candidate.text,
    }
}

/// The host's name for an algorithm of the contract.
pub(in crate::policy) fn algorithm(algorithm: WireAlgorithm) -> Algorithm {
    match algorithm {
        WireAlgorithm::HmacSha1 => Algorithm::HmacSha1,
        WireAlgorithm::HmacSha256 => Algorithm::HmacSha256,
        WireAlgorithm::HmacSha512 => Algorithm::HmacSha512,
        WireAlgorithm::Ed25519 => Algorithm::Ed25519,
        WireAlgorithm::KeyedHashSha256 => Algorithm::KeyedHashSha256,
    }
}

fn signed_part(part: Part) -> SignedPart {
    match part {
        Part::Bytes(bytes) => SignedPart::Bytes(bytes),
        Part::Body => SignedPart::Body,
    }
}
