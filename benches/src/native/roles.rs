use super::host::{Granted, Host};
use super::input::Established;
use super::rule::NativeRule;
use crate::fixture::fifty_roles;
use anyhow::Result;
use barmkin_bench_peer::Question;
use barmkin_guest::types::{Decision, Principal};
use barmkin_host::{Head, Holder, MemoryStore};
use bytes::Bytes;

/// The rule `rbac-scopes` on its own.
pub struct NativeRoles {
    rule: NativeRule<barmkin_rbac_scopes::Settings>,
    granted: Granted,
}

impl NativeRoles {
    /// By the roles of `question`.
    ///
    /// # Errors
    /// When the rule does not take them.
    pub fn new(question: &Question) -> Result<Self> {
        let rule = NativeRule::configure(&fifty_roles(question))?;
        Ok(Self { rule, granted: Granted::on(MemoryStore::default()) })
    }

    /// Whether `principal` may send this.
    pub fn allows(&self, head: &Head, principal: Principal) -> bool {
        let body = Bytes::new();
        let host = Host::new(&self.granted, &body, 0, Holder(0));
        let mut established = Established { principal: Some(principal), facts: None };
        matches!(self.rule.check(head, 0, &mut established, &host), Decision::Allow(_))
    }
}
