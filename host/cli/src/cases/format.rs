//! The file of cases.

use crate::request::Written;
use barmkin_config::{DurationUnit, RateUnit, Text};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A file of cases: against a configuration, or against one component.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Cases {
    /// The configuration that decides, relative to this file.
    pub(crate) configuration: Option<PathBuf>,
    /// The component that decides alone, relative to this file.
    pub(crate) component: Option<PathBuf>,
    /// The component's settings.
    #[serde(default)]
    pub(crate) settings: serde_json::Map<String, serde_json::Value>,
    /// The grants of the component. The keys, nonce spaces and quotas of this file
    /// are granted to it under their names.
    #[serde(default)]
    pub(crate) grants: ComponentGrants,
    /// Keys, by the component's names for them.
    #[serde(default)]
    pub(crate) keys: BTreeMap<String, Key>,
    /// Nonce spaces, by the component's names for them. Cases share what they
    /// hold, in the order of the file.
    #[serde(default)]
    pub(crate) nonces: BTreeMap<String, Nonces>,
    /// Quotas, by the component's names for them. Cases share what is left of
    /// them, in the order of the file.
    #[serde(default)]
    pub(crate) quotas: BTreeMap<String, Quota>,
    /// The cases.
    pub(crate) cases: Vec<Case>,
}

/// The grants of a component besides keys, nonce spaces and quotas.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct ComponentGrants {
    /// Whether its allow counts, and it may name the principal and set facts.
    #[serde(default)]
    pub(crate) vouch: bool,
    /// Fields it may set on what is forwarded.
    #[serde(default)]
    pub(crate) sets: Vec<String>,
}

/// A request, and what is expected of its verdict.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Case {
    /// The name of the case.
    pub(crate) name: String,
    /// The time of the decision, by RFC 3339; defaults to the current one.
    #[schemars(with = "Option<String>")]
    pub(crate) now: Option<jiff::Timestamp>,
    /// How many times the same request is decided before, whatever becomes of it.
    #[serde(default)]
    #[schemars(range(max = 10_000))]
    pub(crate) before: u32,
    /// The principal, as if a policy before had established it.
    pub(crate) principal: Option<Principal>,
    /// The facts, as if a policy before had verified them.
    pub(crate) facts: Option<Facts>,
    /// Keys for this case alone, instead of those of the file with their names.
    #[serde(default)]
    pub(crate) keys: BTreeMap<String, Key>,
    /// Nonce spaces for this case alone, which hold nothing.
    #[serde(default)]
    pub(crate) nonces: BTreeMap<String, Nonces>,
    /// Quotas for this case alone, of which nothing is taken.
    #[serde(default)]
    pub(crate) quotas: BTreeMap<String, Quota>,
    /// The request.
    pub(crate) request: Written,
    /// The signature that the request gets.
    pub(crate) sign: Option<Sign>,
    /// The verdict that it should get.
    pub(crate) expect: Expected,
}

/// A key, with its secrets in the open: they are for tests.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Key {
    /// The algorithm that it is for.
    pub(crate) algorithm: KeyAlgorithm,
    /// The newest first; all of them verify.
    #[schemars(length(min = 1))]
    pub(crate) secrets: Vec<Secret>,
}

/// The algorithm that a key is for.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum KeyAlgorithm {
    /// RFC 2104 with SHA-1.
    HmacSha1,
    /// RFC 2104 with SHA-256.
    HmacSha256,
    /// RFC 2104 with SHA-512.
    HmacSha512,
    /// RFC 8032; the secret is the 32 bytes of the private key, so that cases can
    /// sign.
    Ed25519,
    /// For looking up credentials of which only hashes are kept.
    KeyedHashSha256,
}

/// A secret, written in one of three ways.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Secret {
    /// Its id, in facts and logs.
    pub(crate) id: String,
    /// As text.
    pub(crate) text: Option<String>,
    /// As hexadecimal digits.
    pub(crate) hex: Option<String>,
    /// As base64 (RFC 4648, section 4).
    pub(crate) base64: Option<String>,
}

/// A nonce space.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Nonces {
    /// How long a nonce is remembered; defaults to `24h`.
    pub(crate) retain: Option<Text<DurationUnit>>,
    /// The treatment of a repeated delivery; defaults to `deny`.
    pub(crate) on_duplicate: Option<OnDuplicate>,
}

/// The treatment of a repeated delivery.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum OnDuplicate {
    /// A refusal.
    Deny,
    /// A 2xx, and it is not forwarded.
    Acknowledge,
    /// It is forwarded with a mark.
    Mark,
}

/// A quota: a steady rate with a burst.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Quota {
    /// The steady rate.
    pub(crate) rate: Text<RateUnit>,
    /// The most at once; defaults to the rate's count.
    #[schemars(range(min = 1))]
    pub(crate) burst: Option<u64>,
    /// Whom it is counted against.
    pub(crate) key: QuotaKey,
}

/// Whom a quota is counted against.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum QuotaKey {
    /// The principal, within its tenant.
    Principal,
    /// The client's address; of IPv6 its /64.
    ClientAddress,
    /// All requests together.
    Route,
}

/// Who is asking.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Principal {
    /// Unique within its tenant.
    pub(crate) id: String,
    /// The kind of party.
    #[serde(default)]
    pub(crate) kind: PrincipalKind,
    /// Whose user or service it is.
    pub(crate) tenant: Option<String>,
    /// Roles it holds.
    #[serde(default)]
    pub(crate) roles: Vec<String>,
    /// Scopes it was given.
    #[serde(default)]
    pub(crate) scopes: Vec<String>,
    /// How it was authenticated; defaults to `case`.
    pub(crate) method: Option<String>,
    /// Anything else that is known.
    #[serde(default)]
    pub(crate) attributes: BTreeMap<String, String>,
}

/// The kind of party that a principal is.
#[derive(Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum PrincipalKind {
    /// A person.
    User,
    /// A program.
    #[default]
    Service,
    /// The sender of signed webhooks.
    Provider,
    /// A device.
    Device,
}

/// The verified facts of the request.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Facts {
    /// The sender's id for the message.
    pub(crate) message_id: Option<String>,
    /// When it was signed, by RFC 3339.
    #[schemars(with = "Option<String>")]
    pub(crate) signed_at: Option<jiff::Timestamp>,
    /// The id of the secret that it was signed with.
    pub(crate) key_id: Option<String>,
}

/// A signature by a key of the file or the case, and the header that carries it.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Sign {
    /// The component's name for the key.
    pub(crate) key: String,
    /// The id of the secret; defaults to the first one's.
    pub(crate) secret: Option<String>,
    /// The text that is signed, in which `{body}`, `{method}`, `{target}`, `{now}`
    /// (seconds) and `{now-ms}` stand for what they name; defaults to `{body}`.
    pub(crate) base: Option<String>,
    /// How the signature is written.
    #[serde(default)]
    pub(crate) encoding: SignatureEncoding,
    /// The header that is added.
    pub(crate) header: String,
    /// Its value, in which `{signature}`, `{now}` and `{now-ms}` stand for what they
    /// name; defaults to `{signature}`.
    pub(crate) value: Option<String>,
}

/// How a signature is written.
#[derive(Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum SignatureEncoding {
    /// Two digits a byte.
    #[default]
    Hex,
    /// RFC 4648, section 4, with padding.
    Base64,
    /// RFC 4648, section 5, without padding.
    Base64url,
}

/// The expected verdict.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Expected {
    /// Allow or deny.
    pub(crate) verdict: ExpectedVerdict,
    /// The reason of a deny. It must be given: a deny for another reason is
    /// another rule at work.
    pub(crate) reason: Option<String>,
    /// The id of the principal.
    pub(crate) principal: Option<String>,
    /// The status of a deny.
    pub(crate) status: Option<u16>,
    /// Fields that the answer to a deny has, among others.
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    /// Changes of the forwarded request that an allow brings, among others.
    #[serde(default)]
    pub(crate) changes: Changes,
    /// A part of what the operator's log says of a deny.
    pub(crate) detail: Option<String>,
}

/// Changes of the request that is forwarded.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Changes {
    /// Fields that are set, with their values.
    #[serde(default)]
    pub(crate) set: BTreeMap<String, String>,
    /// Fields that are appended, with their values.
    #[serde(default)]
    pub(crate) append: BTreeMap<String, String>,
    /// Fields that are removed.
    #[serde(default)]
    pub(crate) remove: Vec<String>,
}

/// The outcome of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ExpectedVerdict {
    /// The request may be forwarded.
    Allow,
    /// It may not.
    Deny,
}

/// The JSON Schema of a file of cases.
pub(crate) fn schema() -> serde_json::Value {
    schemars::SchemaGenerator::default().into_root_schema_for::<Cases>().to_value()
}
