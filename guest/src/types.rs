//! The records of the contract, which `wit/` documents.

pub use crate::bindings::barmkin::keys::keys::{Candidate, Encoding, Part, Refusal, Verified};
pub use crate::bindings::barmkin::keys::types::Algorithm;
pub use crate::bindings::barmkin::log::log::Level;
pub use crate::bindings::barmkin::policy::types::{
    Allowance, Body, BodyInput, Cardinality, Change, Decision, Denial, DigestAlgorithm, Facts, Field, Header, Input,
    KeyNeed, Manifest, NamedInput, Principal, PrincipalKind, RequestParts, SettingProblem,
};
pub use crate::bindings::barmkin::quota::quota::Outcome;
pub use crate::bindings::barmkin::replay::replay::{Claim, DuplicateTreatment};
