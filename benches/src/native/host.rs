//! The host's work for rules.

use crate::fixture::{DELIVERIES, QUOTA, SECRET, SECRET_ID, quota_rate, retain};
use barmkin_guest::native::HostCalls;
use barmkin_guest::types::{Candidate, Claim, DuplicateTreatment, Encoding, Level, Outcome, Part, Refusal, Verified};
use barmkin_host::{Draw, Hold, Holder, Lapse, LocalStore, NonceId, StoreError, Take};
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::Duration;
use subtle::ConstantTimeEq;

/// The state that all requests share.
pub(super) struct Granted {
    pub(super) key: Hmac<Sha256>,
    pub(super) key_id: &'static str,
    pub(super) store: Arc<dyn LocalStore>,
    pub(super) space: Arc<str>,
    pub(super) retain: Duration,
    pub(super) draws: [Draw; 1],
}

impl Granted {
    pub(super) fn on(store: impl LocalStore + 'static) -> Self {
        Self {
            key: Hmac::new_from_slice(SECRET).expect("HMAC takes keys of any length"),
            key_id: SECRET_ID,
            store: Arc::new(store),
            space: DELIVERIES.into(),
            retain: retain(),
            draws: [Draw { quota: QUOTA.into(), rule: quota_rate().into() }],
        }
    }
}

/// The host, for one request.
pub(super) struct Host<'a> {
    granted: &'a Granted,
    body: &'a Bytes,
    now_unix_ms: u64,
    holder: Holder,
    /// Whom quotas are counted against.
    caller: RefCell<Option<String>>,
    signed: RefCell<Option<Vec<SignedPart>>>,
    effects: RefCell<Vec<Effect>>,
    last_take: Cell<Option<Take>>,
}

enum SignedPart {
    Bytes(Vec<u8>),
    Body,
}

enum Effect {
    Claimed(NonceId),
    Took { subject: Arc<str>, cost: u32, at: Duration },
}

impl<'a> Host<'a> {
    pub(super) fn new(granted: &'a Granted, body: &'a Bytes, now_unix_ms: u64, holder: Holder) -> Self {
        Self {
            granted,
            body,
            now_unix_ms,
            holder,
            caller: RefCell::default(),
            signed: RefCell::default(),
            effects: RefCell::default(),
            last_take: Cell::default(),
        }
    }

    /// Whom the next rules' quotas are counted against.
    pub(super) fn set_caller(&self, id: &str) {
        self.caller.replace(Some(format!("principal\0\0{id}")));
    }

    /// The verdict is allow: makes final what was claimed.
    pub(super) fn allow(self) -> Result<(), StoreError> {
        for effect in self.effects.into_inner() {
            if let Effect::Claimed(nonce) = effect {
                self.granted.store.confirm(&nonce, self.holder)?;
            }
        }
        Ok(())
    }

    /// The verdict is deny: gives back what was taken, newest first.
    pub(super) fn deny(self) -> Result<(), StoreError> {
        let Granted { store, draws: [draw], .. } = self.granted;
        self.effects.into_inner().into_iter().rev().try_for_each(|effect| match effect {
            Effect::Claimed(nonce) => store.release(&nonce, self.holder),
            Effect::Took { subject, cost, at } => store.give_back(&subject, draw, cost, at),
        })
    }

    fn delivery(&self) -> Option<[u8; 32]> {
        let signed = self.signed.borrow();
        let mut digest = Sha256::new_with_prefix(b"signature\0");
        for part in signed.as_deref()? {
            match part {
                SignedPart::Bytes(bytes) => digest.update(bytes),
                SignedPart::Body => digest.update(self.body),
            }
        }
        Some(digest.finalize().into())
    }
}

impl HostCalls for Host<'_> {
    fn verify(&self, _: u32, base: &[Part<'_>], candidates: &[Candidate<'_>]) -> Result<Verified, Refusal> {
        let mut mac = self.granted.key.clone();
        for part in base {
            match part {
                Part::Bytes(bytes) => mac.update(bytes),
                Part::Body => mac.update(self.body),
            }
        }
        let mac = mac.finalize().into_bytes();
        let signs = |candidate: &Candidate<'_>| {
            matches!(candidate.encoding, Encoding::Hex)
                && hex::encode(mac).as_bytes().ct_eq(candidate.text.as_bytes()).into()
        };
        if !candidates.iter().any(signs) {
            return Err(Refusal::Mismatch);
        }
        let signed = base.iter().map(|part| match part {
            Part::Bytes(bytes) => SignedPart::Bytes(bytes.to_vec()),
            Part::Body => SignedPart::Body,
        });
        self.signed.replace(Some(signed.collect()));
        Ok(Verified { key_id: self.granted.key_id.to_owned() })
    }

    fn keyed_hash(&self, _: u32, _: &[u8]) -> Vec<Vec<u8>> {
        Vec::new()
    }

    fn claim_delivery(&self, _: u32, valid_until_unix_ms: u64) -> Claim {
        let Some(digest) = self.delivery() else { return Claim::Unidentified };
        let Granted { store, space, retain, .. } = self.granted;
        let nonce = NonceId { space: space.clone().into(), digest, former: None };
        let retain = (*retain).max(Duration::from_millis(valid_until_unix_ms.saturating_sub(self.now_unix_ms)));
        let claim = store
            .claim(&nonce, retain, Some(Hold { holder: self.holder, lapse: Lapse::Free }))
            .expect("the store has room");
        match claim {
            barmkin_host::Claim::FirstUse => {
                self.effects.borrow_mut().push(Effect::Claimed(nonce));
                Claim::FirstUse
            }
            barmkin_host::Claim::InProgress => Claim::InProgress,
            barmkin_host::Claim::Replayed => Claim::Replayed,
        }
    }

    fn claim_nonce(&self, _: u32, _: &[u8], _: u64) -> Claim {
        Claim::Unidentified
    }

    fn on_duplicate(&self, _: u32) -> DuplicateTreatment {
        DuplicateTreatment::Deny
    }

    fn take(&self, _: u32, cost: u32) -> Outcome {
        let Some(subject) = self.caller.borrow().clone() else { return Outcome::Unidentified };
        let Granted { store, draws, .. } = self.granted;
        let subject: Arc<str> = subject.into();
        let take = store.take(&subject, draws, cost).expect("the store has room");
        if take.admitted && cost > 0 {
            self.effects.borrow_mut().push(Effect::Took { subject, cost, at: take.at });
        }
        self.last_take.set(Some(take));
        if take.admitted { Outcome::Admitted } else { Outcome::Refused }
    }

    fn take_for(&self, _: u32, _: &str, _: u32) -> Outcome {
        Outcome::Unidentified
    }

    fn retry_after_ms(&self, _: u32) -> u64 {
        let wait = self.last_take.get().and_then(|take| take.retry_after);
        wait.map_or(0, |wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX))
    }

    fn remaining(&self, _: u32) -> u64 {
        self.last_take.get().map_or(0, |take| take.remaining)
    }

    fn reset_after_ms(&self, _: u32) -> u64 {
        let wait = self.last_take.get().map(|take| take.reset_after).unwrap_or_default();
        u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)
    }

    fn limit(&self, _: u32) -> u64 {
        let [draw] = &self.granted.draws;
        draw.rule.limit()
    }

    fn write_log(&self, _: Level, _: &str, _: &[(String, String)]) {}
}
