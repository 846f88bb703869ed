use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::collections::hash_map::Entry;
use std::panic::resume_unwind;

use crate::log;
use crate::native::HostCalls;
use crate::test::policy::Grants;
use crate::test::{ClaimMade, Line, Request, TakeMade, TestKey, TestQuota, limits};
use crate::types::{
    Algorithm, BodyInput, Candidate, Claim, DuplicateTreatment, KeyNeed, Level, Outcome, Part, Refusal, Verified,
};

/// The host for the length of one check.
pub(super) struct Calls<'a> {
    grants: &'a Grants,
    request: &'a Request,
    /// The signed text, once a signature was verified: the delivery.
    delivery: RefCell<Option<Vec<u8>>>,
    made: Cell<u32>,
    /// Quotas of which something was asked.
    taken_from: RefCell<HashSet<u32>>,
}

/// That the host ended the rule, as a panic that is caught: a component would
/// trap.
pub(super) struct Ended {
    pub(super) code: &'static str,
    pub(super) detail: String,
}

const VIOLATION: &str = "contract-violation";
const TOO_MANY: &str = "host-calls-exceeded";

fn end(code: &'static str, detail: String) -> ! {
    // It is not a mistake of the test: nothing is printed.
    resume_unwind(Box::new(Ended { code, detail }))
}

impl<'a> Calls<'a> {
    pub(super) fn new(grants: &'a Grants, request: &'a Request) -> Self {
        let delivery = RefCell::new(request.delivery.clone());
        Self { grants, request, delivery, made: Cell::default(), taken_from: RefCell::default() }
    }

    /// Counts a call, and ends the rule if it makes too many.
    fn begin(&self) {
        self.made.set(self.made.get() + 1);
        if self.made.get() > limits::HOST_CALLS_MAX {
            end(TOO_MANY, "it calls the host without end".to_owned());
        }
    }

    /// The key that is declared at `index`, unless it is not granted.
    fn key(&self, index: u32) -> (&KeyNeed, Option<&TestKey>) {
        let need = declared(&self.grants.manifest.keys, index, "key");
        let key = self.grants.keys.get(&need.name).filter(|key| need.algorithms.contains(&key.algorithm));
        (need, key)
    }

    fn quota(&self, index: u32) -> Option<&TestQuota> {
        self.grants.quotas.get(declared(&self.grants.manifest.quotas, index, "quota"))
    }

    /// The quota that is declared at `index`, of which something was asked.
    fn taken_from(&self, index: u32) -> Option<&TestQuota> {
        self.begin();
        let quota = self.quota(index);
        if !self.taken_from.borrow().contains(&index) {
            end(VIOLATION, "nothing was taken yet".to_owned());
        }
        quota
    }

    fn space(&self, index: u32) -> String {
        declared(&self.grants.manifest.nonces, index, "nonce space").clone()
    }

    /// Keeps the lines that were logged before the rule was ended.
    pub(super) fn keep_lines(&self) {
        let kept = log::native::take_lines();
        self.grants.log.borrow_mut().extend(kept);
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
        if outcome != Outcome::Unidentified {
            self.taken_from.borrow_mut().insert(quota);
        }
        self.grants.takes.borrow_mut().push(TakeMade {
            quota: declared(&self.grants.manifest.quotas, quota, "quota").clone(),
            subject: subject.map(str::to_owned),
            cost,
            outcome,
        });
        outcome
    }
}

impl HostCalls for Calls<'_> {
    fn verify(&self, key: u32, base: &[Part<'_>], candidates: &[Candidate<'_>]) -> Result<Verified, Refusal> {
        self.begin();
        let (need, key) = self.key(key);
        if need.algorithms == [Algorithm::KeyedHashSha256] {
            end(VIOLATION, "a key for keyed hashes verifies nothing".to_owned());
        }
        if candidates.len() > limits::CANDIDATES_MAX {
            end(TOO_MANY, format!("{} candidates in one call", candidates.len()));
        }
        let mut signed = Vec::new();
        for part in base {
            match part {
                Part::Bytes(bytes) => signed.extend_from_slice(bytes),
                Part::Body if matches!(self.grants.manifest.body, BodyInput::None) => {
                    end(VIOLATION, "its manifest declares no need of the body".to_owned());
                }
                Part::Body => signed.extend_from_slice(&self.request.body),
            }
        }
        let verified = key.ok_or(Refusal::NoUsableKey)?.verify(&signed, candidates)?;
        self.delivery.replace(Some(signed));
        Ok(verified)
    }

    fn keyed_hash(&self, key: u32, data: &[u8]) -> Vec<Vec<u8>> {
        self.begin();
        let (need, key) = self.key(key);
        if !need.algorithms.contains(&Algorithm::KeyedHashSha256) {
            end(VIOLATION, "a key that verifies signatures makes no hashes".to_owned());
        }
        key.map(|key| key.keyed_hash(data)).unwrap_or_default()
    }

    fn claim_delivery(&self, space: u32, valid_until_unix_ms: u64) -> Claim {
        self.begin();
        let delivery = self.delivery.borrow().clone();
        self.claim(space, delivery.as_deref(), valid_until_unix_ms)
    }

    fn claim_nonce(&self, space: u32, nonce: &[u8], valid_until_unix_ms: u64) -> Claim {
        self.begin();
        self.space(space);
        if nonce.len() > limits::SUBJECT_BYTES_MAX {
            end(TOO_MANY, format!("a nonce of {} bytes", nonce.len()));
        }
        self.claim(space, Some(nonce), valid_until_unix_ms)
    }

    fn on_duplicate(&self, space: u32) -> DuplicateTreatment {
        self.begin();
        let space = self.space(space);
        self.grants.on_duplicate.get(&space).copied().unwrap_or(DuplicateTreatment::Deny)
    }

    fn take(&self, quota: u32, cost: u32) -> Outcome {
        self.begin();
        let identified = self.request.principal.is_some() || self.request.client_address.is_some();
        let outcome = match self.quota(quota) {
            Some(units) if identified => units.take(cost),
            _ => Outcome::Unidentified,
        };
        self.record(quota, None, cost, outcome)
    }

    fn take_for(&self, quota: u32, subject: &str, cost: u32) -> Outcome {
        self.begin();
        let units = self.quota(quota);
        if subject.len() > limits::SUBJECT_BYTES_MAX {
            end(TOO_MANY, format!("a subject of {} bytes", subject.len()));
        }
        let outcome = units.map_or(Outcome::Unidentified, |units| units.take(cost));
        self.record(quota, Some(subject), cost, outcome)
    }

    fn retry_after_ms(&self, quota: u32) -> u64 {
        self.taken_from(quota).map(TestQuota::retry_after_ms).unwrap_or_default()
    }

    fn remaining(&self, quota: u32) -> u64 {
        self.taken_from(quota).map(TestQuota::remaining).unwrap_or_default()
    }

    fn reset_after_ms(&self, quota: u32) -> u64 {
        self.taken_from(quota).map(TestQuota::reset_after_ms).unwrap_or_default()
    }

    fn limit(&self, quota: u32) -> u64 {
        self.begin();
        self.quota(quota).map(TestQuota::limit).unwrap_or_default()
    }

    fn write_log(&self, level: Level, message: &str, pairs: &[(String, String)]) {
        self.begin();
        let line = Line { level, message: message.to_owned(), pairs: pairs.to_vec() };
        self.grants.log.borrow_mut().push(line);
    }
}

/// The item that the manifest declares at `index`.
fn declared<'m, T>(list: &'m [T], index: u32, kind: &str) -> &'m T {
    let item = usize::try_from(index).ok().and_then(|index| list.get(index));
    item.unwrap_or_else(|| end(VIOLATION, format!("its manifest declares no {kind} {index}")))
}
