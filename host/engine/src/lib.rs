//! Runs sandboxed policies over HTTP requests.
//!
//! A *policy* is a WebAssembly component that decides requests. A *chain* of
//! them guards a *route*; a [`Gate`] finds the route, runs the chain, each
//! policy on a fresh instance, and folds the decisions into a [`Verdict`].
//!
//! ```no_run
//! use barmkin_host::*;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let engine = Engine::new(&EngineSettings::default())?;
//!
//! // The rules: a policy, its grants, and the route it guards.
//! let mut signature = PolicySpec::new(std::fs::read("webhook-signature.wasm")?);
//! signature.settings = serde_json::json!({ "provider": "github" });
//! signature.grants.keys.insert("signing".into(), "github".into());
//! signature.grants.vouch = true;
//! let mut route = Route::new("github");
//! route.chain = vec![Member::Policy("signature".into())];
//! let spec = Spec {
//!     policies: [("signature".to_owned(), signature)].into(),
//!     routes: vec![route],
//!     ..Spec::default()
//! };
//!
//! // The keys stay with the host.
//! let key = Key::new(Algorithm::HmacSha256).with_secret("2026-11", b"It's a Secret", None)?;
//! let keys = KeyRing::default().with("github", key);
//!
//! let generation = Generation::build(&engine, &spec, &keys, Services::new(MemoryStore::default()))?;
//! let gate = Gate::new(generation);
//!
//! // For every request:
//! let head = Head {
//!     method: http::Method::POST,
//!     version: http::Version::HTTP_11,
//!     scheme: "https",
//!     authority: Some("hooks.example.com".into()),
//!     target: "/github".into(),
//!     headers: http::HeaderMap::new(),
//!     client: Client::default(),
//! };
//! match gate.check_now(head, Body::Whole("{}".into()))? {
//!     Verdict::Allow(permit) => {
//!         let (head, _settlement) = permit.into_forwarded();
//!         println!("forward {} with {:?}", head.target, head.headers);
//!     }
//!     Verdict::Deny(denial) => println!("answer {:?}", denial.response()),
//! }
//! # Ok(()) }
//! ```
//!
//! Policies are compiled when a generation is built, by a compiler that is a
//! dependency of yours: a development build is slow at it unless that is optimized.
//! In the Cargo.toml of your workspace:
//!
//! ```toml
//! [profile.dev.package."*"]
//! opt-level = 2
//! debug = false
//! ```
//!
//! Keys ([`KeySource`]), the store ([`LocalStore`], [`RemoteStore`]), the
//! clock ([`Clock`]) and metrics ([`Metrics`]) are traits, so that an embedder
//! brings its own. [`Engine`] documents its effects on the process.

mod admission;
mod body_room;
mod capacity;
mod chain;
mod clock;
mod cors;
mod denied;
mod effects;
mod engine;
mod gate;
mod generation;
mod keys;
pub mod limits;
#[cfg(feature = "measure")]
#[doc(hidden)]
pub mod measure;
mod metrics;
mod pieces;
mod policy;
mod principal;
mod pulse;
mod reason;
mod record;
mod request;
mod routes;
mod store;
mod text;
mod trials;
mod verdict;

pub use body_room::{BodyRoom, NoRoom};
pub use clock::{Clock, FixedClock, SystemClock};
pub use cors::Cors;
pub use effects::Settlement;
pub use engine::{Engine, EngineError, EngineSettings, PoolUse};
pub use gate::{Gate, GateLimits, Intake, NeedsAwait};
pub use generation::build_errors::{BuildError, BuildErrors};
pub use generation::error::{At, Problem};
pub use generation::spec::{
    BackendFolding, Grants, HostMatch, Keep, Member, NonceSpace, OnDuplicate, OnError, Overrides, PathException,
    PathMatch, PolicySpec, Preflight, Quota, QuotaKey, Route, RouteMatch, SameDelivery, Spec, SuccessStatuses,
    TellApart,
};
pub use generation::{Generation, Images, Loaded, Services};
pub use keys::{Algorithm, Key, KeyError, KeyRing, KeySource};
pub use metrics::{DeliveryOutcome, Metrics, NoMetrics, Unenforced, Untried};
pub use policy::{BodyInput, CONTRACT, DigestAlgorithm, Inspection, Manifest, NamedInput, description, inspect};
pub use principal::{Facts, Principal, PrincipalKind};
pub use reason::{HostReason, Reason};
pub use record::{Decided, Recorder};
pub use request::{Body, BodyNeed, Client, ClientAddress, Head, RequestId, Sees};
pub use store::{
    Claim, Claimed, Draw, Gcra, Hold, Holder, Lapse, Lease, Ledger, Listed, LocalStore, MemoryLimits, MemoryStore,
    NoShare, NonceId, Pot, QuotaRule, Recent, RemoteStore, Store, StoreError, StoreFuture, SubjectId, TRIAL_PREFIX,
    Take, Tally, Window, share,
};
pub use text::misleads;
pub use verdict::{
    Change, Denial, DenialBody, DenialForm, Digest, Outcome, Permit, REASON_FIELD, REQUEST_ID_FIELD, Step, Took,
    Verdict,
};

/// Writes `bytes`, half as many as `DIGITS`, as hexadecimal digits.
pub(crate) fn write_hex<const DIGITS: usize>(f: &mut std::fmt::Formatter<'_>, bytes: &[u8]) -> std::fmt::Result {
    let mut digits = [0; DIGITS];
    hex::encode_to_slice(bytes, &mut digits).map_err(|_| std::fmt::Error)?;
    f.write_str(std::str::from_utf8(&digits).map_err(|_| std::fmt::Error)?)
}

/// Polls to the end, for futures that await nothing but their own turn.
///
/// INVARIANT (local checks never wait): with a local store a check is ready at
/// once, except for the turns that it gives to others while it hashes a large body.
pub(crate) fn poll_on<T>(future: impl Future<Output = T>) -> T {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let mut future = std::pin::pin!(future);
    loop {
        if let std::task::Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
}

/// Polls once, for futures that are ready.
pub(crate) fn now_or_never<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::pin!(future).poll(&mut context) {
        std::task::Poll::Ready(output) => Some(output),
        std::task::Poll::Pending => None,
    }
}
