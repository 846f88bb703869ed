//! The seam for recording decisions, so that one can be repeated elsewhere.

use crate::principal::{Facts, Principal};
use crate::request::Head;
use crate::verdict::{Digest, Step};
use bytes::Bytes;
use std::time::Duration;

/// Everything a verdict followed from, except the store's answers, which show
/// in the steps.
#[derive(Clone, Copy, Debug)]
pub struct Decided<'a> {
    /// The generation that decided.
    pub generation: Digest,
    /// The route that matched.
    pub route: &'a str,
    /// The request, as the adapter handed it over.
    pub head: &'a Head,
    /// Its body, where the chain had it.
    pub body: Option<&'a Bytes>,
    /// Time since 1970: what every policy saw.
    pub now: Duration,
    /// The decision of each policy.
    pub steps: &'a [Step],
    /// The principal and facts that were established.
    pub principal: Option<&'a Principal>,
    /// Likewise.
    pub facts: Option<&'a Facts>,
    /// The reason code of a deny.
    pub denied: Option<&'a str>,
}

/// Told of every decided request. Off, it costs nothing.
pub trait Recorder: Send + Sync {
    /// Records one decision. It runs on the request path: copy, and return.
    fn record(&self, decided: &Decided<'_>);
}
