//! A loaded policy, and one check of it.

use crate::engine::Engine;
use crate::generation::error::Problem;
use crate::generation::spec::{OnError, PolicySpec, Spec};
use crate::keys::{Key, KeySource};
use crate::limits::{self, MEMORY_BYTES_MAX, SETTINGS_BYTES_MAX};
use crate::metrics::Metrics;
use crate::policy::bindings::barmkin::policy::types as wire;
use crate::policy::check::Check;
use crate::policy::component::inspect;
use crate::policy::decision::{Decision, MaySay};
use crate::policy::failure::{CheckError, Failure, failure_of};
use crate::policy::input::{Inputs, decode_query};
use crate::policy::log::{LogBudget, LogRate};
use crate::policy::manifest::Manifest;
use crate::policy::quarantine::Quarantine;
use crate::policy::sandbox::{Granted, Sandbox, Session, limit};
use crate::policy::{capabilities, snapshot};
use crate::reason::HostReason;
use http::HeaderName;
use std::sync::Arc;
use std::time::Duration;
use wasmtime::Store;
use wasmtime::component::{Component, InstancePre, Linker};

/// A policy, configured and granted, from which every request gets a fresh
/// instance.
///
/// INVARIANT (fresh instance): nothing of an instance outlives its check. The
/// image it starts from is the memory that `configure` left.
pub(crate) struct Policy {
    pub(crate) name: Arc<str>,
    pub(crate) on_error: OnError,
    pub(crate) manifest: Manifest,
    pub(crate) vouch: bool,
    granted: Arc<Granted>,
    sets: Vec<HeaderName>,
    deadline: Duration,
    memory_bytes: usize,
    log_rate: Arc<LogRate>,
    quarantine: Quarantine,
    image: InstancePre<Sandbox>,
    check: Check,
    /// Whether it asks a remote store, and so runs on a stack of its own.
    suspends: bool,
}

impl Policy {
    /// Loads, configures and grants a policy: everything that is not done per
    /// request.
    pub(crate) fn load(
        engine: &Engine,
        name: &str,
        policy: &PolicySpec,
        spec: &Spec,
        keys: &dyn KeySource,
        local: bool,
    ) -> Result<Self, Vec<Problem>> {
        check_limits(policy)?;
        let settings = settings_text(&policy.settings)?;
        inspect(&policy.component).map_err(|problem| vec![problem])?;
        let configured = snapshot::configure(engine, &policy.component, &settings, policy.memory_bytes)?;
        let manifest = Manifest::read(configured.manifest).map_err(|problem| vec![problem])?;
        let granted = manifest.grant(&policy.grants, spec, keys)?;
        let image_bytes = inspect(&configured.component).map_err(|problem| vec![problem])?.memory_bytes();
        let suspends = !local && (!granted.nonces.is_empty() || !granted.quotas.is_empty());
        let (image, check) = image(engine, &configured.component, suspends)
            .map_err(|error| vec![Problem::Mistyped(format!("{error:#}"))])?;
        Ok(Self {
            name: name.into(),
            on_error: policy.on_error,
            manifest,
            vouch: policy.grants.vouch,
            granted: Arc::new(granted),
            sets: policy.grants.sets.clone(),
            deadline: policy.deadline,
            memory_bytes: policy.memory_bytes.max(image_bytes),
            log_rate: Arc::default(),
            quarantine: Quarantine::default(),
            image,
            check,
            suspends,
        })
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

        let admission = match self.quarantine.admit(subject.now) {
            Ok(admission) => admission,
            Err(failure) => return (session, Err(CheckError::Failed(failure))),
        };
        let log = LogBudget::new(self.log_rate.clone(), metrics.clone());
        let sandbox =
            Sandbox::new(self.name.clone(), self.granted.clone(), Some(session), log, self.deadline, self.memory_bytes);
        let mut store = Store::new(self.image.engine(), sandbox);
        limit(&mut store, self.suspends);
        let result = match self.run(&mut store, input).await {
            Ok(decision) => MaySay { vouch: self.vouch, sets: &self.sets }
                .check(decision)
                .map_err(|violation| Failure::new(HostReason::ContractViolation, violation)),
            Err(error) => Err(failure_of(store.data(), &error)),
        };
        self.quarantine.note(admission, subject.now, &result, &self.name, metrics.as_ref());
        // INVARIANT (session): the sandbox keeps what it was given above.
        #[expect(clippy::expect_used, reason = "session")]
        let session = store.into_data().session.expect("the sandbox keeps its session");
        (session, result.map_err(CheckError::Failed))
    }

    async fn run(&self, store: &mut Store<Sandbox>, input: wire::Input<'_>) -> wasmtime::Result<wire::Decision> {
        if self.suspends {
            self.check.call_async(&self.image, store, input).await
        } else {
            self.check.call(&self.image, store, input)
        }
    }
}

fn check_limits(policy: &PolicySpec) -> Result<(), Vec<Problem>> {
    let out_of_range =
        |what, value: String, min: &str, max: String| Problem::OutOfRange { what, value, min: min.to_owned(), max };
    let mut problems = Vec::new();
    if !(Duration::from_millis(1)..=limits::DEADLINE_MAX).contains(&policy.deadline) {
        let max = format!("{:?}", limits::DEADLINE_MAX);
        problems.push(out_of_range("the deadline", format!("{:?}", policy.deadline), "1ms", max));
    }
    if !(64 * 1024..=MEMORY_BYTES_MAX).contains(&policy.memory_bytes) {
        problems.push(out_of_range(
            "the memory",
            policy.memory_bytes.to_string(),
            "65536",
            MEMORY_BYTES_MAX.to_string(),
        ));
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

fn settings_text(settings: &serde_json::Value) -> Result<String, Vec<Problem>> {
    if !settings.is_object() {
        return Err(vec![Problem::Settings("are not an object".to_owned())]);
    }
    let text = settings.to_string();
    if text.len() > SETTINGS_BYTES_MAX {
        return Err(vec![Problem::Settings(format!("have {} bytes, but may have {SETTINGS_BYTES_MAX}", text.len()))]);
    }
    Ok(text)
}

fn image(engine: &Engine, component: &[u8], suspends: bool) -> wasmtime::Result<(InstancePre<Sandbox>, Check)> {
    let component = Component::new(&engine.run, component)?;
    let mut linker = Linker::new(&engine.run);
    capabilities::add_to_linker(&mut linker, suspends)?;
    let check = Check::find(&component)?;
    Ok((linker.instantiate_pre(&component)?, check))
}
