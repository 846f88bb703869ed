//! A store of Barmkin in Redis or Valkey (7 or later), which a fleet of gates
//! shares: each nonce is accepted once by all of them, and a quota is one quota.
//! All that is said here of Redis is true of Valkey too.
//!
//! Every operation is one script, so that checking and claiming, or looking and
//! taking, are one step on the server. Time is the server's.
//!
//! # Servers
//!
//! One server, a cluster, or the master that sentinels name.
//!
//! A cluster is one store: while one of its masters cannot be reached, all of it is
//! refused. A node that sends a call elsewhere (`MOVED`, `ASK`), or refuses it while
//! slots move or no node has them (`TRYAGAIN`, `CLUSTERDOWN`), did not run it: it is
//! sent again, within its time-out. After anything else it may have run, and is not.
//! While a slot moves, new deliveries in it are refused, which have two keys; and so is
//! everything in it if it moves to a master without any other slot.
//!
//! Sentinels are asked every second who the master is, and at once when a call
//! fails. All that are listed are asked, and the latest failover counts. A server that
//! says it is a replica is not used.
//!
//! # Connections
//!
//! A gate has one connection to its server or its master, one to each sentinel that
//! is listed, or one to each node of a cluster, replicas too. All its calls share
//! them, up to 4,096 at once on each; more wait. While a gate changes to another
//! master or credentials, or looks for the nodes of its cluster again, which it does
//! once a second at most, there may be twice as many.
//!
//! # Keys
//!
//! `PREFIX:n:{DIGEST}:SPACE` for a nonce, and `PREFIX:q:{SUBJECT}:KIND:QUOTA`
//! for a quota, where `SUBJECT` is a hash of the subject. The keys of one script
//! share what is in braces, and so a slot of a cluster. All of them expire, except
//! those that say since when the server remembers: `PREFIX:since`, and on a cluster
//! 128 of `PREFIX:since:{NUMBER}`, one in each run of as many slots.
//!
//! # Requirements
//!
//! Its `maxmemory-policy` must be `noeviction`: any other may drop a nonce that
//! was used. It is checked on every new connection, on each master of a cluster, and then
//! every ten seconds, and a server with another policy is not used. When the server is
//! full, it refuses, and so does the store.
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
//! restart of the server, can lose the writes of the last moments before it: about the
//! replication lag, or one second with `appendfsync everysec`. A delivery whose
//! claim was lost can be accepted once more within its freshness window, and
//! units that were taken in those moments can be taken again. Nothing else is lost: the
//! new master keeps everything that it had before it was promoted.
//!
//! A master that is cut off from its sentinels, or from the other nodes of its cluster,
//! goes on taking writes until it notices, and all of those are lost: with sentinels as
//! long as a gate is cut off with it, on a cluster for `cluster-node-timeout`. Set
//! `min-replicas-to-write 1` and `min-replicas-max-lag`: it then refuses once no
//! replica has answered for that long.
//!
//! A server without persistence that restarts, or one that is flushed, forgets
//! everything: a gate that was there before finds that out by the keys that say since
//! when it remembers, within ten seconds, says so, and refuses requests signed before.
//! On a cluster so does a master with a run of 255 slots. A gate that was started since
//! cannot know, and no gate can after a failover that lost a moment. Run it with
//! `appendonly yes`; with `appendfsync always` and without automatic failover nothing is
//! lost.
//!
//! A gate that does not get its answer in time cannot know whether the script
//! ran: the claim or the units then count as used, never as free.

mod connection;
mod error;
mod follow;
mod keys;
mod link;
mod mirror;
mod scripts;
mod settings;
mod store;

pub use error::OpenError;
pub use settings::{Sentinels, Servers, Settings, Tls};
pub use store::RedisStore;
