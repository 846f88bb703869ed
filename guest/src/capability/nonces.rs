use core::marker::PhantomData;

use crate::extract::{Declares, Extract, Name, Needs, Request};
use crate::host::Host;
use crate::types::{Claim, Denial, DuplicateTreatment};

/// A nonce space of the operator: what may be used once. `N` is the policy's
/// name for it.
#[derive(Clone, Copy, Debug)]
pub struct Nonces<'a, N> {
    host: Host<'a>,
    index: u32,
    name: PhantomData<N>,
}

impl<N> Nonces<'_, N> {
    /// Claims the delivery that was verified, by what the operator identifies
    /// deliveries by, at least until the given time. Checking and claiming
    /// are one step: of two concurrent claims exactly one is the first.
    #[must_use]
    pub fn claim_delivery(&self, valid_until_unix_ms: u64) -> Claim {
        self.host.claim_delivery(self.index, valid_until_unix_ms)
    }

    /// Claims a nonce of the policy's own making, as [`Self::claim_delivery`].
    #[must_use]
    pub fn claim_nonce(&self, nonce: &[u8], valid_until_unix_ms: u64) -> Claim {
        self.host.claim_nonce(self.index, nonce, valid_until_unix_ms)
    }

    /// The treatment of a repeated delivery that the operator wants.
    #[must_use]
    pub fn on_duplicate(&self) -> DuplicateTreatment {
        self.host.on_duplicate(self.index)
    }
}

impl<'a, R, N: Name> Extract<'a, R> for Nonces<'a, N> {
    const DECLARES: Declares = Declares::nonces(N::NAME);

    fn declare(_: &R, needs: &mut Needs) {
        needs.nonces(N::NAME);
    }

    fn extract(_: &R, request: &mut Request<'a>) -> Result<Self, Denial> {
        Ok(Self { index: request.next_nonces(), host: request.host(), name: PhantomData })
    }
}
