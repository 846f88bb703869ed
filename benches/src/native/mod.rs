//! The same rules, compiled in: what a check would cost without sandboxes.
//!
//! Nothing is left out that the gate does for the rules: each reads what it
//! declared, a signature is verified by the same function over the same bytes,
//! what was signed is digested and claimed, the quota is taken, the claim is
//! confirmed or everything is given back. Left out is the gate's other work for a
//! request: its permit, its metrics, its record.

mod chain;
mod host;
mod input;
mod roles;
mod rule;

pub use chain::{NativeChain, Verdict};
pub use input::Established;
pub use roles::NativeRoles;
