//! A loaded policy, and one check of it.

use crate::generation::error::Problem;
use crate::generation::spec::{OnError, PolicySpec, Spec};
use crate::keys::{Key, KeySource};
use crate::metrics::Metrics;
use crate::policy::bindings::barmkin::policy::types as wire;
use crate::policy::decision::{Decision, MaySay};
use crate::policy::failure::{CheckError, Failure, failure_of};
use crate::policy::image::Image;
use crate::policy::input::{Inputs, decode_query};
use crate::policy::log::{LogBudget, LogRate};
use crate::policy::manifest::Manifest;
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
    sets: Vec<HeaderName>,
    deadline: Duration,
    memory_bytes: usize,
    log_rate: Arc<LogRate>,
    image: Arc<Image>,
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
            sets: policy.grants.sets.clone(),
            deadline: policy.deadline,
            memory_bytes: policy.memory_bytes.max(image.memory_bytes),
            log_rate: Arc::default(),
            image,
        })
    }

    /// The image it runs, which the next generation may take over.
    pub(crate) fn image(&self) -> &Arc<Image> {
        &self.image
    }

    /// Ids of the secrets it can use, for the digest of its generation.
    pub(crate) fn secret_ids(&self) -> Vec<&str> {
        self.granted.keys.iter().flat_map(Key::secret_ids).collect()
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

        let log = LogBudget::new(self.log_rate.clone(), metrics.clone());
        let sandbox =
            Sandbox::new(self.name.clone(), self.granted.clone(), Some(session), log, self.deadline, self.memory_bytes);
        let mut store = Store::new(self.image.pre.engine(), sandbox);
        limit(&mut store, self.image.suspends);
        let result = match self.run(&mut store, input).await {
            Ok(decision) => MaySay { vouch: self.vouch, sets: &self.sets }
                .check(decision)
                .map_err(|violation| Failure::new(HostReason::ContractViolation, violation)),
            Err(error) => Err(failure_of(store.data(), &error)),
        };
        // INVARIANT (session): the sandbox keeps what it was given above.
        #[expect(clippy::expect_used, reason = "session")]
        let session = store.into_data().session.expect("the sandbox keeps its session");
        (session, result.map_err(CheckError::Failed))
    }

    async fn run(&self, store: &mut Store<Sandbox>, input: wire::Input<'_>) -> wasmtime::Result<wire::Decision> {
        let Image { pre, check, suspends, .. } = &*self.image;
        if *suspends { check.call_async(pre, store, input).await } else { check.call(pre, store, input) }
    }
}
