//! Effects follow the verdict (law 6).
//!
//! An effect is in the store before the verdict. What must not stay is given
//! back, also where the request goes away while a remote store is awaited: a call
//! that was begun goes on to its end. A lost give-back leaves an effect used,
//! never free.

use crate::generation::spec::Keep;
use crate::metrics::Metrics;
use crate::store::{Claim, Draw, Holder, NonceId, Store, StoreError, Take};
use http::StatusCode;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

/// Something a policy did to a store.
#[derive(Debug)]
struct Effect {
    keep: Keep,
    kind: EffectKind,
}

#[derive(Debug)]
enum EffectKind {
    Claimed(NonceId),
    Took { subject: Arc<str>, draw: Draw, cost: u32, at: Duration },
}

impl Effect {
    /// Whether it counts a request that is under way: then it is given back
    /// when that ends, however it ends.
    fn ends_with_request(&self) -> bool {
        matches!(&self.kind, EffectKind::Took { draw, .. } if draw.rule.is_concurrency())
    }

    /// Whether it stays whatever the verdict.
    fn stays(&self) -> bool {
        self.keep == Keep::Always && !self.ends_with_request()
    }
}

/// How a request ended whose effects are settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Success,
    Failure,
    /// The answer was awaited and never seen.
    Unknown,
}

impl Outcome {
    /// Whether `effect` stays. Of an unknown outcome a delivery is free again, for
    /// a lost event is worse than one that is seen twice; what was taken is not,
    /// or hanging up in time would cost nothing (law 6).
    fn keeps(self, effect: &Effect) -> bool {
        let is_kept = match self {
            Self::Success => true,
            Self::Failure => false,
            Self::Unknown => matches!(effect.kind, EffectKind::Took { .. }),
        };
        is_kept && !effect.ends_with_request()
    }
}

/// The effects of one request, in the order in which they happened.
///
/// Dropped undecided (the client went away while a remote store was awaited),
/// it gives back all but what is kept always.
pub(crate) struct Journal {
    store: Store,
    metrics: Arc<dyn Metrics>,
    holder: Holder,
    effects: Vec<Effect>,
    /// Whether it is being settled: dropped then, with the executor of a remote
    /// store, nobody could settle it.
    is_ending: bool,
}

impl Journal {
    pub(crate) fn new(store: Store, metrics: Arc<dyn Metrics>, holder: Holder) -> Self {
        Self { store, metrics, holder, effects: Vec::new(), is_ending: false }
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// How many there are: a point to [`undo`](Self::undo) back to.
    pub(crate) fn len(&self) -> usize {
        self.effects.len()
    }

    /// Claims `nonce` for `retain`.
    pub(crate) async fn claim(&mut self, nonce: NonceId, retain: Duration, keep: Keep) -> Result<Claim, StoreError> {
        if self.store.is_local() {
            return self.claim_here(nonce, retain, keep).await;
        }
        self.beside(move |mut journal| async move { (journal.claim_here(nonce, retain, keep).await, journal) }).await
    }

    /// Takes `cost` from all of `draws`, each of which is kept as `keeps` says.
    pub(crate) async fn take(
        &mut self,
        subject: &Arc<str>,
        draws: &[Draw],
        keeps: &[Keep],
        cost: u32,
    ) -> Result<Take, StoreError> {
        if self.store.is_local() {
            return self.take_here(subject, draws, keeps, cost).await;
        }
        let (subject, draws, keeps) = (subject.clone(), draws.to_vec(), keeps.to_vec());
        let take =
            move |mut journal: Self| async move { (journal.take_here(&subject, &draws, &keeps, cost).await, journal) };
        self.beside(take).await
    }

    async fn claim_here(&mut self, nonce: NonceId, retain: Duration, keep: Keep) -> Result<Claim, StoreError> {
        // What is kept always is held by nobody.
        let holder = (keep != Keep::Always).then_some(self.holder);
        let claim = self.store.claim(&nonce, retain, holder).await;
        match &claim {
            Ok(Claim::FirstUse) => self.effects.push(Effect { keep, kind: EffectKind::Claimed(nonce) }),
            Ok(Claim::InProgress | Claim::Replayed) => {}
            Err(_) => self.release_unknown(nonce, holder),
        }
        claim
    }

    /// A claim whose answer was lost may have been made all the same. Nobody
    /// waits for a store that just failed, nor hears that it failed again.
    fn release_unknown(&self, nonce: NonceId, holder: Option<Holder>) {
        if let (Some(holder), false) = (holder, self.store.is_local()) {
            let store = self.store.clone();
            self.store.finish(async move { drop(store.release(&nonce, holder).await) });
        }
    }

    async fn take_here(
        &mut self,
        subject: &Arc<str>,
        draws: &[Draw],
        keeps: &[Keep],
        cost: u32,
    ) -> Result<Take, StoreError> {
        let take = self.store.take(subject, draws, cost).await?;
        if take.admitted && cost > 0 {
            self.effects.extend(draws.iter().zip(keeps).map(|(draw, keep)| {
                let kind = EffectKind::Took { subject: subject.clone(), draw: draw.clone(), cost, at: take.at };
                Effect { keep: *keep, kind }
            }));
        }
        Ok(take)
    }

    /// Does `work` on a journal of its own, and takes over what it did. If the
    /// caller goes away meanwhile the work goes on to its end, and what it did
    /// is given back with its journal.
    async fn beside<T, W>(&mut self, work: impl FnOnce(Self) -> W) -> T
    where
        T: Send + 'static,
        W: Future<Output = (T, Self)> + Send + 'static,
    {
        let work = Enduring::new(&self.store, work(self.with(Vec::new())));
        let (answer, mut done) = work.await;
        self.effects.append(&mut done.effects);
        answer
    }

    /// Gives back what happened since `mark`, newest first, but for what is
    /// kept always.
    pub(crate) async fn undo(&mut self, mark: usize) {
        let undone = self.effects.split_off(mark.min(self.effects.len()));
        if !undone.iter().all(Effect::stays) {
            settled(self.with(undone).end(Outcome::Failure)).await;
        }
    }

    /// The verdict is allow: makes final what does not wait for the response.
    /// Nobody waits for that: until it is done the store answers others that
    /// the claim is in progress.
    pub(crate) fn allow(mut self) -> Settlement {
        let waits = |effect: &Effect| effect.keep == Keep::OnSuccess || effect.ends_with_request();
        let is_held = |effect: &Effect| effect.keep != Keep::Always && matches!(effect.kind, EffectKind::Claimed(_));
        let held: Vec<_> = self.effects.extract_if(.., |effect| !waits(effect)).filter(is_held).collect();
        if !held.is_empty() {
            drop(self.with(held).end(Outcome::Success));
        }
        Settlement { journal: (!self.effects.is_empty()).then(|| Box::new(self)), unseen: Outcome::Success }
    }

    /// A journal of the same request.
    fn with(&self, effects: Vec<Effect>) -> Self {
        let Self { store, metrics, holder, .. } = self;
        Self { store: store.clone(), metrics: metrics.clone(), holder: *holder, effects, is_ending: false }
    }

    /// The request has ended: settles what it did, whether or not anybody waits
    /// for the rest of that. In a local store there is none.
    fn end(mut self, outcome: Outcome) -> Option<Enduring<()>> {
        self.is_ending = true;
        let store = self.store.clone();
        let settle = self.settle(outcome);
        if store.is_local() {
            store.finish(settle);
            return None;
        }
        Some(Enduring::new(&store, settle))
    }

    async fn settle(mut self, outcome: Outcome) {
        while let Some(effect) = self.effects.pop() {
            if outcome.keeps(&effect) {
                self.confirm(&effect).await;
            } else {
                self.give_back(&effect).await;
            }
        }
    }

    async fn confirm(&self, effect: &Effect) {
        if let (EffectKind::Claimed(nonce), true) = (&effect.kind, effect.keep != Keep::Always)
            && let Err(error) = self.store.confirm(nonce, self.holder).await
        {
            // It counts as used all the same, once it is no longer held.
            tracing::warn!(%error, space = %nonce.space, "a claim could not be confirmed");
        }
    }

    async fn give_back(&self, effect: &Effect) {
        if effect.stays() {
            return;
        }
        let given = match &effect.kind {
            EffectKind::Claimed(nonce) => self.store.release(nonce, self.holder).await,
            EffectKind::Took { subject, draw, cost, at } => self.store.give_back(subject, draw, *cost, *at).await,
        };
        if let Err(error) = given {
            self.metrics.undo_lost();
            tracing::warn!(%error, "an effect of a request that was not let in could not be given back and stays used");
        }
    }
}

/// Waits for the rest of a settlement.
async fn settled(rest: Option<Enduring<()>>) {
    if let Some(rest) = rest {
        rest.await;
    }
}

/// Work that goes on to its end, on the store's executor, if this is dropped
/// before: a call that was begun may have been made, and nobody else would know.
struct Enduring<T: Send + 'static> {
    store: Store,
    work: Option<Pin<Box<dyn Future<Output = T> + Send>>>,
}

impl<T: Send + 'static> Enduring<T> {
    fn new(store: &Store, work: impl Future<Output = T> + Send + 'static) -> Self {
        Self { store: store.clone(), work: Some(Box::pin(work)) }
    }
}

impl<T: Send + 'static> Future for Enduring<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let Some(work) = &mut self.work else { return Poll::Pending };
        let polled = work.as_mut().poll(context);
        if polled.is_ready() {
            self.work = None;
        }
        polled
    }
}

impl<T: Send + 'static> Drop for Enduring<T> {
    fn drop(&mut self) {
        if let Some(work) = self.work.take() {
            self.store.finish(async move { drop(work.await) });
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        let mut effects = std::mem::take(&mut self.effects);
        effects.retain(|effect| !effect.stays());
        if !effects.is_empty() && !self.is_ending {
            drop(self.with(effects).end(Outcome::Failure));
        }
    }
}

/// The effects of an allowed request that wait for the upstream's response.
///
/// Dropping it keeps them, as is right where no response is seen. An adapter that
/// sees responses says so before it forwards: dropped after that, with the future
/// that awaits the response, it frees deliveries. Units of a concurrency quota
/// are given back either way.
#[must_use = "tell it the response's status, or drop it to keep the effects"]
pub struct Settlement {
    journal: Option<Box<Journal>>,
    /// What is taken for the outcome when there is no word of it.
    unseen: Outcome,
}

impl Default for Settlement {
    fn default() -> Self {
        Self { journal: None, unseen: Outcome::Success }
    }
}

impl Settlement {
    /// Whether anything waits.
    pub fn is_pending(&self) -> bool {
        self.journal.is_some()
    }

    /// The response will be seen, if there is one.
    pub fn awaiting_response(mut self) -> Self {
        self.unseen = Outcome::Unknown;
        self
    }

    /// The upstream answered: keeps the effects below 400, gives them back
    /// otherwise. That begins at once, and ends also where nobody awaits it.
    pub fn response(mut self, status: StatusCode) -> impl Future<Output = ()> + Send + use<> {
        let outcome = if status.as_u16() < 400 { Outcome::Success } else { Outcome::Failure };
        settled(self.journal.take().and_then(|journal| journal.end(outcome)))
    }
}

impl Drop for Settlement {
    fn drop(&mut self) {
        if let Some(journal) = self.journal.take() {
            drop(journal.end(self.unseen));
        }
    }
}

impl std::fmt::Debug for Settlement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settlement").field("pending", &self.is_pending()).finish()
    }
}
