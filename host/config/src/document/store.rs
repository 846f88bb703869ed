use crate::units::{DurationUnit, RateUnit, Text};
use schemars::JsonSchema;
use serde::Deserialize;

/// Where nonces and quotas live.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Store {
    /// Which store.
    pub(crate) kind: StoreKind,
    /// `memory`, `embedded`: the most live nonces; when they are there, further
    /// claims are refused.
    #[schemars(range(min = 1))]
    pub(crate) nonces_max: Option<usize>,
    /// `memory`, `embedded`: the most quotas that are not full.
    #[schemars(range(min = 1))]
    pub(crate) quotas_max: Option<usize>,
    /// `embedded`: its folder, relative to this file.
    pub(crate) path: Option<String>,
    /// `embedded`: what an answer survives; defaults to `process`.
    pub(crate) durability: Option<Durability>,
    /// `redis`: one server, `redis://host:port/db`, with TLS `rediss://`.
    #[schemars(regex(pattern = "^(redis|rediss|redis\\+unix|unix)://."))]
    pub(crate) url: Option<String>,
    /// `redis`, instead of `url`: nodes of a cluster, which name the others:
    /// `redis://host:port`, or all of them `rediss://host:port`.
    #[schemars(length(min = 1), inner(regex(pattern = "^rediss?://.")))]
    pub(crate) cluster: Option<Vec<String>>,
    /// `redis`, instead of `url`: the sentinels that name the server.
    pub(crate) sentinel: Option<StoreSentinel>,
    /// `redis`: who logs in; defaults to the default user.
    pub(crate) username: Option<String>,
    /// `redis`: where the password is: `file:` and a path, or `env:` and the name
    /// of a variable.
    #[schemars(regex(pattern = "^(file|env):."))]
    pub(crate) password: Option<String>,
    /// `redis`: what every key begins with; defaults to `barmkin`.
    pub(crate) prefix: Option<String>,
    /// `redis`: how long one call may take; defaults to `250ms`.
    pub(crate) timeout: Option<Text<DurationUnit>>,
    /// `redis` with TLS. With `sentinel` the server speaks TLS if this is given.
    pub(crate) tls: Option<StoreTls>,
}

/// Sentinels of Redis or Valkey, and the master that they watch.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct StoreSentinel {
    /// Their name for the master.
    #[schemars(length(min = 1))]
    pub(crate) master: String,
    /// Where they are: `redis://host:port`, or all of them `rediss://host:port`.
    #[schemars(length(min = 1), inner(regex(pattern = "^rediss?://.")))]
    pub(crate) addresses: Vec<String>,
    /// Who logs in to the sentinels; defaults to the default user.
    pub(crate) username: Option<String>,
    /// Where the password for the sentinels is: `file:` and a path, or `env:` and the
    /// name of a variable.
    #[schemars(regex(pattern = "^(file|env):."))]
    pub(crate) password: Option<String>,
    /// For sentinels with TLS.
    pub(crate) tls: Option<StoreTls>,
}

/// Certificates for Redis with TLS: files of PEM, relative to this file.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct StoreTls {
    /// Who may certify the server; defaults to the machine's own list.
    pub(crate) root: Option<String>,
    /// The certificate with which the gate identifies itself.
    pub(crate) certificate: Option<String>,
    /// Its key.
    pub(crate) key: Option<String>,
}

/// The failures that the answer to a claim or a take survives.
#[derive(Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Durability {
    /// The death of the process: costs microseconds.
    #[default]
    Process,
    /// Also power loss: waits for the disk, milliseconds.
    Power,
}

/// Which store.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum StoreKind {
    /// In this process: a restart forgets it.
    Memory,
    /// In a folder of this machine: a restart forgets nothing.
    Embedded,
    /// In Redis or Valkey, for several gates together.
    Redis,
}

/// A nonce space.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Nonces {
    /// How long a delivery is remembered; defaults to `24h`. A policy that
    /// would take one for longer than that is refused (`retention-exceeded`).
    pub(crate) retain: Option<Text<DurationUnit>>,
    /// The most live nonces, so that this space cannot fill the store for the
    /// others; defaults to an equal part of the store's `nonces-max`. On `redis`
    /// it bounds what each gate adds, and there is none by default.
    #[schemars(range(min = 1))]
    pub(crate) entries_max: Option<usize>,
    /// The part that identifies a delivery.
    #[serde(default)]
    pub(crate) same_delivery: SameDelivery,
    /// Fields that were not signed and tell apart deliveries which are the same
    /// otherwise, such as Shopify's topic.
    #[serde(default)]
    pub(crate) tell_apart: Vec<TellApart>,
    /// The treatment of a repeated delivery. Defaults to `acknowledge` where it is
    /// known that the upstream took the first (`keep` is `on-success` and the
    /// listener a `reverse-proxy`), and `deny` elsewhere.
    pub(crate) on_duplicate: Option<OnDuplicate>,
    /// When a claim stays. Defaults to `on-success` for deliveries on a
    /// `reverse-proxy` and `on-allow` elsewhere, and to `always` for nonces that a
    /// policy claims by itself (a proof, a token, a code).
    pub(crate) keep: Option<Keep>,
    /// The upstream's answers by which a delivery stays `on-success`. Defaults to
    /// `["2xx"]`; with any other answer it may be sent again.
    pub(crate) success: Option<Vec<StatusClass>>,
}

/// A field that was not signed, by which deliveries differ all the same. Who has a
/// delivery can send it once with each of the values, and once without the field.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct TellApart {
    /// The field.
    pub(crate) field: String,
    /// The values that it may have; a delivery with another is refused.
    #[schemars(length(min = 1))]
    pub(crate) values: Vec<String>,
}

/// Statuses of an upstream.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub(crate) enum StatusClass {
    /// It succeeded.
    #[serde(rename = "2xx")]
    Success,
    /// It redirects.
    #[serde(rename = "3xx")]
    Redirect,
    /// It refused.
    #[serde(rename = "4xx")]
    ClientError,
}

/// The part that identifies a delivery.
#[derive(Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum SameDelivery {
    /// Everything that was signed.
    #[default]
    Signature,
    /// The message id that was signed.
    MessageId,
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

/// When an effect of a request stays.
#[derive(Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Keep {
    /// When the request is allowed.
    #[default]
    OnAllow,
    /// Whatever becomes of it.
    Always,
    /// When the upstream succeeds, where its response is seen; elsewhere as
    /// `on-allow`. For a delivery `success` says what that is, and its answer must
    /// be whole; a quota counts what is answered below 400.
    OnSuccess,
}

/// How much of something a caller may have.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Quota {
    /// How it counts; defaults to `gcra`.
    #[serde(default)]
    pub(crate) algorithm: QuotaAlgorithm,
    /// The steady rate, or how much in each window. Not for `concurrency`.
    pub(crate) rate: Option<Text<RateUnit>>,
    /// `gcra`: the most at once; defaults to the rate's count.
    #[schemars(range(min = 1))]
    pub(crate) burst: Option<u64>,
    /// `concurrency`: the most at once.
    #[schemars(range(min = 1))]
    pub(crate) limit: Option<u64>,
    /// `concurrency`: when a request counts as ended although nobody said so;
    /// defaults to `1m`.
    pub(crate) lease: Option<Text<DurationUnit>>,
    /// Whom it is counted against.
    pub(crate) key: QuotaKey,
    /// When a unit stays taken; defaults to `on-allow`. Not for `concurrency`,
    /// whose units come back when the request ends.
    pub(crate) keep: Option<Keep>,
    /// The most subjects that have taken from it, and for `sliding-window` and
    /// `concurrency` the takes of each, so that this quota cannot fill the store
    /// for the others; defaults to an equal part of the store's `quotas-max`. On
    /// `redis` it bounds the subjects of each gate, and there is none by
    /// default.
    #[schemars(range(min = 1))]
    pub(crate) entries_max: Option<usize>,
}

/// How a quota counts.
#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum QuotaAlgorithm {
    /// A steady rate with a burst.
    #[default]
    Gcra,
    /// A number in each minute, hour or day of the store's clock.
    FixedWindow,
    /// A number in any minute, hour or day.
    SlidingWindow,
    /// A number of requests at once.
    Concurrency,
}

/// Whom a quota is counted against.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum QuotaKey {
    /// The principal, within its tenant.
    Principal,
    /// The principal's tenant; a principal without one counts by itself.
    Tenant,
    /// The client's address; of IPv6 its /64.
    ClientAddress,
    /// All requests of a route together.
    Route,
}
