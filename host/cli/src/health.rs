//! How the gate is, for anybody who asks: from before there is anything to serve with.

use barmkin_admin::{Registry, Reloads, StoreHealth, Tally, expose, pool};
use barmkin_host::Engine;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// How the gate is.
pub(crate) struct Health {
    ready: watch::Sender<bool>,
    registry: Mutex<Registry>,
}

impl Health {
    /// Of a gate that is not ready yet.
    pub(crate) fn new(tally: Arc<Tally>, reloads: Reloads, store: StoreHealth) -> Self {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(tally));
        registry.register_collector(Box::new(reloads));
        registry.register_collector(Box::new(store));
        Self { ready: watch::Sender::new(false), registry: registry.into() }
    }

    /// Whether requests may be sent here.
    pub(crate) fn set_ready(&self, is_ready: bool) {
        self.ready.send_replace(is_ready);
    }

    /// The same, for those that wait until it changes.
    pub(crate) fn ready(&self) -> watch::Receiver<bool> {
        self.ready.subscribe()
    }

    /// There is an engine, whose instances are counted from here on.
    pub(crate) fn count_pool(&self, engine: Engine) {
        pool(engine, &mut self.registry.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl barmkin_admin::Health for Health {
    fn is_ready(&self) -> bool {
        *self.ready.borrow()
    }

    fn metrics(&self) -> String {
        expose(&self.registry.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
