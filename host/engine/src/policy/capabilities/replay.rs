//! `barmkin:replay`: what may be used once.

use crate::effects::Terms;
use crate::generation::spec::OnDuplicate;
use crate::limits::{CLOCK_SKEW, SUBJECT_BYTES_MAX};
use crate::pieces::Breaks;
use crate::policy::bindings::barmkin::replay::replay::{Claim, DuplicateTreatment};
use crate::policy::capabilities::identity::{self, Identity};
use crate::policy::capabilities::{no_such, store_failed};
use crate::policy::failure::Failure;
use crate::policy::sandbox::Sandbox;
use crate::policy::session::Session;
use crate::reason::HostReason;
use crate::store::{self, Lapse, NonceId, Pot, Store};
use sha2::{Digest, Sha256};
use std::time::Duration;

impl Sandbox {
    /// `replay.claim-delivery`.
    pub(super) async fn claim_delivery(
        &mut self,
        space: u32,
        until_unix_ms: u64,
        breaks: Breaks,
    ) -> Result<Claim, Failure> {
        let granted = self.granted.clone();
        self.begin_store_call()?;
        let (name, space) = granted.nonces.get(space as usize).ok_or_else(|| no_such("nonce space", space))?;
        // Hashing what was signed, once for the whole chain, is not the policy's.
        let pause = self.pause();
        let delivery = match &self.session {
            Some(session) => identity::of_delivery(session, space, breaks).await,
            None => None,
        };
        self.resume(pause);
        let session = self.session()?;
        let Some(Identity { digest, former }) = delivery else { return Ok(Claim::Unidentified) };
        let nonce = NonceId { space: session.scoped(name), digest, former: Some(former) };
        let terms = Terms {
            keep: space.delivery_keep(session.subject.request.head.client.sees),
            lapse: Lapse::Free,
            success: space.success,
        };
        let signed_at = session.established.facts.as_ref().and_then(|facts| facts.signed_at_unix_ms);
        claim(session, nonce, space.retain, terms, signed_at.map(Duration::from_millis), until_unix_ms).await
    }

    /// `replay.claim-nonce`.
    pub(super) async fn claim_nonce(
        &mut self,
        space: u32,
        nonce: Vec<u8>,
        until_unix_ms: u64,
    ) -> Result<Claim, Failure> {
        let granted = self.granted.clone();
        self.charge_copied(nonce.len(), 1)?;
        let session = self.begin_store_call()?;
        let (name, space) = granted.nonces.get(space as usize).ok_or_else(|| no_such("nonce space", space))?;
        if nonce.len() > SUBJECT_BYTES_MAX {
            return Err(Failure::new(HostReason::HostCallsExceeded, format!("a nonce of {} bytes", nonce.len())));
        }
        let digest = Sha256::new().chain_update(b"nonce\0").chain_update(&nonce).finalize().into();
        let nonce = NonceId { space: session.scoped(name), digest, former: None };
        let terms = Terms { keep: space.nonce_keep(), lapse: Lapse::Used, success: space.success };
        claim(session, nonce, space.retain, terms, None, until_unix_ms).await
    }

    /// `replay.on-duplicate`.
    pub(super) fn on_duplicate(&mut self, space: u32) -> Result<DuplicateTreatment, Failure> {
        let sees = self.begin_call()?.subject.request.head.client.sees;
        let (_, space) = self.granted.nonces.get(space as usize).ok_or_else(|| no_such("nonce space", space))?;
        Ok(match space.duplicate(sees) {
            OnDuplicate::Deny => DuplicateTreatment::Deny,
            OnDuplicate::Acknowledge => DuplicateTreatment::Acknowledge,
            OnDuplicate::Mark => DuplicateTreatment::Mark,
        })
    }
}

async fn claim(
    session: &mut Session,
    nonce: NonceId,
    retain: Duration,
    terms: Terms,
    signed_at: Option<Duration>,
    until_unix_ms: u64,
) -> Result<Claim, Failure> {
    let (now, until) = (session.subject.now, Duration::from_millis(until_unix_ms));
    refuse_what_would_be_forgotten(&nonce.space, retain, until.saturating_sub(now))?;
    let check_loss = |store: &Store| match store.lost_at() {
        Some(lost_at) => refuse_what_may_be_forgotten(lost_at, signed_at, until, retain, now),
        None => Ok(()),
    };
    check_loss(session.journal.store())?;
    let claim = session.journal.claim(nonce.clone(), retain, terms).await.map_err(store_failed)?;
    Ok(match claim {
        store::Claim::FirstUse => {
            // A server that comes back says what it lost when it is asked.
            check_loss(session.journal.store())?;
            Claim::FirstUse
        }
        store::Claim::InProgress | store::Claim::Replayed => {
            session.remark = Some(format!("`{nonce}` of `{}`", nonce.space).into());
            if claim == store::Claim::InProgress { Claim::InProgress } else { Claim::Replayed }
        }
    })
}

/// The operator decides how long nonces are remembered, since it is their store.
/// A nonce that a policy would accept for longer is refused: forgotten earlier, it
/// could be used again.
fn refuse_what_would_be_forgotten(pot: &Pot, retain: Duration, asked: Duration) -> Result<(), Failure> {
    if asked <= retain {
        return Ok(());
    }
    let (asked, retain) = (asked.as_secs_f64().ceil(), retain.as_secs_f64());
    let detail = format!("it asks `{pot}` to remember for {asked} s, but its `retain` is {retain} s");
    Err(Failure::new(HostReason::RetentionExceeded, detail))
}

/// A store that lost its contents cannot tell what was used before. A nonce
/// that was signed after the loss, by a clock that may be ahead, was not. One
/// without a date waits until it would have been forgotten anyway.
fn refuse_what_may_be_forgotten(
    lost_at: Duration,
    signed_at: Option<Duration>,
    until: Duration,
    retain: Duration,
    now: Duration,
) -> Result<(), Failure> {
    let may_be_used = match signed_at {
        // Before the loss it was taken as far ahead of the clock as it is valid
        // behind it: by how much, its own end says.
        Some(signed_at) => {
            let ahead = until.saturating_sub(signed_at).clamp(CLOCK_SKEW, retain.max(CLOCK_SKEW));
            signed_at < lost_at.saturating_add(ahead)
        }
        None => now < lost_at.saturating_add(retain),
    };
    if may_be_used {
        return Err(Failure::new(HostReason::SignedBeforeLoss, "the store lost what was used before"));
    }
    Ok(())
}
