//! What operators see and may do: the gate's side of the admin listener.

use super::{Orders, View, nonces};
use barmkin_admin::{
    Answered, By, Command, Control, Nonces, Registry, Reloads, StoreHealth, Tally, expose, pool, rfc3339,
};
use barmkin_host::{Clock, Engine, Gate, SystemClock};
use serde_json::{Value, json};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What is counted.
pub(crate) struct Counts {
    pub(crate) tally: Arc<Tally>,
    pub(crate) reloads: Reloads,
    pub(crate) store: StoreHealth,
}

/// Answers operators.
pub(crate) struct Operate {
    orders: Orders,
    view: View,
    gate: Arc<Gate>,
    tally: Arc<Tally>,
    store: StoreHealth,
    registry: Registry,
    started: String,
    is_ready: AtomicBool,
}

impl Operate {
    pub(crate) fn new(orders: Orders, view: View, gate: Arc<Gate>, engine: Engine, counts: Counts) -> Self {
        let Counts { tally, reloads, store } = counts;
        let mut registry = Registry::default();
        registry.register_collector(Box::new(tally.clone()));
        registry.register_collector(Box::new(reloads));
        registry.register_collector(Box::new(store.clone()));
        pool(engine, &mut registry);
        let started = rfc3339(SystemClock.now());
        Self { orders, view, gate, tally, store, registry, started, is_ready: AtomicBool::new(false) }
    }

    /// Whether requests may be sent here.
    pub(crate) fn set_ready(&self, is_ready: bool) {
        self.is_ready.store(is_ready, Ordering::Release);
    }

    /// What was counted of each policy that serves or did, with the component
    /// of those that do.
    fn policies(&self) -> Value {
        let mut policies = self.tally.policies();
        for (name, component) in self.gate.generation().components() {
            let policy = policies.entry(name).or_insert_with(|| json!({}));
            if let Value::Object(policy) = policy {
                policy.insert("component".to_owned(), format!("sha256:{component}").into());
            }
        }
        policies.into()
    }
}

impl Control for Operate {
    fn is_ready(&self) -> bool {
        self.is_ready.load(Ordering::Acquire)
    }

    fn status(&self) -> Value {
        let mut status = json!({
            "version": env!("CARGO_PKG_VERSION"),
            "started": self.started,
            "ready": self.is_ready(),
            "policies": self.policies(),
            "routes": self.tally.routes(),
            "store": self.store.status(),
            "differences": self.tally.differences(),
        });
        if let (Value::Object(status), Value::Object(view)) = (&mut status, self.view.get()) {
            status.extend(view);
        }
        status
    }

    fn metrics(&self) -> String {
        expose(&self.registry)
    }

    fn nonces(&self, wanted: Nonces, by: By) -> Pin<Box<dyn Future<Output = Answered> + Send>> {
        let generation = self.gate.generation();
        Box::pin(async move { nonces::answer(&generation, wanted, &by).await })
    }

    fn command(&self, command: Command, by: By) -> Pin<Box<dyn Future<Output = Answered> + Send>> {
        let orders = self.orders.clone();
        Box::pin(async move { orders.give(command, by).await })
    }
}
