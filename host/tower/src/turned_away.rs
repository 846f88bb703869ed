//! The mark of a connection that the server has no place for.

/// The server has no place for the request's connection: among its extensions,
/// put there by the server. The answer is `overloaded`, whatever is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TurnedAway;
