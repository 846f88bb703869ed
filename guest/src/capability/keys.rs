use core::marker::PhantomData;

use crate::extract::{Declares, Extract, Name, Needs, Request};
use crate::host::Host;
use crate::types::{Algorithm, Candidate, Denial, KeyNeed, Part, Refusal, Verified};

/// The algorithms that a rule can work with, as a type: one of the marker
/// types here, or a pair of those that make signatures.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an algorithm of a key",
    note = "use `HmacSha1`, `HmacSha256`, `HmacSha512`, `Ed25519` or `KeyedHashSha256`, or a pair of the first four"
)]
pub trait Algorithms {
    /// Their names in the contract.
    const ALL: &'static [Algorithm];
}

/// An algorithm that makes signatures.
pub trait SignatureAlgorithm {
    /// Its name in the contract.
    const ALGORITHM: Algorithm;
}

macro_rules! signature_algorithms {
    ($($(#[$docs:meta])* $name:ident;)*) => {$(
        $(#[$docs])*
        #[derive(Clone, Copy, Debug)]
        pub struct $name;

        impl SignatureAlgorithm for $name {
            const ALGORITHM: Algorithm = Algorithm::$name;
        }

        impl Algorithms for $name {
            const ALL: &'static [Algorithm] = &[Algorithm::$name];
        }
    )*};
}

signature_algorithms! {
    /// HMAC with SHA-1 (RFC 2104), for providers that offer nothing better.
    HmacSha1;
    /// HMAC with SHA-256 (RFC 2104).
    HmacSha256;
    /// HMAC with SHA-512 (RFC 2104).
    HmacSha512;
    /// Ed25519 (RFC 8032).
    Ed25519;
}

impl<A: SignatureAlgorithm, B: SignatureAlgorithm> Algorithms for (A, B) {
    const ALL: &'static [Algorithm] = &[A::ALGORITHM, B::ALGORITHM];
}

/// HMAC-SHA256 under a key that verifies nothing: for hashing only.
#[derive(Clone, Copy, Debug)]
pub struct KeyedHashSha256;

impl Algorithms for KeyedHashSha256 {
    const ALL: &'static [Algorithm] = &[Algorithm::KeyedHashSha256];
}

/// A key of the operator, which stays on the host. `N` is the policy's name
/// for it and `A` what it can be.
#[derive(Clone, Copy, Debug)]
pub struct Key<'a, N, A> {
    handle: Handle<'a>,
    types: PhantomData<(N, A)>,
}

impl<N, A> Key<'_, N, A> {
    /// Verifies that one of the candidates is a signature of the parts, one
    /// after the other, under one of the key's secrets in force.
    ///
    /// # Errors
    /// Why nothing was verified.
    pub fn verify(&self, base: &[Part<'_>], candidates: &[Candidate<'_>]) -> Result<Verified, Refusal>
    where
        A: Signatures,
    {
        self.handle.verify(base, candidates)
    }
}

impl<N> Key<'_, N, KeyedHashSha256> {
    /// The hash of `data` under each secret of the key in force, newest first.
    #[must_use]
    pub fn keyed_hash(&self, data: &[u8]) -> Vec<Vec<u8>> {
        self.handle.host.keyed_hash(self.handle.index, data)
    }
}

/// [`Algorithms`] all of which make signatures.
#[diagnostic::on_unimplemented(
    message = "a key for `{Self}` verifies no signatures",
    note = "for `KeyedHashSha256` use `keyed_hash`"
)]
pub trait Signatures: Algorithms {}

impl<A: SignatureAlgorithm + Algorithms> Signatures for A {}

impl<A: SignatureAlgorithm, B: SignatureAlgorithm> Signatures for (A, B) {}

impl<'a, R, N: Name, A: Algorithms> Extract<'a, R> for Key<'a, N, A> {
    const DECLARES: Declares = Declares::key(N::NAME);

    fn declare(_: &R, needs: &mut Needs) {
        needs.key(KeyNeed { name: N::NAME.to_owned(), algorithms: A::ALL.to_vec() });
    }

    fn extract(_: &R, request: &mut Request<'a>) -> Result<Self, Denial> {
        Ok(Self { handle: Handle::next(request), types: PhantomData })
    }
}

/// A rule whose settings say what its key must be.
#[diagnostic::on_unimplemented(
    message = "`ConfiguredKey` needs a rule that says which key, which `{Self}` does not",
    note = "implement `ConfiguresKey` for `{Self}`, or use `Key` with a name and an algorithm"
)]
pub trait ConfiguresKey {
    /// The policy's name for the key, and the algorithms that it can have.
    fn key_need(&self) -> KeyNeed;
}

/// The key that the rule's settings ask for. It verifies signatures.
#[derive(Clone, Copy, Debug)]
pub struct ConfiguredKey<'a> {
    handle: Handle<'a>,
}

impl ConfiguredKey<'_> {
    /// As [`Key::verify`].
    ///
    /// # Errors
    /// Why nothing was verified.
    pub fn verify(&self, base: &[Part<'_>], candidates: &[Candidate<'_>]) -> Result<Verified, Refusal> {
        self.handle.verify(base, candidates)
    }
}

impl<'a, R: ConfiguresKey> Extract<'a, R> for ConfiguredKey<'a> {
    fn declare(rule: &R, needs: &mut Needs) {
        needs.key(rule.key_need());
    }

    fn extract(_: &R, request: &mut Request<'a>) -> Result<Self, Denial> {
        Ok(Self { handle: Handle::next(request) })
    }
}

#[derive(Clone, Copy, Debug)]
struct Handle<'a> {
    host: Host<'a>,
    index: u32,
}

impl<'a> Handle<'a> {
    fn next(request: &mut Request<'a>) -> Self {
        Self { index: request.next_key(), host: request.host() }
    }

    fn verify(self, base: &[Part<'_>], candidates: &[Candidate<'_>]) -> Result<Verified, Refusal> {
        self.host.verify(self.index, base, candidates)
    }
}
