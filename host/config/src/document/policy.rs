use crate::units::{DurationUnit, SizeUnit, Text};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

/// A component, and what it may do.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Policy {
    /// `stock:` and a name, or `file:` and a path relative to this file.
    #[schemars(regex(pattern = "^(stock|file):."))]
    pub(crate) component: String,
    /// `sha256:` and the digest that the component must have.
    #[schemars(regex(pattern = "^sha256:[0-9a-f]{64}$"))]
    pub(crate) digest: Option<String>,
    /// The policy's own settings.
    #[serde(default)]
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    pub(crate) settings: toml::Table,
    /// Lists of the settings that stand in files of their own, by their names in
    /// the settings: `file:` and a path relative to this file. Each line of such
    /// a file is an entry: a JSON object.
    #[serde(default)]
    pub(crate) tables: BTreeMap<String, String>,
    /// Its grants.
    #[serde(default)]
    pub(crate) grants: Grants,
    /// The effect of its failure.
    #[serde(default)]
    pub(crate) on_error: OnError,
    /// CPU time of one check; defaults to `10ms`.
    pub(crate) deadline: Option<Text<DurationUnit>>,
    /// Linear memory; defaults to `2MiB`.
    pub(crate) memory: Option<Text<SizeUnit>>,
    /// How long loading it may take, by an estimate from its code; defaults to
    /// `50s`, and may be `120s` at most.
    pub(crate) compile_budget: Option<Text<DurationUnit>>,
}

/// The grants of a policy: its own names to the ones declared here.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Grants {
    /// Keys.
    #[serde(default)]
    pub(crate) keys: BTreeMap<String, String>,
    /// Nonce spaces.
    #[serde(default)]
    pub(crate) nonces: BTreeMap<String, String>,
    /// Quotas: one, or a list of which each take is from all or from none.
    #[serde(default)]
    pub(crate) quotas: BTreeMap<String, OneOrMore>,
    /// Fields it may set on what is forwarded.
    #[serde(default)]
    pub(crate) sets: Vec<String>,
    /// Query parameters that it reads and that are not forwarded, since they are
    /// credentials. Those that the settings of `stock:api-key` name are among them.
    #[serde(default)]
    pub(crate) removes_query: Vec<String>,
    /// Whether its allow counts, and it may name the principal and set facts.
    #[serde(default)]
    pub(crate) vouch: bool,
}

/// A name, or a list of names.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum OneOrMore {
    /// A name.
    One(String),
    /// A list of names.
    More(Vec<String>),
}

impl OneOrMore {
    pub(crate) fn names(&self) -> &[String] {
        match self {
            Self::One(name) => std::slice::from_ref(name),
            Self::More(names) => names,
        }
    }
}

/// The effect of a policy's failure.
#[derive(Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum OnError {
    /// A deny.
    #[default]
    Deny,
    /// Nothing: the others decide.
    Abstain,
}
