//! Shares of scarce resources: connections, memory for bodies.
//!
//! While there is room, anybody may have it. When there is none, an arrival
//! takes it from a holder that gives way, in this order:
//!
//! 1. one that rests (a connection between two requests), of the key with the
//!    most of those, if it rests for longer than [`FALLEN_BEHIND`], or its key
//!    holds more than an equal part;
//! 2. the slowest of the key that holds most, if that key holds more than the
//!    arrival's would;
//! 3. the slowest of a key that holds as much, if it has fallen behind, or has
//!    done nothing yet: of the keys that hold most, and then of all, so that a
//!    holder that does not move cannot hide behind others;
//! 4. one that has just begun to rest, and last one that rests and has no key.
//!
//! If none gives way, there is no room. A key is a client (see [`Client`]) or
//! anything else that should not keep others out; a holder may count by several
//! at once, each in a dimension of its own. A holder without a key has no
//! share: it never gives way while it does anything.
//!
//! The slowness of a holder is one number, its *mark*: the time up to which it
//! would have come at [`RATE`] bytes a second. The mark of one that moves faster
//! is now, and that of one that drips falls behind as that of one that is
//! silent does. Progress is one atomic store; the order of marks is put right
//! when somebody has to give way. So each event costs O(log n), and nothing
//! looks at all holders.
//!
//! An arrival does not wait for the holder that gives way to be gone: leaving
//! holders are bounded too ([`Shares::new`]), so that at most the bound and an
//! eighth is held at a time. When that many are leaving, an arrival can wait
//! ([`Shares::take_in_turn`]), or there is no room for it.
//!
//! A resource that runs out without being counted here (descriptors) is
//! relieved by the same order ([`Shares::relieve`]).
//!
//! Architecture invariant: this crate knows no sockets, no requests and no
//! executor.

mod client;
mod clock;
mod group;
mod holding;
mod ledger;

pub use client::Client;
pub use holding::{Holding, Shares};
pub use ledger::{FALLEN_BEHIND, RATE};
