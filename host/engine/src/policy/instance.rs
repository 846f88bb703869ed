//! A loaded policy, and one check of it.

use crate::generation::error::Problem;
use crate::generation::spec::{Grants, OnError, PolicySpec, Spec};
use crate::keys::{Key, KeySource};
use crate::metrics::Metrics;
use crate::policy::bindings::barmkin::policy::types as wire;
use crate::policy::decision::{Decision, MaySay};
use crate::policy::failure::{CheckError, Failure, failure_of};
use crate::policy::image::Image;
use crate::policy::input::{Inputs, decode_query};
use crate::policy::log::{LogBudget, LogRate};
use crate::policy::manifest::Manifest;
use crate::policy::quarantine::Quarantine;
use crate::policy::sandbox::{Granted, Sandbox, Session, limit};
use crate::reason::HostReason;
use http::HeaderName;
use std::sync::Arc;
use std::time::Duration;
use wasmtime::Store;

/// A policy, configured and granted, from which every request gets a fresh
/// instance.
///
/// INVARIANT (fresh instance): nothing of an instance outlives its check. The
/// image it starts from is the memory that `configure` left.
pub(crate) struct Policy {
    pub(crate) name: Arc<str>,
    pub(crate) on_error: OnError,
    pub(crate) manifest: Arc<Manifest>,
    pub(crate) vouch: bool,
    granted: Arc<Granted>,
    grants: Grants,
    deadline: Duration,
    memory_bytes: usize,
    log_rate: Arc<LogRate>,
    quarantine: Arc<Quarantine>,
    image: Arc<Image>,
    #[cfg(feature = "measure")]
    kept: crate::policy::kept::Kept,
}

impl Policy {
    /// Grants `image`, which was made from `policy`: what is done anew for
    /// every generation.
    pub(crate) fn grant(
        image: Arc<Image>,
        name: &str,
        policy: &PolicySpec,
        spec: &Spec,
        keys: &dyn KeySource,
    ) -> Result<Self, Vec<Problem>> {
        Ok(Self {
            name: name.into(),
            on_error: policy.on_error,
            manifest: image.manifest.clone(),
            vouch: policy.grants.vouch,
            granted: Arc::new(image.manifest.grant(&policy.grants, spec, keys)?),
            grants: policy.grants.clone(),
            deadline: policy.deadline,
            memory_bytes: policy.memory_bytes.max(image.memory_bytes),
            log_rate: Arc::default(),
            quarantine: Arc::default(),
            image,
            #[cfg(feature = "measure")]
            kept: crate::policy::kept::Kept::default(),
        })
    }

    /// Goes on as one of `previous` did, if that was the same policy: a reload
    /// of something else says nothing of how it behaves. Another deadline may.
    pub(crate) fn following(mut self, previous: &[Self]) -> Self {
        let is_same = |previous: &&Self| {
            previous.name == self.name
                && Arc::ptr_eq(&previous.image, &self.image)
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
        &self.image
    }

    /// Lets one instance decide every request, or no longer.
    #[cfg(feature = "measure")]
    pub(crate) fn keep_instance(&self, keep: bool) {
        self.kept.want(keep);
    }

    /// Ids of the secrets it can use, for the digest of its generation.
    pub(crate) fn secret_ids(&self) -> Vec<&str> {
        self.granted.keys.iter().flat_map(Key::secret_ids).collect()
    }

    /// Whether one of its quotas counts requests that are under way.
    pub(crate) fn counts_requests_at_once(&self) -> bool {
        self.granted.quotas.iter().flat_map(|quotas| &quotas.draws).any(|draw| draw.rule.is_concurrency())
    }

    /// Fields it may set on what is forwarded.
    pub(crate) fn sets(&self) -> &[HeaderName] {
        self.manifest.sets()
    }

    /// Checks one request on a fresh instance. The session comes back however
    /// the check ends.
    pub(crate) async fn check(
        &self,
        metrics: &Arc<dyn Metrics>,
        session: Box<Session>,
    ) -> (Box<Session>, Result<Decision, CheckError>) {
        let subject = session.subject.clone();
        let established = session.established.clone();
        let query = match decode_query(&self.manifest, &subject) {
            Ok(query) => query,
            Err((reason, detail)) => return (session, Err(CheckError::Refused(reason, detail))),
        };
        let inputs = match Inputs::gather(&self.manifest, &subject, &established, &query) {
            Ok(inputs) => inputs,
            Err((reason, detail)) => return (session, Err(CheckError::Refused(reason, detail))),
        };
        let (headers, query, digests) = (inputs.headers(), inputs.query_parameters(), inputs.digests());
        let input = inputs.record(&headers, &query, &digests);

        let admission = match self.quarantine.admit(subject.now) {
            Ok(admission) => admission,
            Err(failure) => return (session, Err(CheckError::Failed(failure))),
        };
        let log = LogBudget::new(self.log_rate.clone(), metrics.clone());
        let sandbox =
            Sandbox::new(self.name.clone(), self.granted.clone(), Some(session), log, self.deadline, self.memory_bytes);
        let (sandbox, result) = self.ask(sandbox, input).await;
        let result = result.and_then(|decision| {
            MaySay { vouch: self.vouch, sets: &self.grants.sets }
                .check(decision)
                .map_err(|violation| Failure::new(HostReason::ContractViolation, violation))
        });
        self.quarantine.note(admission, subject.now, &result, &self.name, metrics.as_ref());
        // INVARIANT (session): the sandbox keeps what it was given above.
        #[expect(clippy::expect_used, reason = "session")]
        let session = sandbox.session.expect("the sandbox keeps its session");
        (session, result.map_err(CheckError::from))
    }

    /// Lets a fresh instance decide.
    async fn ask(&self, sandbox: Sandbox, input: wire::Input<'_>) -> (Sandbox, Result<wire::Decision, Failure>) {
        #[cfg(feature = "measure")]
        if self.kept.is_wanted() {
            return self.kept.ask(&self.image, sandbox, input);
        }
        let Image { pre, check, suspends, .. } = &*self.image;
        let mut store = Store::new(pre.engine(), sandbox);
        limit(&mut store, *suspends);
        let decision =
            if *suspends { check.call_async(pre, &mut store, input).await } else { check.call(pre, &mut store, input) };
        let result = decision.map_err(|error| failure_of(store.data(), &error));
        (store.into_data(), result)
    }
}
