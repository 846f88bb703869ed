//! A loaded policy, and one check of it.

use crate::engine::Engine;
use crate::generation::error::Problem;
use crate::generation::shares::Shares;
use crate::generation::spec::{Grants, OnError, PolicySpec, Spec};
use crate::keys::KeySource;
use crate::metrics::Metrics;
use crate::policy::decision::{Decision, DecisionScope};
use crate::policy::failure::{CheckError, Failure};
use crate::policy::image::Image;
use crate::policy::input::{Inputs, decode_query, prepare_digests};
use crate::policy::instances::Instances;
use crate::policy::log::{LogBudget, LogRate};
use crate::policy::manifest::Manifest;
use crate::policy::quarantine::Quarantine;
use crate::policy::sandbox::{Granted, Sandbox};
use crate::policy::session::Session;
use crate::reason::HostReason;
use http::HeaderName;
use std::sync::Arc;
use std::time::Duration;

/// A policy, configured and granted, from which every request gets a fresh
/// instance.
pub(crate) struct Policy {
    pub(crate) name: Arc<str>,
    pub(crate) on_error: OnError,
    pub(crate) manifest: Arc<Manifest>,
    granted: Arc<Granted>,
    grants: Grants,
    deadline: Duration,
    memory_bytes: usize,
    log_rate: Arc<LogRate>,
    quarantine: Arc<Quarantine>,
    metrics: Arc<dyn Metrics>,
    /// Whether its failures tell panics.
    for_authors: bool,
    instances: Instances,
}

impl Policy {
    /// Grants `image`, which was made from `policy`: done again for every
    /// generation.
    pub(crate) fn grant(
        image: Arc<Image>,
        name: &str,
        policy: &PolicySpec,
        (spec, shares): (&Spec, Shares),
        keys: &dyn KeySource,
        (metrics, for_authors): (&Arc<dyn Metrics>, bool),
        engine: &Engine,
    ) -> Result<Self, Vec<Problem>> {
        Ok(Self {
            name: name.into(),
            on_error: policy.on_error,
            manifest: image.manifest.clone(),
            granted: Arc::new(image.manifest.grant(&policy.grants, spec, shares, keys)?),
            grants: policy.grants.clone(),
            deadline: policy.deadline,
            memory_bytes: policy.memory_bytes.max(image.memory_bytes),
            log_rate: Arc::default(),
            quarantine: Arc::default(),
            metrics: metrics.clone(),
            for_authors,
            instances: Instances::new(image, engine.clone()),
        })
    }

    /// Goes on as one of `previous` did, if that was the same policy: a reload
    /// of something else says nothing of how it behaves. Another deadline may.
    pub(crate) fn following(mut self, previous: &[Self]) -> Self {
        let is_same = |previous: &&Self| {
            previous.name == self.name
                && Arc::ptr_eq(previous.image(), self.image())
                && previous.grants == self.grants
                && previous.deadline == self.deadline
        };
        if let Some(same) = previous.iter().find(is_same) {
            self.quarantine = same.quarantine.clone();
        }
        self
    }

    /// Whether it is quarantined, and none of `next` goes on as it did.
    pub(crate) fn is_released_by(&self, next: &[Self]) -> bool {
        self.quarantine.is_on() && !next.iter().any(|next| Arc::ptr_eq(&next.quarantine, &self.quarantine))
    }

    /// The image it runs, which the next generation may take over.
    pub(crate) fn image(&self) -> &Arc<Image> {
        self.instances.image()
    }

    /// Ids of the secrets it can use, for the digest of its generation.
    pub(crate) fn secret_ids(&self) -> Vec<&str> {
        self.granted.keys.iter().flat_map(|(_, key)| key.secret_ids()).collect()
    }

    /// Whether one of its quotas counts requests that are under way.
    pub(crate) fn counts_requests_at_once(&self) -> bool {
        self.granted.quotas.iter().flat_map(|quotas| &quotas.draws).any(|draw| draw.rule.is_concurrency())
    }

    /// Query parameters that are not forwarded.
    pub(crate) fn removes_query(&self) -> &[String] {
        &self.grants.removes_query
    }

    /// Fields it may set on what is forwarded.
    pub(crate) fn sets(&self) -> &[HeaderName] {
        self.manifest.sets()
    }

    /// Checks one request on a fresh instance. The session comes back however
    /// the check ends.
    pub(crate) async fn check(&self, session: Box<Session>) -> (Box<Session>, Result<Decision, CheckError>) {
        let subject = session.subject.clone();
        let established = session.established.clone();
        let query = match decode_query(&self.manifest, &subject) {
            Ok(query) => query,
            Err((reason, detail)) => return (session, Err(CheckError::Refused(reason, detail))),
        };
        prepare_digests(&self.manifest, &subject).await;
        let inputs = match Inputs::gather(&self.manifest, &subject, &established, &query) {
            Ok(inputs) => inputs,
            Err((reason, detail)) => return (session, Err(CheckError::Refused(reason, detail))),
        };
        let (headers, query, digests) = (inputs.headers(), inputs.query_parameters(), inputs.digests());
        let input = inputs.record(&headers, &query, digests);

        let admission = match self.quarantine.admit(subject.now) {
            Ok(admission) => admission,
            Err(failure) => return (session, Err(CheckError::Failed(failure))),
        };
        let (session, result) = self.instances.decide(session, input, || self.sandbox()).await;
        let result = result.and_then(|decision| {
            // All that it declares was granted, or the policy would not exist.
            DecisionScope { vouch: self.manifest.vouches(), sets: self.manifest.sets() }
                .check(decision)
                .map_err(|violation| Failure::new(HostReason::ContractViolation, violation))
        });
        self.quarantine.note(admission, subject.now, &result, &self.name, self.metrics.as_ref());
        (session, result.map_err(CheckError::from))
    }

    /// The host's side of an instance.
    fn sandbox(&self) -> Sandbox {
        let log = LogBudget::new(self.log_rate.clone(), self.metrics.clone());
        Sandbox::new(
            self.name.clone(),
            self.granted.clone(),
            log,
            self.instances.engine().pulse.clone(),
            self.deadline,
            self.memory_bytes,
        )
        .told(self.for_authors, self.image().stack_bytes)
    }
}
