//! Write Barmkin policies in Rust: a struct of settings and one function.
//!
//! ```
//! use barmkin_guest::prelude::*;
//!
//! name!(Partner = "x-partner");
//!
//! /// Lets listed partners in.
//! #[policy]
//! struct Partners {
//!     allowed: Vec<String>,
//! }
//!
//! impl Rule for Partners {
//!     type Input<'a> = (Method<'a>, Header<'a, Partner>);
//!
//!     fn check(&self, (method, partner): Self::Input<'_>) -> Decision {
//!         match partner.get() {
//!             Some(name) if self.allowed.iter().any(|known| known == name) => {
//!                 log::debug("a partner calls", &[("method", &method)]);
//!                 allow(Principal::service(name).by("partner-header"))
//!             }
//!             _ => deny(403, "unknown-partner"),
//!         }
//!     }
//!
//!     fn vouches(&self) -> bool {
//!         true
//!     }
//! }
//!
//! // A test needs no WebAssembly:
//! use barmkin_guest::test::{Policy, Request};
//!
//! let policy = Policy::<Partners>::configure(r#"{ "allowed": ["acme"] }"#).unwrap();
//! assert_eq!(policy.check(&Request::get("/")).code(), Some("unknown-partner"));
//! assert_eq!(policy.check(&Request::get("/").header("x-partner", "acme")).code(), None);
//! ```
//!
//! # The life of a policy
//!
//! `#[policy]` makes a component of a library of crate type `cdylib`. When it
//! is loaded, its settings are read into the struct: names in kebab-case, none
//! that the struct does not have, and [`Rule::validate`] for what types cannot
//! say. The memory that this leaves behind is the image from which every
//! request starts; [`Rule::check`] is called once in it, and then it is gone.
//! So nothing can be remembered from one request to the next, and nothing has
//! to be cleaned up.
//!
//! Where the settings are not what `check` wants to work with, let them build
//! it: `#[policy(rule = Compiled)]` on the settings calls
//! `Compiled::try_from(settings)`, with [`Problems`] as the error.
//!
//! # What a rule sees
//!
//! [`Rule::Input`] lists [extractors](extract), and listing one is declaring
//! it: the host passes nothing else. Names are types, which [`name!`] makes.
//!
//! | to read | extractor |
//! |---|---|
//! | the time | [`Now`](extract::Now) |
//! | the request line | [`Method`](extract::Method), [`Path`](extract::Path), [`Query`](extract::Query), [`Target`](extract::Target), [`Scheme`](extract::Scheme), [`Authority`](extract::Authority) |
//! | where it comes from and goes | [`ClientAddress`](extract::ClientAddress), [`Route`](extract::Route) |
//! | headers | [`Header`](extract::Header) (at most one), [`Headers`](extract::Headers), [`NamedHeaders`](extract::NamedHeaders) (named by settings) |
//! | query parameters | [`QueryParameter`](extract::QueryParameter), [`QueryParameters`](extract::QueryParameters) |
//! | the body | [`BodyOnHost`](extract::BodyOnHost), [`BodyDigest`](extract::BodyDigest), [`BodyBytes`](extract::BodyBytes) |
//! | what earlier policies established | `&Principal` or `Option<&Principal>`, `Option<&Facts>` |
//! | to use | a [`Key`], a [`ConfiguredKey`], [`Nonces`], a [`Quota`] |
//!
//! Keys never enter the policy: a [`Key`] names one, and the host verifies.
//!
//! # What a rule answers
//!
//! [`allow`] says that the policy answers for the request and who asks, and
//! [`vouch`] only that it does; both need the operator's grant `vouch`. A policy
//! that only restricts says [`abstain`] when it is content; [`deny`] ends it. See
//! [`types::Decision`] for what can be added to each.
//!
//! # What a policy says when it dies
//!
//! A panic costs one request. Where it was, relative to the crate, is part of the
//! failure's detail; `barmkin eval` and `barmkin test` add its message. A gate that
//! serves does so only with `--panic-messages`, since the message may hold parts of
//! the request: what is not to be logged does not belong in one.
//!
//! # What it says of itself
//!
//! The doc comments of the settings reach operators: `barmkin build` puts them into the
//! component, with a JSON Schema, and `barmkin policies NAME.wasm` shows them. Derive
//! [`Schema`](derive@Schema) for the structs and enums that settings are made of,
//! declare why the policy denies with [`reasons!`], and see [`describe`]. None of it is
//! part of what runs.
//!
//! # Cargo.toml
//!
//! ```toml
//! [lib]
//! crate-type = ["cdylib", "rlib"]
//!
//! [dependencies]
//! barmkin-guest = { path = "sdk/guest" } # as `barmkin new` and `barmkin sdk` write it
//!
//! [package.metadata.barmkin]
//! stack = "64KiB" # defaults to `16KiB`
//! ```

#[doc(hidden)]
pub mod bindings;
pub mod capability;
#[cfg(target_arch = "wasm32")]
mod component;
mod configured;
mod decision;
pub mod describe;
pub mod extract;
mod host;
pub mod log;
#[cfg(not(target_arch = "wasm32"))]
pub mod native;
#[cfg(target_arch = "wasm32")]
mod panic;
pub mod prelude;
mod reason;
mod rule;
pub mod settings;
#[cfg(not(target_arch = "wasm32"))]
pub mod test;
pub mod types;

#[cfg(all(target_arch = "wasm32", feature = "allocator"))]
mod allocator;

/// Derives [`Schema`](trait@Schema) for what settings are made of: structs, and
/// enums of plain words, as serde reads them.
pub use barmkin_guest_macros::Schema;
/// Makes a struct of settings a policy.
///
/// On a struct that implements [`Rule`]: `#[policy]`. On settings from which a
/// rule is built: `#[policy(rule = Type)]`, where `Type` implements [`Rule`]
/// and `TryFrom` of the settings with [`Problems`] as its error.
///
/// The doc comments of the struct and its fields are what `barmkin policies` tells
/// operators. `reasons = REASONS` adds why it denies (see [`reasons!`]), and
/// `example = "example.toml"` a configuration that uses it, from a file beside the
/// source.
///
/// The struct becomes readable by serde, with names in kebab-case and refusing
/// names it does not have; attributes of serde on its fields work as usual.
/// Built for WebAssembly, the crate exports the policy; elsewhere it exports
/// nothing.
pub use barmkin_guest_macros::policy;

/// Makes a marker type for a name.
///
/// ```
/// barmkin_guest::name!(
///     /// Which partner calls.
///     pub Partner = "x-partner"
/// );
/// ```
///
/// It is a [`HeaderName`](extract::HeaderName), too, if the text is a field
/// name in lower case.
pub use barmkin_guest_macros::name;
pub use capability::{ConfiguredKey, Key, Nonces, Quota};
pub use decision::{abstain, allow, deny, vouch};
pub use describe::Schema;
pub use extract::{Extract, Name};
pub use reason::Reason;
pub use rule::{Problems, Rule, Settings};

/// The items that `#[policy]` expands to. Not for direct use; it changes without notice.
#[doc(hidden)]
pub mod __private {
    pub use serde::{self, Deserialize};

    use crate::extract::Extract;
    use crate::rule::{Rule, Settings};

    /// Ends compilation where the rule's input declares a name twice.
    #[track_caller]
    pub const fn declares_once<S: Settings>() {
        <<S::Rule as Rule>::Input<'static> as Extract<'static, S::Rule>>::DECLARES.assert_once();
    }

    #[cfg(target_arch = "wasm32")]
    pub use crate::bindings::{export, exports::barmkin::policy::request_policy::Guest};
    #[cfg(target_arch = "wasm32")]
    pub use crate::component::Configured;
}
