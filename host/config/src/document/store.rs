use crate::units::{DurationUnit, RateUnit, Text};
use schemars::JsonSchema;
use serde::Deserialize;

/// Where nonces and quotas live.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Store {
    /// Which store.
    pub(crate) kind: StoreKind,
    /// The most live nonces; when they are there, further claims are refused.
    #[schemars(range(min = 1))]
    pub(crate) nonces_max: Option<usize>,
    /// The most quotas that are not full.
    #[schemars(range(min = 1))]
    pub(crate) quotas_max: Option<usize>,
}

/// Which store.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum StoreKind {
    /// In this process: a restart forgets it.
    Memory,
}

/// A nonce space.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Nonces {
    /// How long a delivery is remembered at least; `24h` unless given.
    pub(crate) retain: Option<Text<DurationUnit>>,
    /// What counts as the same delivery.
    #[serde(default)]
    pub(crate) same_delivery: SameDelivery,
    /// What a delivery that comes again gets.
    #[serde(default)]
    pub(crate) on_duplicate: OnDuplicate,
    /// When a claim stays.
    #[serde(default)]
    pub(crate) keep: Keep,
}

/// What counts as the same delivery.
#[derive(Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum SameDelivery {
    /// Everything that was signed.
    #[default]
    Signature,
    /// The message id that was signed.
    MessageId,
}

/// What a delivery that comes again gets.
#[derive(Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum OnDuplicate {
    /// A refusal.
    #[default]
    Deny,
    /// A 2xx, and it is not forwarded.
    Acknowledge,
    /// It is forwarded with a mark.
    Mark,
}

/// When an effect of a request stays.
#[derive(Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Keep {
    /// When the request is allowed.
    #[default]
    OnAllow,
    /// Whatever becomes of it.
    Always,
    /// When the upstream answers below 400, where its response is seen.
    OnSuccess,
}

/// How much of something a caller may have.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Quota {
    /// The steady rate.
    pub(crate) rate: Text<RateUnit>,
    /// The most at once; the rate's count unless given.
    #[schemars(range(min = 1))]
    pub(crate) burst: Option<u64>,
    /// Whom it is counted against.
    pub(crate) key: QuotaKey,
    /// When a unit stays taken.
    #[serde(default)]
    pub(crate) keep: Keep,
}

/// Whom a quota is counted against.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum QuotaKey {
    /// The principal, within its tenant.
    Principal,
    /// The client's address; of IPv6 its /64.
    ClientAddress,
    /// All requests of a route together.
    Route,
}
