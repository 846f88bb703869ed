//! The gate's side of the admin listener: what operators see and may do.

use super::{Orders, View, nonces};
use crate::health::Health;
use barmkin_admin::{Answered, By, Command, Control, Health as _, Nonces, StoreHealth, Tally, rfc3339};
use barmkin_host::{Clock, Gate, SystemClock};
use serde_json::{Value, json};
use std::pin::Pin;
use std::sync::Arc;

/// Answers operators.
pub(crate) struct Operate {
    orders: Orders,
    view: View,
    gate: Arc<Gate>,
    tally: Arc<Tally>,
    store: StoreHealth,
    health: Arc<Health>,
    started: String,
}

impl Operate {
    pub(crate) fn new(
        orders: Orders,
        view: View,
        gate: Arc<Gate>,
        health: Arc<Health>,
        tally: Arc<Tally>,
        store: StoreHealth,
    ) -> Self {
        Self { orders, view, gate, tally, store, health, started: rfc3339(SystemClock.now()) }
    }

    /// The counts of each policy that serves or did, with the component
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

impl barmkin_admin::Health for Operate {
    fn is_ready(&self) -> bool {
        self.health.is_ready()
    }

    fn metrics(&self) -> String {
        self.health.metrics()
    }
}

impl Control for Operate {
    fn status(&self) -> Value {
        let mut status = json!({
            "version": env!("CARGO_PKG_VERSION"),
            "started": self.started,
            "ready": self.health.is_ready(),
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

    fn nonces(&self, wanted: Nonces, by: By) -> Pin<Box<dyn Future<Output = Answered> + Send>> {
        let generation = self.gate.generation();
        Box::pin(async move { nonces::answer(&generation, wanted, &by).await })
    }

    fn command(&self, command: Command, by: By) -> Pin<Box<dyn Future<Output = Answered> + Send>> {
        let orders = self.orders.clone();
        Box::pin(async move { orders.give(command, by).await })
    }
}
