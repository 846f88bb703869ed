//! Webhook signature, replay, roles and quota, one after the other.

use super::host::{Granted, Host};
use super::input::Established;
use super::rule::NativeRule;
use crate::fixture::open_roles;
use anyhow::Result;
use barmkin_guest::Settings;
use barmkin_guest::types::{Change, Decision};
use barmkin_host::{Clock, Head, Holder, LocalStore, SystemClock};
use barmkin_rate_quota::RateQuota;
use barmkin_replay_window::ReplayWindow;
use bytes::Bytes;
use serde_json::{Value, json};

/// The rules, and what they use.
pub struct NativeChain {
    signature: NativeRule<barmkin_webhook_signature::Settings>,
    replay: NativeRule<ReplayWindow>,
    roles: NativeRule<barmkin_rbac_scopes::Settings>,
    quota: NativeRule<RateQuota>,
    granted: Granted,
    serial: u128,
}

/// The outcome of a request.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "a box would be work that nothing needs")]
pub enum Verdict {
    /// It goes on, with these changes.
    Allow(Established, Vec<Change>),
    /// It does not, for this reason.
    Deny(String),
}

impl NativeChain {
    /// With the settings of [`chains_of_four`](crate::fixture::chains_of_four).
    ///
    /// # Errors
    /// When they are wrong.
    pub fn new(store: impl LocalStore + 'static) -> Result<Self> {
        Ok(Self {
            signature: NativeRule::configure(&json!({ "provider": "github" }))?,
            replay: NativeRule::configure(&Value::Object(serde_json::Map::new()))?,
            roles: NativeRule::configure(&open_roles())?,
            quota: NativeRule::configure(&Value::Object(serde_json::Map::new()))?,
            granted: Granted::on(store),
            serial: 0,
        })
    }

    /// All four.
    pub fn decide(&mut self, head: &Head, body: &Bytes) -> Verdict {
        self.run(head, body, |chain, progress| {
            progress.ask(&chain.signature)?;
            progress.ask(&chain.replay)?;
            progress.ask(&chain.roles)?;
            progress.ask(&chain.quota)
        })
    }

    /// The signature alone.
    pub fn verify(&mut self, head: &Head, body: &Bytes) -> Verdict {
        self.run(head, body, |chain, progress| progress.ask(&chain.signature))
    }

    fn run(
        &mut self,
        head: &Head,
        body: &Bytes,
        rules: impl FnOnce(&Self, &mut Progress<'_>) -> Result<(), String>,
    ) -> Verdict {
        self.serial += 1;
        let now_unix_ms = u64::try_from(SystemClock.now().as_millis()).unwrap_or(u64::MAX);
        let host = Host::new(&self.granted, body, now_unix_ms, Holder(self.serial));
        let mut progress = Progress {
            head,
            now_unix_ms,
            host,
            established: Established::default(),
            changes: Vec::new(),
            vouched: false,
        };
        let decided = rules(self, &mut progress);
        let Progress { host, established, changes, vouched, .. } = progress;
        let decided = decided.and_then(|()| if vouched { Ok(()) } else { Err("nobody-vouched".to_owned()) });
        let (settled, verdict) = match decided {
            Ok(()) => (host.allow(), Verdict::Allow(established, changes)),
            Err(code) => (host.deny(), Verdict::Deny(code)),
        };
        settled.expect("a store in memory settles");
        verdict
    }
}

struct Progress<'a> {
    head: &'a Head,
    now_unix_ms: u64,
    host: Host<'a>,
    established: Established,
    changes: Vec<Change>,
    vouched: bool,
}

impl Progress<'_> {
    fn ask<S: Settings>(&mut self, rule: &NativeRule<S>) -> Result<(), String> {
        match rule.check(self.head, self.now_unix_ms, &mut self.established, &self.host) {
            Decision::Allow(allowance) => {
                self.vouched = true;
                if let Some(principal) = &allowance.principal {
                    self.host.set_caller(&principal.id);
                }
                self.established = Established { principal: allowance.principal, facts: allowance.facts };
                self.changes.extend(allowance.changes);
                Ok(())
            }
            Decision::Abstain(changes) => {
                self.changes.extend(changes);
                Ok(())
            }
            Decision::Deny(denial) => Err(denial.code),
        }
    }
}
