//! The body is bytes, and stays on the host unless a policy reads it.

use bytes::Bytes;

/// A request body, as far as the adapter has it.
#[derive(Clone, Debug, Default)]
pub enum Body {
    /// The proxy does not hand over bodies.
    #[default]
    NotCarried,
    /// The proxy handed over something other than the bytes that it received:
    /// what its operator must change, for the log.
    Withheld(&'static str),
    /// All of it. An absent body is empty.
    Whole(Bytes),
    /// It ended early. It never verifies.
    Truncated,
    /// It was longer than the adapter or [`BodyNeed`] allows.
    TooLarge,
    /// It was not read because too many others are held:
    /// [`BodyRoom`](crate::BodyRoom).
    NoRoom,
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self::Whole(bytes)
    }
}

/// Whether an adapter must read the body before the verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyNeed {
    /// No policy of the chain needs it: stream it to the upstream.
    None,
    /// Collect it, up to `max_bytes`, and hand it over whole.
    Whole {
        /// The most that the chain takes; hand over [`Body::TooLarge`] past it.
        max_bytes: usize,
    },
}
