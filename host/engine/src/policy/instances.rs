//! The instances of one policy.

use crate::capacity::{Counted, Part};
use crate::engine::Engine;
use crate::policy::bindings::barmkin::policy::types as wire;
use crate::policy::check::Check;
use crate::policy::failure::{Failure, failure_of};
use crate::policy::image::Image;
use crate::policy::sandbox::{Sandbox, limit};
use crate::policy::session::Session;
use crate::reason::HostReason;
use std::sync::{Arc, Mutex, PoisonError};
use wasmtime::Store;

/// Instances of one policy that wait in one part: more than a thread has under
/// way at once, unless checks wait for a store. Past that they would take the
/// place of others.
const IDLE_MAX: usize = 16;

/// Makes instances of a policy, and keeps those that were renewed.
///
/// INVARIANT (fresh instance): a check begins in an instance whose state is
/// what `configure` left: it was just made, or its component is
/// [renewing](super::renewal), its last call returned and it did not grow.
pub(super) struct Instances {
    image: Arc<Image>,
    /// INVARIANT (own pulse): what can run a check keeps the engine, and so the
    /// ticks that end one.
    engine: Engine,
    idle: Box<[Part<Mutex<Vec<Instance>>>]>,
}

/// An instance, and the store that it lives in.
struct Instance {
    store: Store<Sandbox>,
    check: Check,
    /// Counts until the store is gone, which is dropped before.
    _counted: Counted,
}

impl Instances {
    pub(super) fn new(image: Arc<Image>, engine: Engine) -> Self {
        let idle = (0..engine.capacity.parts()).map(|_| Part::default()).collect();
        Self { image, engine, idle }
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.engine
    }

    pub(super) fn image(&self) -> &Arc<Image> {
        &self.image
    }

    /// Lets an instance decide; `sandbox` makes the host's side of a new one.
    /// The session comes back however that ends.
    pub(super) async fn decide(
        &self,
        session: Box<Session>,
        input: wire::Input<'_>,
        sandbox: impl FnOnce() -> Sandbox,
    ) -> (Box<Session>, Result<wire::Decision, Failure>) {
        if !self.engine.capacity.has_room() {
            return (session, Err(Failure::new(HostReason::Overloaded, "too many checks at once")));
        }
        let part = self.engine.capacity.part();
        let mut instance = match self.take(part) {
            Some(instance) => instance,
            None => match self.make(sandbox()).await {
                Ok(instance) => instance,
                Err(failure) => return (session, Err(failure)),
            },
        };
        let Instance { store, check, .. } = &mut instance;
        store.data_mut().begin(session);
        store.set_epoch_deadline(1);
        let decision = if self.image.suspends {
            let meter = store.data_mut().measured();
            meter.measure(check.call_async(store, input)).await
        } else {
            check.call(store, input)
        };
        let sandbox = store.data_mut();
        let mut result = decision.map_err(|error| failure_of(sandbox, &error));
        let is_renewed = self.image.not_renewed.is_none() && result.is_ok() && !sandbox.has_grown;
        if result.is_ok() && sandbox.was_missed() {
            result = Err(Failure::new(HostReason::DeadlineExceeded, "it answered long after its deadline"));
        }
        let session = sandbox.end();
        if is_renewed {
            self.keep(instance);
        }
        (session, result)
    }

    async fn make(&self, sandbox: Sandbox) -> Result<Instance, Failure> {
        let Image { pre, check, suspends, .. } = &*self.image;
        // Code of the guest may run, and be suspended, while it is made.
        let counted = self.engine.capacity.count();
        let mut store = Store::new(pre.engine(), sandbox);
        limit(&mut store, *suspends);
        let made = if *suspends { pre.instantiate_async(&mut store).await } else { pre.instantiate(&mut store) };
        match made.and_then(|instance| check.of(&instance, &mut store)) {
            Ok(check) => Ok(Instance { store, check, _counted: counted }),
            Err(error) => Err(failure_of(store.data(), &error)),
        }
    }

    fn take(&self, part: usize) -> Option<Instance> {
        let Part(idle) = self.idle.get(part)?;
        let instance = idle.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
        self.engine.capacity.end_idle(part, self.image.memory_bytes);
        Some(instance)
    }

    fn keep(&self, instance: Instance) {
        let part = self.engine.capacity.part();
        let Some(Part(idle)) = self.idle.get(part) else { return };
        let mut idle = idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_MAX && self.engine.capacity.begin_idle(part, self.image.memory_bytes) {
            idle.push(instance);
        }
    }
}

impl Drop for Instances {
    fn drop(&mut self) {
        for (part, Part(idle)) in self.idle.iter_mut().enumerate() {
            // One by one: in between they would count as instances that check.
            for instance in idle.get_mut().unwrap_or_else(PoisonError::into_inner).drain(..) {
                self.engine.capacity.end_idle(part, self.image.memory_bytes);
                drop(instance);
            }
        }
    }
}
