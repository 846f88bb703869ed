//! Extractors: the parts of a request that a rule sees, as types.
//!
//! A rule lists what it reads in [`Rule::Input`](crate::Rule::Input). Naming an
//! extractor there declares it in the policy's manifest, and the host passes
//! nothing that is not declared; so what the type says is all that the rule
//! can ever learn.

mod body;
mod declares;
mod named;
mod named_query;
mod needs;
mod parts;
mod tuples;

use core::slice;

pub use body::{BodyBytes, BodyDigest, BodyOnHost, DigestFunction, Sha256, Sha512};
pub use declares::Declares;
pub use named::{Header, HeaderName, Headers, Name, NamedHeaders, NamesHeaders, QueryParameter, QueryParameters};
pub use named_query::{NamedQueryParameters, NamesQueryParameters};
pub use needs::Needs;
pub use parts::{Authority, ClientAddress, Method, Now, Path, Query, Route, Scheme, Target};

use crate::host::Host;
use crate::types::{Body, Denial, Field, Input};

/// A part of the request, or a capability, that a rule `R` can ask for.
///
/// Implement it for a type of your own where what is needed depends on the
/// settings. The two functions are called in the same order, that of the
/// rule's tuple, and must take the same things from it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an input of the rule `{R}`",
    label = "not an extractor",
    note = "an input is `()`, an extractor such as `Method<'a>` or `Header<'a, Name>`, or a tuple of at most ten of them",
    note = "the principal and the facts are extracted as `&'a Principal`, `Option<&'a Principal>` and `Option<&'a Facts>`"
)]
pub trait Extract<'a, R: ?Sized>: Sized {
    /// The names that it declares whatever the settings are: `#[policy]`
    /// refuses to compile where an input declares one twice.
    const DECLARES: Declares = Declares::NOTHING;

    /// Says what it needs. Called once, when the policy is configured.
    fn declare(rule: &R, needs: &mut Needs);

    /// Takes what was declared out of one request.
    ///
    /// # Errors
    /// A denial, where the request lacks what the rule cannot do without.
    fn extract(rule: &R, request: &mut Request<'a>) -> Result<Self, Denial>;
}

/// One request, from which extractors take what they declared.
#[derive(Debug)]
pub struct Request<'a> {
    input: &'a Input,
    host: Host<'a>,
    headers: slice::Iter<'a, Field>,
    query_parameters: slice::Iter<'a, Field>,
    digests: slice::Iter<'a, Vec<u8>>,
    keys: u32,
    nonces: u32,
    quotas: u32,
}

impl<'a> Request<'a> {
    pub(crate) fn new(input: &'a Input, host: Host<'a>) -> Self {
        let digests: &[Vec<u8>] = match &input.body {
            Body::Digests(digests) => digests,
            Body::None | Body::Bytes(_) => &[],
        };
        Self {
            input,
            host,
            headers: input.headers.iter(),
            query_parameters: input.query_parameters.iter(),
            digests: digests.iter(),
            keys: 0,
            nonces: 0,
            quotas: 0,
        }
    }

    /// The record that crossed.
    #[must_use]
    pub fn input(&self) -> &'a Input {
        self.input
    }

    /// The host, for capabilities.
    pub(crate) fn host(&self) -> Host<'a> {
        self.host
    }

    /// The next declared header.
    pub fn next_header(&mut self) -> &'a Field {
        self.headers.next().unwrap_or(&Field::Absent)
    }

    /// The next declared headers, as many as are asked for.
    pub(crate) fn next_headers(&mut self, count: usize) -> &'a [Field] {
        let (taken, rest) = self.headers.as_slice().split_at_checked(count).unwrap_or_default();
        self.headers = rest.iter();
        taken
    }

    /// The next declared query parameter.
    pub fn next_query_parameter(&mut self) -> &'a Field {
        self.query_parameters.next().unwrap_or(&Field::Absent)
    }

    /// The next declared query parameters, as many as are asked for.
    pub(crate) fn next_query_parameters(&mut self, count: usize) -> &'a [Field] {
        let (taken, rest) = self.query_parameters.as_slice().split_at_checked(count).unwrap_or_default();
        self.query_parameters = rest.iter();
        taken
    }

    /// The next declared digest of the body.
    pub fn next_digest(&mut self) -> &'a [u8] {
        self.digests.next().map(Vec::as_slice).unwrap_or_default()
    }

    pub(crate) fn next_key(&mut self) -> u32 {
        post_increment(&mut self.keys)
    }

    pub(crate) fn next_nonces(&mut self) -> u32 {
        post_increment(&mut self.nonces)
    }

    pub(crate) fn next_quota(&mut self) -> u32 {
        post_increment(&mut self.quotas)
    }
}

fn post_increment(index: &mut u32) -> u32 {
    let current = *index;
    *index += 1;
    current
}
