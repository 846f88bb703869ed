//! The body: on the host, as digests, or as bytes.

use core::marker::PhantomData;

use crate::extract::{Extract, Needs, Request};
use crate::types::{Body, BodyInput, Denial, DigestAlgorithm};

/// The body stays on the host, where [`Key::verify`](crate::Key::verify) reads
/// it as [`Part::Body`](crate::types::Part::Body).
#[derive(Clone, Copy, Debug)]
pub struct BodyOnHost;

impl<'a, R> Extract<'a, R> for BodyOnHost {
    fn declare(_: &R, needs: &mut Needs) {
        needs.body(BodyInput::OnHost);
    }

    fn extract(_: &R, _: &mut Request<'a>) -> Result<Self, Denial> {
        Ok(Self)
    }
}

/// A hash function over the body, as a type.
#[diagnostic::on_unimplemented(message = "`{Self}` is not a digest of the body", note = "use `Sha256` or `Sha512`")]
pub trait DigestFunction {
    /// Its name in the contract.
    const ALGORITHM: DigestAlgorithm;
}

/// SHA-256 (FIPS 180-4): 32 bytes.
#[derive(Clone, Copy, Debug)]
pub struct Sha256;

impl DigestFunction for Sha256 {
    const ALGORITHM: DigestAlgorithm = DigestAlgorithm::Sha256;
}

/// SHA-512 (FIPS 180-4): 64 bytes.
#[derive(Clone, Copy, Debug)]
pub struct Sha512;

impl DigestFunction for Sha512 {
    const ALGORITHM: DigestAlgorithm = DigestAlgorithm::Sha512;
}

/// A digest of the body, which itself stays on the host.
#[derive(Clone, Copy, Debug)]
pub struct BodyDigest<'a, D> {
    bytes: &'a [u8],
    function: PhantomData<D>,
}

impl<'a, D> BodyDigest<'a, D> {
    /// The digest.
    #[must_use]
    pub fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }
}

impl<'a, R, D: DigestFunction> Extract<'a, R> for BodyDigest<'a, D> {
    fn declare(_: &R, needs: &mut Needs) {
        needs.body(BodyInput::Digests(vec![D::ALGORITHM]));
    }

    fn extract(_: &R, request: &mut Request<'a>) -> Result<Self, Denial> {
        Ok(Self { bytes: request.next_digest(), function: PhantomData })
    }
}

/// The bytes of the body, of which there are at most `BYTES_MAX`: the host
/// refuses a longer one (`body-too-large`).
#[derive(Clone, Copy, Debug)]
pub struct BodyBytes<'a, const BYTES_MAX: u32> {
    bytes: &'a [u8],
}

impl<'a, const BYTES_MAX: u32> BodyBytes<'a, BYTES_MAX> {
    /// The bytes as they were received.
    #[must_use]
    pub fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }
}

impl<'a, R, const BYTES_MAX: u32> Extract<'a, R> for BodyBytes<'a, BYTES_MAX> {
    fn declare(_: &R, needs: &mut Needs) {
        needs.body(BodyInput::Bytes(BYTES_MAX));
    }

    fn extract(_: &R, request: &mut Request<'a>) -> Result<Self, Denial> {
        let bytes = match &request.input().body {
            Body::Bytes(bytes) => bytes,
            Body::None | Body::Digests(_) => &[][..],
        };
        Ok(Self { bytes })
    }
}
