use std::cell::RefCell;
use std::collections::hash_map::Entry;

use crate::native::HostCalls;
use crate::test::policy::Grants;
use crate::test::{ClaimMade, Line, Request, TakeMade, TestKey, TestQuota};
use crate::types::{Candidate, Claim, DuplicateTreatment, KeyNeed, Level, Outcome, Part, Refusal, Verified};

/// The host for the length of one check.
pub(super) struct Calls<'a> {
    grants: &'a Grants,
    request: &'a Request,
    /// What was signed, once a signature was verified: the delivery.
    delivery: RefCell<Option<Vec<u8>>>,
}

impl<'a> Calls<'a> {
    pub(super) fn new(grants: &'a Grants, request: &'a Request) -> Self {
        Self { grants, request, delivery: RefCell::new(request.delivery.clone()) }
    }

    fn key(&self, index: u32) -> Option<&TestKey> {
        let KeyNeed { name, algorithms } = at(&self.grants.manifest.keys, index)?;
        self.grants.keys.get(name).filter(|key| algorithms.contains(&key.algorithm))
    }

    fn quota(&self, index: u32) -> Option<&TestQuota> {
        self.grants.quotas.get(at(&self.grants.manifest.quotas, index)?)
    }

    fn space(&self, index: u32) -> String {
        at(&self.grants.manifest.nonces, index).cloned().unwrap_or_default()
    }

    fn claim(&self, space: u32, nonce: Option<&[u8]>, valid_until_unix_ms: u64) -> Claim {
        let space = self.space(space);
        let claim = match nonce {
            None => Claim::Unidentified,
            Some(nonce) => match self.grants.held.borrow_mut().entry((space.clone(), nonce.to_vec())) {
                Entry::Occupied(held) => *held.get(),
                Entry::Vacant(free) => {
                    free.insert(Claim::Replayed);
                    Claim::FirstUse
                }
            },
        };
        let nonce = nonce.unwrap_or_default().to_vec();
        let made = ClaimMade { space, nonce, valid_until_unix_ms, claim };
        self.grants.claims.borrow_mut().push(made);
        claim
    }

    fn record(&self, quota: u32, subject: Option<&str>, cost: u32, outcome: Outcome) -> Outcome {
        self.grants.takes.borrow_mut().push(TakeMade {
            quota: at(&self.grants.manifest.quotas, quota).cloned().unwrap_or_default(),
            subject: subject.map(str::to_owned),
            cost,
            outcome,
        });
        outcome
    }
}

impl HostCalls for Calls<'_> {
    fn verify(&self, key: u32, base: &[Part<'_>], candidates: &[Candidate<'_>]) -> Result<Verified, Refusal> {
        let mut signed = Vec::new();
        for part in base {
            match part {
                Part::Bytes(bytes) => signed.extend_from_slice(bytes),
                Part::Body => signed.extend_from_slice(&self.request.body),
            }
        }
        let verified = self.key(key).ok_or(Refusal::NoUsableKey)?.verify(&signed, candidates)?;
        self.delivery.replace(Some(signed));
        Ok(verified)
    }

    fn keyed_hash(&self, key: u32, data: &[u8]) -> Vec<Vec<u8>> {
        self.key(key).map(|key| key.keyed_hash(data)).unwrap_or_default()
    }

    fn claim_delivery(&self, space: u32, valid_until_unix_ms: u64) -> Claim {
        let delivery = self.delivery.borrow().clone();
        self.claim(space, delivery.as_deref(), valid_until_unix_ms)
    }

    fn claim_nonce(&self, space: u32, nonce: &[u8], valid_until_unix_ms: u64) -> Claim {
        self.claim(space, Some(nonce), valid_until_unix_ms)
    }

    fn on_duplicate(&self, space: u32) -> DuplicateTreatment {
        let space = self.space(space);
        self.grants.on_duplicate.get(&space).copied().unwrap_or(DuplicateTreatment::Deny)
    }

    fn take(&self, quota: u32, cost: u32) -> Outcome {
        let identified = self.request.principal.is_some() || self.request.client_address.is_some();
        let outcome = match self.quota(quota) {
            Some(units) if identified => units.take(cost),
            _ => Outcome::Unidentified,
        };
        self.record(quota, None, cost, outcome)
    }

    fn take_for(&self, quota: u32, subject: &str, cost: u32) -> Outcome {
        let outcome = self.quota(quota).map_or(Outcome::Unidentified, |units| units.take(cost));
        self.record(quota, Some(subject), cost, outcome)
    }

    fn retry_after_ms(&self, quota: u32) -> u64 {
        self.quota(quota).map(TestQuota::retry_after_ms).unwrap_or_default()
    }

    fn remaining(&self, quota: u32) -> u64 {
        self.quota(quota).map(TestQuota::remaining).unwrap_or_default()
    }

    fn reset_after_ms(&self, quota: u32) -> u64 {
        self.quota(quota).map(TestQuota::reset_after_ms).unwrap_or_default()
    }

    fn limit(&self, quota: u32) -> u64 {
        self.quota(quota).map(TestQuota::limit).unwrap_or_default()
    }

    fn write_log(&self, level: Level, message: &str, pairs: &[(String, String)]) {
        let line = Line { level, message: message.to_owned(), pairs: pairs.to_vec() };
        self.grants.log.borrow_mut().push(line);
    }
}

fn at<T>(list: &[T], index: u32) -> Option<&T> {
    usize::try_from(index).ok().and_then(|index| list.get(index))
}
