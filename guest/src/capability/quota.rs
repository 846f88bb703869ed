use core::marker::PhantomData;

use crate::extract::{Declares, Extract, Name, Needs, Request};
use crate::host::Host;
use crate::types::{Denial, Outcome};

/// A quota of the operator: how much of something a caller may have. `N` is
/// the policy's name for it.
#[derive(Clone, Copy, Debug)]
pub struct Quota<'a, N> {
    host: Host<'a>,
    index: u32,
    name: PhantomData<N>,
}

impl<N> Quota<'_, N> {
    /// Takes `cost` units from the quota of this request's caller. A cost of 0
    /// only looks.
    #[must_use]
    pub fn take(&self, cost: u32) -> Outcome {
        self.host.take(self.index, cost)
    }

    /// Takes `cost` units from the quota of a subject that the policy names.
    #[must_use]
    pub fn take_for(&self, subject: &str, cost: u32) -> Outcome {
        self.host.take_for(self.index, subject, cost)
    }

    /// After a take: milliseconds until the same take could be admitted,
    /// rounded up; 0 when it was, or when it can never be.
    #[must_use]
    pub fn retry_after_ms(&self) -> u64 {
        self.host.retry_after_ms(self.index)
    }

    /// After a take: how many units are left.
    #[must_use]
    pub fn remaining(&self) -> u64 {
        self.host.remaining(self.index)
    }

    /// After a take: milliseconds until the quota is full again.
    #[must_use]
    pub fn reset_after_ms(&self) -> u64 {
        self.host.reset_after_ms(self.index)
    }

    /// The most that can be taken at once.
    #[must_use]
    pub fn limit(&self) -> u64 {
        self.host.limit(self.index)
    }
}

impl<'a, R, N: Name> Extract<'a, R> for Quota<'a, N> {
    const DECLARES: Declares = Declares::quota(N::NAME);

    fn declare(_: &R, needs: &mut Needs) {
        needs.quota(N::NAME);
    }

    fn extract(_: &R, request: &mut Request<'a>) -> Result<Self, Denial> {
        Ok(Self { index: request.next_quota(), host: request.host(), name: PhantomData })
    }
}
