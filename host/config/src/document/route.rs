use crate::units::{SizeUnit, Text};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de};
use std::borrow::Cow;
use std::fmt;
use std::num::NonZeroU32;

/// Which requests are decided by which policies.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Route {
    /// Its name, in logs and metrics.
    pub(crate) name: String,
    /// Which requests; defaults to all of them.
    #[serde(default, rename = "match")]
    pub(crate) matches: Match,
    /// The listeners whose requests it is for; defaults to all of them.
    #[schemars(length(min = 1))]
    pub(crate) listeners: Option<Vec<String>>,
    /// The policies, in the order they run.
    #[serde(default)]
    pub(crate) chain: Vec<Member>,
    /// Where its requests go when they come over a listener of kind `reverse-proxy`,
    /// as that listener's `upstream`, which is the default.
    pub(crate) upstream: Option<String>,
    /// Whether it is meant for everyone: allowed when nobody denies.
    #[serde(default)]
    pub(crate) public: bool,
    /// Whether it forwards whatever the verdict is, and records it.
    #[serde(default)]
    pub(crate) observe: bool,
    /// The treatment of CORS preflights.
    #[serde(default)]
    pub(crate) preflight: Preflight,
    /// The largest body that the chain takes, if it needs the body. Defaults
    /// to the most that all its policies can use, up to `1MiB`, and what the
    /// provider of a webhook is known to send, if that is more.
    pub(crate) body_limit: Option<Text<SizeUnit>>,
    /// The foldings of paths by the backend, besides those refused everywhere: a
    /// path that it would serve as another one is refused. None by default,
    /// since most backends take such paths for what they are.
    #[serde(default)]
    pub(crate) backend_folds: Vec<BackendFolding>,
    /// The treatment of fields that replace the method or the target for some
    /// frameworks, such as `x-http-method-override` and `x-original-url`.
    #[serde(default)]
    pub(crate) overrides: Overrides,
    /// Of how many requests that are let in one is logged, with who sent it and
    /// by which key: `1` for all of them. Defaults to none.
    pub(crate) log_allowed: Option<NonZeroU32>,
    /// The pages of other origins whose scripts may read this route's denials. Without
    /// it a browser shows them a network error in place of 401.
    pub(crate) cors: Option<Cors>,
    /// The parts allowed in paths below the route's `path.prefix` although backends
    /// read them in two ways. Every reading must stay below the prefix and below no
    /// more specific route, and no policy of the chain may read the path.
    #[serde(default)]
    pub(crate) path_exceptions: Vec<PathException>,
}

/// The pages that may read denials.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Cors {
    /// Their origins, one by one, as browsers write them: `https://app.example.com`.
    #[schemars(length(min = 1))]
    pub(crate) origins: Vec<String>,
    /// Whether their requests carry cookies or client certificates; `false` by default.
    #[serde(default)]
    pub(crate) credentials: bool,
}

/// A part of paths that one backend takes for what it is, and another for structure.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum PathException {
    /// `%2F`, which some decode.
    EncodedSlashes,
    /// `//`, which some merge.
    EmptySegments,
}

/// Paths that a backend takes for one, and others for two.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum BackendFolding {
    /// Files of Windows: `admin.`, `admin%20`, `admin::$DATA`, `ADMINI~1`.
    WindowsNames,
    /// Formats: `admin.json` is `admin`.
    FormatSuffixes,
}

/// The treatment of fields that replace the method or the target.
#[derive(Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Overrides {
    /// They are removed; those for the method, and a `_method` in the query,
    /// where the route or its chain looks at the method.
    #[default]
    Remove,
    /// They are forwarded: the chain must decide alike for every method.
    Forward,
}

/// Which requests a route is for.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Match {
    /// A host, or `*.` and a domain for all below it.
    pub(crate) host: Option<String>,
    /// The path. However it is spelled, it is compared in canonical form.
    pub(crate) path: Option<PathPattern>,
    /// The methods; all of them by default. `GET` is for HEAD too, unless a
    /// route that is as specific otherwise names `HEAD`.
    #[serde(default)]
    pub(crate) methods: Vec<String>,
}

/// Which paths: one of the two.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(extend("minProperties" = 1, "maxProperties" = 1))]
pub(crate) struct PathPattern {
    /// This one.
    pub(crate) exact: Option<String>,
    /// This one and all below it, by whole segments.
    pub(crate) prefix: Option<String>,
}

/// The treatment of CORS preflights, which carry no credentials.
#[derive(Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Preflight {
    /// They are refused.
    #[default]
    Refuse,
    /// They are forwarded without asking the chain.
    Forward,
}

/// A member of a chain.
pub(crate) enum Member {
    Policy(String),
    Shadow(String),
    AnyOf(Vec<String>),
}

/// The table form of a member: one of the two.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(extend("minProperties" = 1, "maxProperties" = 1))]
struct Group {
    /// One of these policies must allow.
    any_of: Option<Vec<String>>,
    /// This policy runs for the record only.
    shadow: Option<String>,
}

impl<'de> Deserialize<'de> for Member {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Member;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a policy, `{ any-of = [..] }` or `{ shadow = \"..\" }`")
            }

            fn visit_str<E>(self, name: &str) -> Result<Member, E> {
                Ok(Member::Policy(name.to_owned()))
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Member, A::Error> {
                let group = Group::deserialize(de::value::MapAccessDeserializer::new(map))?;
                match (group.any_of, group.shadow) {
                    (Some(names), None) => Ok(Member::AnyOf(names)),
                    (None, Some(name)) => Ok(Member::Shadow(name)),
                    _ => Err(de::Error::custom("a member in braces has either `any-of` or `shadow`")),
                }
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for Member {
    fn schema_name() -> Cow<'static, str> {
        "Member".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let group = Group::json_schema(generator);
        schemars::json_schema!({
            "description": "A policy by its name, or by `stock:` and the name of a stock policy; or a group.",
            "anyOf": [{ "type": "string" }, group],
        })
    }
}
