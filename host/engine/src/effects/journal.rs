//! The effects of one request on the store.

use crate::clock;
use crate::effects::enduring::Enduring;
use crate::effects::settlement::Settlement;
use crate::effects::{Effect, EffectKind, Ended, Terms};
use crate::generation::spec::Keep;
use crate::limits::LEASE_RENEWED_EVERY;
use crate::metrics::{DeliveryOutcome, Metrics};
use crate::request::Sees;
use crate::store::{Claim, Draw, Holder, Lapse, NonceId, Store, StoreError, Take};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The effects of one request, in the order in which they happened.
///
/// Dropped undecided (the client went away while a remote store was awaited),
/// it gives back all but what is kept always.
pub(crate) struct Journal {
    store: Store,
    metrics: Arc<dyn Metrics>,
    holder: Holder,
    effects: Vec<Effect>,
    /// When the leases of its claims were last renewed.
    renewed: Option<Instant>,
    /// Whether it is being settled: if it is dropped then, with the executor of a
    /// remote store, it cannot be settled any longer.
    is_ending: bool,
}

impl Journal {
    pub(crate) fn new(store: Store, metrics: Arc<dyn Metrics>, holder: Holder) -> Self {
        Self { store, metrics, holder, effects: Vec::new(), renewed: None, is_ending: false }
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// How many there are: a point to [`undo`](Self::undo) back to.
    pub(crate) fn len(&self) -> usize {
        self.effects.len()
    }

    /// Claims `nonce` for `retain`.
    pub(crate) async fn claim(&mut self, nonce: NonceId, retain: Duration, terms: Terms) -> Result<Claim, StoreError> {
        self.renew_in_time();
        if self.store.is_local() {
            return self.claim_here(nonce, retain, terms).await;
        }
        self.beside(move |mut journal| async move { (journal.claim_here(nonce, retain, terms).await, journal) }).await
    }

    /// Takes `cost` from all of `draws`, each of which is kept as `keeps` says.
    pub(crate) async fn take(
        &mut self,
        subject: &Arc<str>,
        draws: &[Draw],
        keeps: &[Keep],
        cost: u32,
    ) -> Result<Take, StoreError> {
        self.renew_in_time();
        if self.store.is_local() {
            return self.take_here(subject, draws, keeps, cost).await;
        }
        let (subject, draws, keeps) = (subject.clone(), draws.to_vec(), keeps.to_vec());
        let take =
            move |mut journal: Self| async move { (journal.take_here(&subject, &draws, &keeps, cost).await, journal) };
        self.beside(take).await
    }

    async fn claim_here(&mut self, nonce: NonceId, retain: Duration, terms: Terms) -> Result<Claim, StoreError> {
        let Terms { keep, lapse, success } = terms;
        let hold = terms.hold(self.holder);
        let claim = self.store.claim(&nonce, retain, hold).await;
        match &claim {
            Ok(Claim::FirstUse) => {
                if hold.is_none() {
                    // Nothing that happens later changes it.
                    self.count(&nonce, lapse, DeliveryOutcome::Used);
                }
                self.effects.push(Effect { keep, kind: EffectKind::Claimed { nonce, lapse, success } });
            }
            Ok(Claim::InProgress) => self.count(&nonce, lapse, DeliveryOutcome::InProgress),
            Ok(Claim::Replayed) => self.count(&nonce, lapse, DeliveryOutcome::Duplicate),
            Err(_) if hold.is_some() => self.release_unknown(nonce),
            Err(_) => {}
        }
        claim
    }

    /// A claim whose answer was lost may have been made all the same. Nobody
    /// waits for a store that just failed, nor hears that it failed again.
    fn release_unknown(&self, nonce: NonceId) {
        if !self.store.is_local() {
            let (store, holder) = (self.store.clone(), self.holder);
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

    /// Renews the leases of what it claimed, where that is due: a chain that
    /// waits for a slow store again and again can take longer than a lease.
    fn renew_in_time(&mut self) {
        if !self.holds_claims() {
            return;
        }
        let now = clock::monotonic();
        if *self.renewed.get_or_insert(now) + LEASE_RENEWED_EVERY <= now {
            self.renewed = Some(now);
            self.renew();
        }
    }

    /// Renews the leases of what it claimed. Nobody waits for that.
    pub(super) fn renew(&self) {
        let held: Vec<_> = self.effects.iter().filter_map(Effect::held).cloned().collect();
        let (store, holder) = (self.store.clone(), self.holder);
        self.store.finish(async move {
            for nonce in held {
                if let Err(error) = store.renew(&nonce, holder).await {
                    tracing::warn!(%error, space = %nonce.space, "the lease of a claim could not be renewed");
                }
            }
        });
    }

    /// Whether it has claims that are under way.
    pub(super) fn holds_claims(&self) -> bool {
        self.effects.iter().any(|effect| effect.held().is_some())
    }

    /// Gives back the effects since `mark`, newest first, except those that are
    /// always kept.
    pub(crate) async fn undo(&mut self, mark: usize) {
        let undone = self.effects.split_off(mark.min(self.effects.len()));
        if !undone.iter().all(Effect::stays)
            && let Some(rest) = self.with(undone).end(Ended::Refused)
        {
            rest.await;
        }
    }

    /// The verdict is allow: makes final what does not wait for what its adapter
    /// sees of the end. Nobody waits for that: until it is done the store answers
    /// others that the claim is in progress.
    pub(crate) fn allow(mut self, sees: Sees) -> Settlement {
        let waits = |effect: &Effect| {
            effect.ends_with_request()
                || match sees {
                    Sees::Nothing => false,
                    Sees::Sent => effect.held().is_some(),
                    Sees::Response => effect.keep == Keep::OnSuccess,
                }
        };
        let held: Vec<_> =
            self.effects.extract_if(.., |effect| !waits(effect)).filter(|effect| effect.held().is_some()).collect();
        if !held.is_empty() {
            drop(self.with(held).end(Ended::LetIn));
        }
        Settlement::of(self, if sees == Sees::Nothing { Ended::LetIn } else { Ended::Unknown })
    }

    /// A journal of the same request, of those effects that end with it.
    pub(super) fn split_ending_with_request(&mut self) -> Self {
        let ending = self.effects.extract_if(.., |effect| effect.ends_with_request()).collect();
        self.with(ending)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.effects.is_empty()
    }

    /// A journal of the same request.
    fn with(&self, effects: Vec<Effect>) -> Self {
        let Self { store, metrics, holder, renewed, .. } = self;
        let (store, metrics) = (store.clone(), metrics.clone());
        Self { store, metrics, holder: *holder, effects, renewed: *renewed, is_ending: false }
    }

    /// The request has ended: settles its effects, whether or not anybody waits
    /// for the rest of the work. With a local store there is none.
    pub(super) fn end(mut self, ended: Ended) -> Option<Enduring<()>> {
        self.is_ending = true;
        let store = self.store.clone();
        let settle = self.settle(ended);
        if store.is_local() {
            store.finish(settle);
            return None;
        }
        Some(Enduring::new(&store, settle))
    }

    async fn settle(mut self, ended: Ended) {
        while let Some(effect) = self.effects.pop() {
            self.tell(&effect, ended);
            if ended.keeps(&effect) {
                self.confirm(&effect).await;
            } else {
                self.give_back(&effect).await;
            }
        }
    }

    async fn confirm(&self, effect: &Effect) {
        if let Some(nonce) = effect.held()
            && let Err(error) = self.store.confirm(nonce, self.holder).await
        {
            tracing::warn!(%error, space = %nonce.space, "a claim could not be confirmed and is left to its lease");
        }
    }

    async fn give_back(&self, effect: &Effect) {
        if effect.stays() {
            return;
        }
        let given = match &effect.kind {
            EffectKind::Claimed { nonce, .. } => self.store.release(nonce, self.holder).await,
            EffectKind::Took { subject, draw, cost, at } => self.store.give_back(subject, draw, *cost, *at).await,
        };
        if let Err(error) = given {
            self.metrics.undo_lost();
            tracing::warn!(%error, "an effect of a request that was not let in could not be given back and stays used");
        }
    }

    /// Counts the outcome of a delivery, and logs one that failed.
    fn tell(&self, effect: &Effect, ended: Ended) {
        let (Some(nonce), EffectKind::Claimed { lapse, .. }) = (effect.held(), &effect.kind) else { return };
        let outcome = match ended {
            _ if ended.keeps(effect) => DeliveryOutcome::Used,
            Ended::Refused => DeliveryOutcome::Refused,
            Ended::Unknown => DeliveryOutcome::Unknown,
            Ended::LetIn | Ended::Answered(_) | Ended::Failed => DeliveryOutcome::Failed,
        };
        self.count(nonce, *lapse, outcome);
        if *lapse == Lapse::Free && matches!(outcome, DeliveryOutcome::Failed | DeliveryOutcome::Unknown) {
            tracing::warn!(
                space = %nonce.space, delivery = %nonce, outcome = outcome.as_str(),
                "a delivery failed; its sender may send it again"
            );
        }
    }

    fn count(&self, nonce: &NonceId, lapse: Lapse, outcome: DeliveryOutcome) {
        // Nothing of a trial counts.
        if lapse == Lapse::Free && !nonce.space.is_trial() {
            self.metrics.delivery(nonce.space.name(), outcome);
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        let mut effects = std::mem::take(&mut self.effects);
        effects.retain(|effect| !effect.stays());
        if !effects.is_empty() && !self.is_ending {
            drop(self.with(effects).end(Ended::Refused));
        }
    }
}
