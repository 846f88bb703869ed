//! A double of the host, so that `cargo test` runs a rule without WebAssembly.
//!
//! It keeps the contract as the host does: a manifest that the host would not
//! load is refused, what is not declared is not seen, and a header declared at
//! most once is refused when it comes twice. A call of the host that the
//! manifest does not cover ends the rule, and a decision that it does not
//! cover, or that is beyond the host's bounds, is not taken: both are a deny
//! `contract-violation`. Keys are real; quotas are plain counters, and claims
//! are never given back.
//!
//! ```
//! use barmkin_guest::prelude::*;
//! use barmkin_guest::test::{Policy, Request};
//!
//! /// Only reading.
//! #[policy]
//! struct ReadOnly {}
//!
//! impl Rule for ReadOnly {
//!     type Input<'a> = Method<'a>;
//!
//!     fn check(&self, method: Method<'_>) -> Decision {
//!         if matches!(method.as_str(), "GET" | "HEAD") {
//!             abstain()
//!         } else {
//!             deny(405, "read-only").header("allow", "GET, HEAD")
//!         }
//!     }
//! }
//!
//! let policy = Policy::<ReadOnly>::configure("{}").unwrap();
//! assert_eq!(policy.check(&Request::get("/")), abstain());
//! assert_eq!(policy.check(&Request::post("/")).code(), Some("read-only"));
//! ```

mod answer;
mod calls;
mod fields;
mod input;
mod keys;
mod limits;
mod manifest;
mod policy;
mod quotas;
mod request;

pub use keys::{Secret, TestKey};
pub use policy::{ClaimMade, Policy, TakeMade};
pub use quotas::TestQuota;
pub use request::Request;

pub use crate::log::native::Line;
