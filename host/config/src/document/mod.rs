//! The shape of `barmkin.toml`, as it is written: names and quantities are
//! still text. The JSON Schema is made from these types.

mod admin;
mod key;
mod listen;
mod policy;
mod route;
mod store;
mod upstream;

pub(crate) use admin::{Admin, AdminTimeouts, Health, Pin, Shutdown};
pub(crate) use key::{Encoding, Key, KeyAlgorithm, Secret};
pub(crate) use listen::{ClientCertificate, Dialect, Group, Listen, ListenKind, Tls};
pub(crate) use policy::{OnError, OneOrMore, Policy};
pub(crate) use route::{BackendFolding, Cors, Match, Member, Overrides, PathException, PathPattern, Preflight, Route};
pub(crate) use store::{
    Durability, Keep, Nonces, OnDuplicate, Quota, QuotaAlgorithm, QuotaKey, SameDelivery, StatusClass, Store,
    StoreKind, StoreSentinel, StoreTls, TellApart,
};
pub(crate) use upstream::{Http, LeastVersion, Upstream, UpstreamTls};

use crate::source::Site;
use crate::units::{SizeUnit, Text};
use schemars::JsonSchema;
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// A configuration of Barmkin.
#[derive(Default, JsonSchema)]
#[schemars(rename = "barmkin", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Document {
    /// The version of this format.
    #[expect(dead_code, reason = "there is one version")]
    #[schemars(range(min = 1, max = 1))]
    pub(crate) version: u32,
    /// Further files, relative to this one; `*` stands for any part of a name.
    #[expect(dead_code, reason = "what it names is read into the rest")]
    #[schemars(default)]
    pub(crate) include: Vec<String>,
    /// Where requests come in, by name.
    #[schemars(default)]
    pub(crate) listen: BTreeMap<String, Entry<Listen>>,
    /// Where allowed requests go, by name.
    #[schemars(default)]
    pub(crate) upstreams: BTreeMap<String, Entry<Upstream>>,
    /// Where nonces and quotas live.
    pub(crate) store: Option<Entry<Store>>,
    /// Keys, by name. They stay on the host; policies name them.
    #[schemars(default)]
    pub(crate) keys: BTreeMap<String, Entry<Key>>,
    /// Nonce spaces, by name: where deliveries are remembered.
    #[schemars(default)]
    pub(crate) nonces: BTreeMap<String, Entry<Nonces>>,
    /// Quotas, by name.
    #[schemars(default)]
    pub(crate) quotas: BTreeMap<String, Entry<Quota>>,
    /// Policies, by name.
    #[schemars(default)]
    pub(crate) policies: BTreeMap<String, Entry<Policy>>,
    /// Routes. Their order means nothing: the most specific one wins.
    #[schemars(default)]
    pub(crate) routes: Vec<Entry<Route>>,
    /// The most that is taken on at once.
    pub(crate) limits: Option<Entry<Limits>>,
    /// Where compiled policies are kept for the next start.
    pub(crate) cache: Option<Entry<Cache>>,
    /// Where operators ask a running gate.
    pub(crate) admin: Option<Entry<Admin>>,
    /// Where anybody may ask how a running gate is.
    pub(crate) health: Option<Entry<Health>>,
    /// How a gate stops.
    pub(crate) shutdown: Option<Entry<Shutdown>>,
    /// The only components and configurations that may be loaded.
    pub(crate) pin: Option<Entry<Pin>>,
    /// The facts forwarded to the upstream.
    pub(crate) forward: Option<Entry<Forward>>,
    /// The details that clients get in errors.
    pub(crate) errors: Option<Entry<Errors>>,
}

/// Something that was declared, and where.
pub(crate) struct Entry<T> {
    pub(crate) site: Site,
    pub(crate) value: T,
}

impl<T: JsonSchema> JsonSchema for Entry<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        T::json_schema(generator)
    }
}

/// The most that is taken on at once. It is read at the start: a reload cannot change it.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Limits {
    /// Requests that are decided or wait for it, 512 by default; further ones
    /// are told `overloaded`. With a store that is far away each of them waits
    /// for it: requests a second, times the seconds that a check takes.
    #[schemars(range(min = 1, max = 16384))]
    pub(crate) undecided: Option<usize>,
    /// Memory for bodies that are read before the verdict, of all requests,
    /// `128MiB` by default. It must take the largest body of any route.
    pub(crate) bodies: Option<Text<SizeUnit>>,
}

/// Where compiled policies are kept for the next start.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Cache {
    /// The folder, relative to this file. It is made if there is none; only the
    /// user that runs the gate may be able to write to it.
    pub(crate) path: String,
}

/// The facts forwarded to the upstream.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Forward {
    /// The field that carries the principal's id. Clients' own copies are
    /// removed.
    #[serde(default = "principal_field")]
    pub(crate) principal_field: String,
}

impl Default for Forward {
    fn default() -> Self {
        Self { principal_field: principal_field() }
    }
}

fn principal_field() -> String {
    "barmkin-principal".to_owned()
}

/// The details that clients get in errors.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Errors {
    /// Where reason codes are documented: an address that a code completes.
    #[schemars(regex(pattern = "^https?://"))]
    pub(crate) documentation: String,
}
