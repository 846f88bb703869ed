use super::{Tally, lock, read};
use crate::rfc3339;
use serde_json::{Map, Value, json};
use std::convert::Infallible;
use std::sync::atomic::Ordering;

impl Tally {
    /// The counts of each policy, and how it last failed, by its name.
    pub fn policies(&self) -> Map<String, Value> {
        let mut policies = Map::new();
        let Ok(()) = self.policies.each(|name, counts| {
            let mut failed = Map::new();
            let Ok(()) = counts.failed.each(|reason, count| {
                failed.insert(reason.to_owned(), read(count).into());
                Ok::<_, Infallible>(())
            });
            let last = lock(&counts.last_failure).clone();
            let last = last.map(|last| json!({ "at": rfc3339(last.at), "reason": last.reason, "detail": last.detail }));
            let counted = json!({
                "allow": read(&counts.allowed),
                "abstain": read(&counts.abstained),
                "deny": read(&counts.denied),
                "failed": failed,
                "last-failure": last,
                "quarantined": counts.quarantined.load(Ordering::Relaxed),
                "shadow": { "agreed": read(&counts.shadow_agreed), "differed": read(&counts.shadow_differed) },
            });
            policies.insert(name.to_owned(), counted);
            Ok::<_, Infallible>(())
        });
        policies
    }

    /// The counts of each route, by its name. Requests without a route are
    /// under the empty name.
    pub fn routes(&self) -> Map<String, Value> {
        let mut routes = Map::new();
        let Ok(()) = self.routes.each(|name, counts| {
            let mut denied = 0;
            let Ok(()) = counts.denied.each(|_, reasons| {
                reasons.each(|_, count| {
                    denied += read(count);
                    Ok::<_, Infallible>(())
                })
            });
            let counted = json!({ "allow": read(&counts.allowed), "deny": denied, "observed": read(&counts.observed) });
            routes.insert(name.to_owned(), counted);
            Ok::<_, Infallible>(())
        });
        routes
    }

    /// Requests whose outcome would have changed if all had been enforced: the
    /// latest of them, oldest first.
    pub fn differences(&self) -> Vec<Value> {
        let kept = lock(&self.differences);
        let sample = |difference: &super::Difference| {
            json!({
                "at": rfc3339(difference.at),
                "route": difference.route,
                "request": difference.request,
                "generation": difference.generation,
                "shadow": difference.policy,
                "would-deny": difference.would,
                "denied": difference.did,
            })
        };
        kept.iter().map(sample).collect()
    }
}
