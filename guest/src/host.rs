//! The host, as capabilities see it.

#[cfg(target_arch = "wasm32")]
pub(crate) use imports::Host;
#[cfg(not(target_arch = "wasm32"))]
pub(crate) use native::Host;
#[cfg(not(target_arch = "wasm32"))]
pub use native::HostCalls;

/// In a component the host is what the imports reach. Each import is called in
/// one place only, so that a policy which does not use it does not import it.
#[cfg(target_arch = "wasm32")]
mod imports {
    use core::marker::PhantomData;

    use crate::bindings::barmkin::{keys::keys, quota::quota, replay::replay};
    use crate::types::{Candidate, Claim, DuplicateTreatment, Outcome, Part, Refusal, Verified};

    #[derive(Clone, Copy, Debug, Default)]
    pub(crate) struct Host<'a>(PhantomData<&'a ()>);

    impl Host<'_> {
        pub(crate) fn verify(
            self,
            key: u32,
            base: &[Part<'_>],
            candidates: &[Candidate<'_>],
        ) -> Result<Verified, Refusal> {
            keys::verify(key, base, candidates)
        }

        pub(crate) fn keyed_hash(self, key: u32, data: &[u8]) -> Vec<Vec<u8>> {
            keys::keyed_hash(key, data)
        }

        pub(crate) fn claim_delivery(self, space: u32, valid_until_unix_ms: u64) -> Claim {
            replay::claim_delivery(space, valid_until_unix_ms)
        }

        pub(crate) fn claim_nonce(self, space: u32, nonce: &[u8], valid_until_unix_ms: u64) -> Claim {
            replay::claim_nonce(space, nonce, valid_until_unix_ms)
        }

        pub(crate) fn on_duplicate(self, space: u32) -> DuplicateTreatment {
            replay::on_duplicate(space)
        }

        pub(crate) fn take(self, quota: u32, cost: u32) -> Outcome {
            quota::take(quota, cost)
        }

        pub(crate) fn take_for(self, quota: u32, subject: &str, cost: u32) -> Outcome {
            quota::take_for(quota, subject, cost)
        }

        pub(crate) fn retry_after_ms(self, quota: u32) -> u64 {
            quota::retry_after_ms(quota)
        }

        pub(crate) fn remaining(self, quota: u32) -> u64 {
            quota::remaining(quota)
        }

        pub(crate) fn reset_after_ms(self, quota: u32) -> u64 {
            quota::reset_after_ms(quota)
        }

        pub(crate) fn limit(self, quota: u32) -> u64 {
            quota::limit(quota)
        }
    }
}

/// Elsewhere the host is whatever the caller of the rule passes.
#[cfg(not(target_arch = "wasm32"))]
mod native {
    use core::fmt;
    use core::ops::Deref;

    use crate::types::{Candidate, Claim, DuplicateTreatment, Level, Outcome, Part, Refusal, Verified};

    /// The host's side of a rule that runs natively: the imports of the
    /// contract, which documents them.
    ///
    /// [`run_native`](crate::native::run_native) takes one, which lives for
    /// one request as the state of an instance does. `key`, `space` and `quota` are indices
    /// into the manifest's lists.
    #[allow(missing_docs, reason = "the contract documents each import")]
    pub trait HostCalls {
        fn verify(&self, key: u32, base: &[Part<'_>], candidates: &[Candidate<'_>]) -> Result<Verified, Refusal>;
        fn keyed_hash(&self, key: u32, data: &[u8]) -> Vec<Vec<u8>>;
        fn claim_delivery(&self, space: u32, valid_until_unix_ms: u64) -> Claim;
        fn claim_nonce(&self, space: u32, nonce: &[u8], valid_until_unix_ms: u64) -> Claim;
        fn on_duplicate(&self, space: u32) -> DuplicateTreatment;
        fn take(&self, quota: u32, cost: u32) -> Outcome;
        fn take_for(&self, quota: u32, subject: &str, cost: u32) -> Outcome;
        fn retry_after_ms(&self, quota: u32) -> u64;
        fn remaining(&self, quota: u32) -> u64;
        fn reset_after_ms(&self, quota: u32) -> u64;
        fn limit(&self, quota: u32) -> u64;
        /// Called with the lines of a check after it has decided.
        fn write_log(&self, level: Level, message: &str, pairs: &[(String, String)]);
    }

    #[derive(Clone, Copy)]
    pub(crate) struct Host<'a>(pub(crate) &'a dyn HostCalls);

    impl<'a> Deref for Host<'a> {
        type Target = dyn HostCalls + 'a;

        fn deref(&self) -> &Self::Target {
            self.0
        }
    }

    impl fmt::Debug for Host<'_> {
        fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("Host")
        }
    }
}
