//! A store of Barmkin in Redis or Valkey (7 or later), which a fleet of gates
//! shares: each nonce is accepted once by all of them, and a quota is one quota.
//!
//! Every operation is one script, so that checking and claiming, or looking and
//! taking, are one step on the server. Time is the server's.
//!
//! # Keys
//!
//! `PREFIX:n:{DIGEST}:SPACE` for a nonce, and `PREFIX:q:{SUBJECT}:KIND:QUOTA`
//! for a quota, where `SUBJECT` is a hash of the subject. The keys of one script
//! share what is in braces, and so a slot of a cluster. All of them expire.
//!
//! # Requirements
//!
//! Its `maxmemory-policy` must be `noeviction`: any other may drop a nonce that
//! was used. It is checked on every new connection and then every ten seconds, and a
//! server with another policy is not used. When the server is full, it refuses, and
//! so does the store.
//!
//! # How much it holds
//!
//! The server's `maxmemory` bounds all of it. A nonce space or a quota with a
//! bound of its own is held to it by each gate, for what that gate added: a fleet
//! holds at most as many times the bound as it has gates. Without one, only the
//! server's memory keeps one space from refusing the requests of another.
//!
//! # Losses
//!
//! Redis answers a write before its replicas have it, and before its disk has it
//! unless it runs with `appendfsync always`. So a failover to a replica, or a
//! restart of the server, can lose the writes of its last moments: about the
//! replication lag, or one second with `appendfsync everysec`. A delivery whose
//! claim was lost can be accepted once more within its freshness window, and
//! units that were taken in those moments can be taken again. A server without
//! persistence that restarts, or one that is flushed, forgets everything: a gate
//! that was there before finds that out by `PREFIX:since` within ten seconds, says
//! so, and refuses requests signed before. One that was started since cannot know,
//! and no gate can after a failover that lost a moment. Run it with `appendonly yes`;
//! with `appendfsync always` and without automatic failover nothing is lost.
//!
//! A gate that does not get its answer in time cannot know whether the script
//! ran: the claim or the units then count as used, never as free.

mod connection;
mod error;
mod keys;
mod mirror;
mod scripts;
mod store;

pub use error::OpenError;
pub use store::{RedisStore, Settings, Tls};
