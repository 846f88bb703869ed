//! The needs of the stock policies, so that a chain can name them directly.
//!
//! A manifest would say it too, but only once the component runs, and what to
//! grant must be known before.

/// A stock policy, and what it needs.
pub(crate) struct StockPolicy {
    pub(crate) component: &'static [u8],
    /// Nonce spaces, by the policy's names.
    pub(crate) nonces: &'static [&'static str],
    /// Quotas, likewise.
    pub(crate) quotas: &'static [&'static str],
    /// Fields of the gate's own name that it sets.
    pub(crate) sets: &'static [&'static str],
    /// Whether it runs with default settings, and without a grant that only
    /// the operator can give.
    pub(crate) is_ready: bool,
}

/// The stock policy of that name.
pub(crate) fn find(name: &str) -> Option<StockPolicy> {
    let component = barmkin_stock::get(name)?.component;
    let mut policy = StockPolicy { component, nonces: &[], quotas: &[], sets: &[], is_ready: false };
    match name {
        "rate-quota" => {
            policy.quotas = &["quota"];
            policy.is_ready = true;
        }
        "replay-window" => {
            policy.nonces = &["deliveries"];
            policy.sets = &["barmkin-duplicate"];
            policy.is_ready = true;
        }
        _ => {}
    }
    Some(policy)
}

/// The name of the stock policy that `component` is, if it is one.
pub(crate) fn name_of(component: &[u8]) -> Option<&'static str> {
    barmkin_stock::all().iter().find(|stock| *stock.component == *component).map(|stock| stock.name)
}

/// Names of all of them.
pub(crate) fn names() -> Vec<&'static str> {
    barmkin_stock::all().iter().map(|stock| stock.name).collect()
}
