//! Effects follow the verdict (law 6).
//!
//! An effect is in the store before the verdict. What must not stay is given
//! back; a lost give-back leaves it used, never free.

use crate::generation::spec::Keep;
use crate::metrics::Metrics;
use crate::store::{Draw, Holder, NonceId, Store};
use http::StatusCode;
use std::sync::Arc;
use std::time::Duration;

/// Something a policy did to a store.
#[derive(Debug)]
pub(crate) struct Effect {
    pub(crate) keep: Keep,
    pub(crate) kind: EffectKind,
}

#[derive(Debug)]
pub(crate) enum EffectKind {
    Claimed(NonceId),
    Took { subject: Arc<str>, draw: Draw, cost: u32, at: Duration },
}

impl Effect {
    /// Whether it counts a request that is under way: then it is given back
    /// when that ends, however it ends.
    fn ends_with_request(&self) -> bool {
        matches!(&self.kind, EffectKind::Took { draw, .. } if draw.rule.is_concurrency())
    }
}

/// The effects of one request, in the order in which they happened.
///
/// Dropped undecided (the client went away while a remote store was awaited),
/// they stay: a lost undo leaves an effect used. Only what counts a request
/// that is under way ends with it.
pub(crate) struct Journal {
    store: Store,
    metrics: Arc<dyn Metrics>,
    holder: Holder,
    effects: Vec<Effect>,
}

impl Journal {
    pub(crate) fn new(store: Store, metrics: Arc<dyn Metrics>, holder: Holder) -> Self {
        Self { store, metrics, holder, effects: Vec::new() }
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// Who holds the claims. What is kept always is held by nobody.
    pub(crate) fn holder(&self, keep: Keep) -> Option<Holder> {
        (keep != Keep::Always).then_some(self.holder)
    }

    pub(crate) fn push(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    /// How many there are: a point to [`undo`](Self::undo) back to.
    pub(crate) fn len(&self) -> usize {
        self.effects.len()
    }

    /// Gives back what happened since `mark`, newest first, but for what is
    /// kept always.
    pub(crate) async fn undo(&mut self, mark: usize) {
        while self.effects.len() > mark {
            let Some(effect) = self.effects.pop() else { break };
            self.give_back(&effect).await;
        }
    }

    /// The verdict is allow: makes final what does not wait for the response.
    pub(crate) async fn allow(mut self) -> Settlement {
        let effects = std::mem::take(&mut self.effects);
        let waits = |effect: &Effect| effect.keep == Keep::OnSuccess || effect.ends_with_request();
        let (waiting, kept): (Vec<_>, Vec<_>) = effects.into_iter().partition(waits);
        for effect in kept {
            self.confirm(&effect).await;
        }
        self.effects = waiting;
        Settlement { journal: (!self.effects.is_empty()).then(|| Box::new(self)) }
    }

    /// The request has ended.
    async fn settle(mut self, succeeded: bool) {
        while let Some(effect) = self.effects.pop() {
            if succeeded && !effect.ends_with_request() {
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
        if effect.keep == Keep::Always && !effect.ends_with_request() {
            return;
        }
        let given = match &effect.kind {
            EffectKind::Claimed(nonce) => self.store.release(nonce, self.holder).await,
            EffectKind::Took { subject, draw, cost, at } => self.store.give_back(subject, draw, *cost, *at).await,
        };
        if let Err(error) = given {
            self.metrics.undo_lost();
            tracing::warn!(%error, "an effect of a denied request could not be given back and stays used");
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        let mut effects = std::mem::take(&mut self.effects);
        effects.retain(Effect::ends_with_request);
        if !effects.is_empty() {
            let rest = Self { store: self.store.clone(), metrics: self.metrics.clone(), holder: self.holder, effects };
            self.store.finish(rest.settle(false));
        }
    }
}

/// The effects of an allowed request that wait for the upstream's response.
///
/// Dropping it keeps them: so they are kept where no response is seen, and
/// when it never comes. Units of a concurrency quota are given back either way.
#[derive(Default)]
#[must_use = "tell it the response's status, or drop it to keep the effects"]
pub struct Settlement {
    journal: Option<Box<Journal>>,
}

impl Settlement {
    /// Whether anything waits.
    pub fn is_pending(&self) -> bool {
        self.journal.is_some()
    }

    /// The upstream answered: keeps the effects below 400, gives them back
    /// otherwise.
    pub async fn response(mut self, status: StatusCode) {
        if let Some(journal) = self.journal.take() {
            journal.settle(status.as_u16() < 400).await;
        }
    }
}

impl Drop for Settlement {
    fn drop(&mut self) {
        if let Some(journal) = self.journal.take() {
            let store = journal.store.clone();
            store.finish(journal.settle(true));
        }
    }
}

impl std::fmt::Debug for Settlement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settlement").field("pending", &self.is_pending()).finish()
    }
}
