//! `barmkin:quota`: how much a caller may have.

use crate::generation::spec::QuotaKey;
use crate::limits::SUBJECT_BYTES_MAX;
use crate::policy::bindings::barmkin::quota::quota::Outcome;
use crate::policy::capabilities::{no_such, store_failed};
use crate::policy::failure::Failure;
use crate::policy::sandbox::Sandbox;
use crate::policy::session::Session;
use crate::principal::Principal;
use crate::reason::HostReason;
use crate::store::{Draw, Take};
use barmkin_shares::Client;
use std::borrow::Cow;
use std::sync::Arc;

impl Sandbox {
    /// `quota.take`, and with a subject `quota.take-for`.
    pub(super) async fn take(&mut self, index: u32, subject: Option<String>, cost: u32) -> Result<Outcome, Failure> {
        let granted = self.granted.clone();
        self.charge_copied(subject.as_ref().map_or(0, String::len), 1)?;
        let session = self.begin_store_call()?;
        let quotas = granted.quotas.get(index as usize).ok_or_else(|| no_such("quota", index))?;
        let subject = match subject {
            Some(subject) if subject.len() > SUBJECT_BYTES_MAX => {
                return Err(Failure::new(
                    HostReason::HostCallsExceeded,
                    format!("a subject of {} bytes", subject.len()),
                ));
            }
            Some(subject) => format!("policy\0{subject}"),
            None => match caller(session, quotas.key) {
                Some(caller) => caller,
                None => return Ok(Outcome::Unidentified),
            },
        };
        let subject: Arc<str> = subject.into();
        let draws = session.scoped_draws(&quotas.draws);
        let take = session.journal.take(&subject, &draws, &quotas.keeps, cost).await.map_err(store_failed)?;
        self.takes.resize(granted.quotas.len(), None);
        if let Some(last) = self.takes.get_mut(index as usize) {
            *last = Some(take);
        }
        Ok(if take.admitted { Outcome::Admitted } else { Outcome::Refused })
    }

    /// Reads something of the last take of a quota.
    pub(super) fn last_take(&mut self, index: u32, read: fn(&Take) -> u64) -> Result<u64, Failure> {
        self.begin_call()?;
        let take = self.takes.get(index as usize).copied().flatten();
        take.as_ref().map(read).ok_or_else(|| Failure::new(HostReason::ContractViolation, "nothing was taken yet"))
    }

    /// `quota.limit`.
    pub(super) fn quota_limit(&mut self, index: u32) -> Result<u64, Failure> {
        self.begin_call()?;
        let quotas = self.granted.quotas.get(index as usize).ok_or_else(|| no_such("quota", index))?;
        Ok(quotas.draws.iter().map(|draw| draw.rule.limit()).min().unwrap_or_default())
    }
}

impl Session {
    /// `draws` in this session's name space.
    fn scoped_draws<'d>(&self, draws: &'d [Draw]) -> Cow<'d, [Draw]> {
        if self.name_space.is_none() {
            return draws.into();
        }
        draws.iter().map(|draw| Draw { quota: self.scoped(&draw.quota), rule: draw.rule }).collect()
    }
}

fn caller(session: &Session, key: QuotaKey) -> Option<String> {
    match key {
        QuotaKey::Principal => session.established.principal.as_deref().map(by_itself),
        QuotaKey::Tenant => session.established.principal.as_deref().map(|principal| match &principal.tenant {
            Some(tenant) => format!("tenant\0{tenant}"),
            None => by_itself(principal),
        }),
        QuotaKey::ClientAddress => {
            Some(format!("address\0{}", Client::from(session.subject.request.head.client.address?)))
        }
        QuotaKey::Route => Some(format!("route\0{}", session.subject.route)),
    }
}

fn by_itself(principal: &Principal) -> String {
    format!("principal\0{}\0{}", principal.tenant.as_deref().unwrap_or_default(), principal.id)
}
