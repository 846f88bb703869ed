//! The items that most rules need: `use barmkin_guest::prelude::*;`

pub use crate::capability::{
    ConfiguredKey, ConfiguresKey, Ed25519, HmacSha1, HmacSha256, HmacSha512, Key, KeyedHashSha256, Nonces, Quota,
};
pub use crate::extract::{
    Authority, BodyBytes, BodyDigest, BodyOnHost, ClientAddress, Extract, Header, Headers, Method, NamedHeaders,
    NamedQueryParameters, NamesHeaders, NamesQueryParameters, Now, Path, Query, QueryParameter, QueryParameters, Route,
    Scheme, Sha256, Sha512, Target,
};
pub use crate::settings::Duration;
pub use crate::types::{
    Algorithm, Candidate, Claim, Decision, DuplicateTreatment, Encoding, Facts, Outcome, Part, Principal, Refusal,
    Verified,
};
pub use crate::{Problems, Reason, Rule, Schema, abstain, allow, deny, log, name, policy, reasons, vouch};
