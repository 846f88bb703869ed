//! `barmkin:keys`: verifying with keys that never enter the sandbox.

use crate::keys::{self, Algorithm};
use crate::limits;
use crate::pieces::Breaks;
use crate::policy::bindings::barmkin::keys::keys::{Candidate, Encoding, Part, Refusal, Verified};
use crate::policy::bindings::barmkin::keys::types::Algorithm as WireAlgorithm;
use crate::policy::capabilities::{no_such, unverified};
use crate::policy::failure::Failure;
use crate::policy::sandbox::Sandbox;
use crate::policy::session::{Signed, SignedPart};
use crate::reason::HostReason;
use std::sync::Arc;

impl Sandbox {
    /// `keys.verify`.
    ///
    /// Hashing the body once under each secret in force has a budget of its own,
    /// which is the body's length. All else is charged to the deadline.
    pub(super) async fn verify(
        &mut self,
        index: u32,
        base: Vec<Part>,
        candidates: Vec<Candidate>,
        breaks: Breaks,
    ) -> Result<Result<Verified, Refusal>, Failure> {
        let granted = self.granted.clone();
        let subject = self.begin_call()?.subject.clone();
        let literal = check_verification(&base, &candidates)?;
        self.charge_copied(literal.bytes, base.len() + candidates.len())?;
        let (name, key) = granted.keys.get(index as usize).ok_or_else(|| no_such("key", index))?;
        if key.algorithm() == Algorithm::KeyedHashSha256 {
            return Err(Failure::new(HostReason::ContractViolation, "a key for keyed hashes verifies nothing"));
        }
        let mut parts: Vec<&[u8]> = Vec::with_capacity(base.len());
        for part in &base {
            parts.push(match part {
                Part::Bytes(bytes) => bytes,
                Part::Body if !granted.body => return Err(undeclared_body()),
                Part::Body => subject.body().ok_or_else(undeclared_body)?,
            });
        }
        let candidates: Vec<_> = candidates.iter().map(candidate).collect();

        let hashings = key.hashings(&candidates, subject.now);
        self.charge_hashed(literal.bytes.saturating_mul(hashings), key.algorithm())?;
        if key.algorithm().is_public_key() {
            self.charge(limits::PUBLIC_KEY_NS.saturating_mul(hashings as u64))?;
        }
        let body_bytes = subject.body().map_or(0, |body| body.len());
        let pause = match (literal.has_body, self.is_first_with_body(index)) {
            (true, true) => Some(self.pause()),
            (true, false) => {
                self.charge_hashed(body_bytes.saturating_mul(hashings), key.algorithm())?;
                None
            }
            (false, _) => None,
        };
        let verified = key.verify(&parts, &candidates, subject.now, breaks).await;
        if let Some(pause) = pause {
            self.resume(pause);
        }
        Ok(match verified {
            Ok(key_id) => {
                if let Some(session) = &mut self.session {
                    session.established.signed =
                        Some(Arc::new(Signed::new(name.clone(), base.into_iter().map(signed_part).collect())));
                }
                Ok(Verified { key_id: key_id.to_string() })
            }
            Err(refusal) => {
                if let Some(session) = self.session.as_mut().filter(|session| session.remark.is_none()) {
                    let described = unverified::describe(refusal, (name, key), candidates.len(), &granted, &subject);
                    session.remark = Some(described);
                }
                Err(match refusal {
                    keys::Refusal::Mismatch => Refusal::Mismatch,
                    keys::Refusal::NoCandidate => Refusal::NoCandidate,
                    keys::Refusal::NoUsableKey => Refusal::NoUsableKey,
                })
            }
        })
    }

    /// `keys.keyed-hash`.
    pub(super) fn keyed_hash(&mut self, key: u32, data: &[u8]) -> Result<Vec<Vec<u8>>, Failure> {
        let granted = self.granted.clone();
        let now = self.begin_call()?.subject.now;
        self.charge_copied(data.len(), 1)?;
        let (_, key) = granted.keys.get(key as usize).ok_or_else(|| no_such("key", key))?;
        if key.algorithm() != Algorithm::KeyedHashSha256 {
            return Err(Failure::new(HostReason::ContractViolation, "a key that verifies signatures makes no hashes"));
        }
        self.charge_hashed(data.len().saturating_mul(key.in_force_count(now)), key.algorithm())?;
        Ok(key.keyed_hashes(data, now))
    }
}

/// The parts of a signature base other than the body.
struct Literal {
    bytes: usize,
    has_body: bool,
}

/// Holds a verification to its bounds: parts, candidates, and the body at most
/// once.
fn check_verification(base: &[Part], candidates: &[Candidate]) -> Result<Literal, Failure> {
    let exceeded = |count: usize, what| Err(Failure::new(HostReason::HostCallsExceeded, format!("{count} {what}")));
    if candidates.len() > limits::CANDIDATES_MAX {
        return exceeded(candidates.len(), "candidates in one call");
    }
    if base.len() > limits::PARTS_MAX {
        return exceeded(base.len(), "parts of a signature base");
    }
    let bodies = base.iter().filter(|part| matches!(part, Part::Body)).count();
    if bodies > 1 {
        return exceeded(bodies, "times the body in a signature base");
    }
    let bytes = base.iter().map(|part| if let Part::Bytes(bytes) = part { bytes.len() } else { 0 });
    let texts = candidates.iter().map(|candidate| candidate.text.len());
    Ok(Literal { bytes: bytes.chain(texts).sum(), has_body: bodies == 1 })
}

/// The body may be there: another policy of the chain can need it.
fn undeclared_body() -> Failure {
    Failure::new(HostReason::ContractViolation, "its manifest declares no need of the body")
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
