//! A store of Barmkin in a folder of this machine.
//!
//! Its state is in memory, bounded, and every change of it is also appended to a
//! log before the call is answered. A restart reads the log:
//! it opens no replay window and fills no quota.
//!
//! # Durability, and its cost
//!
//! | durability | survives | costs a claim or a take |
//! |---|---|---|
//! | [`Process`](Durability::Process) | death of the process at any moment (`kill -9`, a crash), a torn write, a full disk | two writes to the page cache; nothing waits |
//! | [`Power`](Durability::Power) | also power loss and death of the kernel | two flushes of the disk, shared by all requests that wait at once |
//!
//! With `Process` a power loss may lose the last seconds before. The store
//! then finds that its log is shorter than what it acknowledged, and refuses to
//! start rather than let a used nonce in again.
//!
//! A crash costs at most what was in flight: the claims and units of requests
//! without a verdict count as used, and units of concurrency until their lease
//! is over. Nothing that was given back in time is taken again, nothing that was
//! acknowledged is free.
//!
//! # Damage
//!
//! The log's length is witnessed apart from the log, and every record has its
//! checksum. After a truncation or a flipped bit either everything that was
//! acknowledged is there, or opening it fails with [`OpenError::Damaged`]. With
//! [`Settings::accept_loss`] it starts with what can be read; then everything
//! that was signed before that start is refused with `signed-before-loss`, and
//! what bears no signing time until its nonce space's `retain` has passed, since
//! the nonces that were lost would be forgotten by then. The damaged store stays
//! in a folder beside it, with `.damaged` added to its name; the store itself never
//! leaves its place, so that a crash at any moment leaves the damaged one or the
//! new one.
//!
//! A file beside the folder, with `.witness` added to its name, says that there
//! was a store: one whose disk is not mounted fails with [`OpenError::Missing`]
//! and does not begin empty.
//!
//! # Who can read it
//!
//! The folder and its files are for this user alone, whatever the umask. Subjects
//! of quotas are hashed: no client, address or principal is named. (A hash hides
//! no name from somebody who can guess it.) Subjects that release 0.1.0 wrote in
//! clear still count, and are rewritten at the first start.
//!
//! # Growth
//!
//! The log is rewritten when it has grown to twice what is live (at least
//! 8 MiB): by a thread that reads it back, so that no request waits for that. It
//! takes twice the memory while it does. With the disk full the store refuses,
//! and goes on when there is room again.

mod error;
mod head;
mod keeper;
mod log;
mod open;
mod power;
mod private;
mod record;
mod recover;
mod store;
mod witness;

pub use error::OpenError;
pub use open::{Durability, Settings};
pub use store::EmbeddedStore;
