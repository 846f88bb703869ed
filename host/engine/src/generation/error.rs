//! The problems that a generation can have, and who must act.

use crate::keys::{Algorithm, KeyError};
use crate::limits::COMPILE_BUDGET_MAX;
use crate::policy::is_older;
use std::fmt;
use std::time::Duration;

/// The part of a configuration that an error is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum At {
    /// A policy, by name.
    Policy(String),
    /// A route, by name.
    Route(String),
    /// A key, by name.
    Key(String),
    /// A quota, by name.
    Quota(String),
    /// The field in which the upstream learns the principal.
    PrincipalField,
    /// The number of entries that a nonce space or a quota may hold, by its
    /// name.
    Store(String),
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Policy(name) => write!(f, "policy `{name}`"),
            Self::Route(name) => write!(f, "route `{name}`"),
            Self::Key(name) => write!(f, "key `{name}`"),
            Self::Quota(name) => write!(f, "quota `{name}`"),
            Self::PrincipalField => f.write_str("the principal's field"),
            Self::Store(name) => write!(f, "the bound of `{name}`"),
        }
    }
}

/// A problem with a component, for the policy author to fix, or with the rest
/// of the configuration, for the operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// The bounds of nonce spaces, or of quotas, are more than the store's.
    #[error(
        "the {kind} may hold {named} entries by their own bounds, and {others} have none, but the store holds {room}"
    )]
    NoRoom {
        /// Which.
        kind: &'static str,
        /// The sum of their bounds.
        named: usize,
        /// How many have none.
        others: usize,
        /// Entries that the store holds.
        room: usize,
    },
    /// Not WebAssembly, or cut off, or with features that are off.
    #[error("the component is not valid: {0}")]
    InvalidComponent(String),
    /// A module that was not made into a component.
    #[error("this is a core module, not a component")]
    CoreModule,
    /// Larger than [`COMPONENT_BYTES_MAX`](crate::limits::COMPONENT_BYTES_MAX).
    #[error("the component has {bytes} bytes, but may have {max}")]
    ComponentTooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// More of something than is counted: see [`limits`](crate::limits).
    #[error("the component has {found} {what}, but may have {max}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many there are.
        found: u64,
        /// The limit.
        max: u64,
    },
    /// Loading it takes longer than
    /// [`PolicySpec::compile_budget`](crate::PolicySpec::compile_budget), by
    /// the estimate.
    #[error("loading the component takes about {estimate:.1?}, but its `compile-budget` is {budget:?}")]
    CompileBudget {
        /// How long it takes.
        estimate: Duration,
        /// How long it may.
        budget: Duration,
    },
    /// Compiling one of its functions takes more memory than
    /// [`COMPILE_MEMORY_MAX`](crate::limits::COMPILE_MEMORY_MAX), by the
    /// estimate.
    #[error("compiling a function of the component takes about {} MiB of memory, but may take {} MiB", estimate >> 20, max >> 20)]
    CompileMemory {
        /// Bytes that it takes.
        estimate: u64,
        /// Bytes that it may.
        max: u64,
    },
    /// It was built for a version of the contract that this host does not run.
    #[error("the component was built for `{found}`, but this host runs `{expected}`")]
    OtherContract {
        /// The interface that it imports or exports.
        found: String,
        /// The same interface, as this host has it.
        expected: &'static str,
    },
    /// It does not export the interface of policies.
    #[error("the component is not a policy: it does not export `{0}`")]
    NoPolicy(&'static str),
    /// It imports something that is not a capability.
    #[error("the component imports `{0}`, which no policy is given")]
    ForeignImport(String),
    /// It imports or exports a capability with other types.
    #[error("the component does not fit the contract: {0}")]
    Mistyped(String),
    /// A memory whose maximum leaves no room to take the snapshot.
    #[error("a memory is limited to {max} pages, too few for a snapshot of it")]
    MemoryCannotGrow {
        /// Its declared maximum.
        max: u64,
    },
    /// Its configured memory cannot be taken as an image.
    #[error("the configured component cannot be snapshotted: {0}")]
    NoSnapshot(String),
    /// `configure` trapped, ran out of time or of memory, or called an import.
    #[error("configuring the component failed: {0}")]
    ConfigureFailed(String),
    /// `configure` refused a setting.
    #[error("setting {setting}: {problem}")]
    Setting {
        /// Where in the settings, in backticks.
        setting: String,
        /// The problem, in the policy's words.
        problem: String,
        /// The remedy, in the policy's words.
        help: String,
    },
    /// As [`Setting`](Self::Setting), of more settings than are listed.
    #[error("{0} more problems with the settings are not listed")]
    MoreSettings(usize),
    /// The settings are not an object, or too large.
    #[error("the settings {0}")]
    Settings(String),
    /// The manifest asks for what cannot be.
    #[error("the manifest is not acceptable: {0}")]
    Manifest(String),
    /// The manifest asks for what the operator did not grant.
    #[error("the policy asks for {kind} `{name}`, which it is not granted")]
    NotGranted {
        /// `key`, `nonce space`, `quota` or `field`.
        kind: &'static str,
        /// The policy's name for it.
        name: String,
    },
    /// The manifest says that it vouches, and the operator did not grant it.
    #[error("the policy vouches for requests, which it is not granted")]
    VouchNotGranted,
    /// A grant that the policy does not ask for.
    #[error("the policy is granted {kind} `{name}`, which it does not use")]
    UnusedGrant {
        /// `key`, `nonce space`, `quota` or `field`.
        kind: &'static str,
        /// The policy's name for it.
        name: String,
    },
    /// The grant `vouch`, for a policy that does not ask for it.
    #[error("the policy is granted `vouch`, but vouches for nothing")]
    UnusedVouch,
    /// A grant names what does not exist.
    #[error("there is no {kind} `{name}`")]
    Unknown {
        /// The kind of thing.
        kind: &'static str,
        /// The name.
        name: String,
    },
    /// Quotas that cannot be granted under one name.
    #[error("the quotas granted together {0}")]
    GrantedQuotas(String),
    /// The operator's key is for something else.
    #[error("key `{key}` is for {algorithm}, but the policy uses `{need}` for {accepted}")]
    WrongAlgorithm {
        /// The operator's key.
        key: String,
        /// The algorithm that it is for.
        algorithm: Algorithm,
        /// The policy's name for it.
        need: String,
        /// The algorithms that the policy takes.
        accepted: String,
    },
    /// A key cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A field that nobody may set.
    #[error("no policy may set `{0}`")]
    ForbiddenField(String),
    /// Two policies of a chain may set the same field.
    #[error("policies `{first}` and `{second}` may both set `{field}`")]
    FieldSetTwice {
        /// The field.
        field: String,
        /// A policy.
        first: String,
        /// Another policy of the chain.
        second: String,
    },
    /// Nothing would decide.
    #[error("the chain is empty")]
    EmptyChain,
    /// More members than [`CHAIN_MAX`](crate::limits::CHAIN_MAX).
    #[error("the chain has {0} policies, too many")]
    ChainTooLong(usize),
    /// It could never allow anything.
    #[error("no policy of the chain vouches, so it would deny every request")]
    NobodyVouches,
    /// A request could belong to either.
    #[error("it ties with route `{0}`: some requests match both equally well")]
    Tie(String),
    /// Two routes of one name.
    #[error("another route has the same name")]
    DuplicateName,
    /// A path pattern that no request can match.
    #[error("path `{0}` can be read in two ways, so nothing can match it")]
    Path(String),
    /// A host that no request can have.
    #[error("`{0}` is not a host, or can be read as another one")]
    Host(String),
    /// A method that no request can have.
    #[error("method `{0}` is not in capitals, so nothing can match it")]
    Method(String),
    /// An origin that no browser sends.
    #[error("`{0}` is not an origin as browsers write it")]
    Origin(String),
    /// Pages of no origin.
    #[error("no origin is listed, so that no page could read a denial")]
    NoOrigins,
    /// Exceptions for paths, on a route that is for one path, or for all.
    #[error("exceptions for paths are made below a prefix, which this route does not have")]
    ExceptionsWithoutPrefix,
    /// A policy of the chain reads the path, of which there is more than one reading.
    #[error("policy `{0}` reads the path, which can be read in several ways where exceptions are made")]
    ExceptionsRead(String),
    /// A field that frames or routes a message, or that the gate reads.
    #[error("the principal cannot be sent in `{0}`: servers give that field a meaning of its own")]
    PrincipalField(String),
    /// A limit that is out of range.
    #[error("{what} is {value}, but must be from {min} to {max}")]
    OutOfRange {
        /// Which.
        what: &'static str,
        /// Its value.
        value: String,
        /// The least.
        min: String,
        /// The most.
        max: String,
    },
}

impl Problem {
    /// The remedy, where there is a single one.
    pub fn help(&self) -> Option<String> {
        Some(match self {
            Self::InvalidComponent(_) => "build it again with `barmkin build`".into(),
            Self::CoreModule => "make a component of it with `barmkin build`".into(),
            Self::TooMany { .. } => "simplify the component: no build tool for policies makes that many".into(),
            Self::CompileBudget { estimate, .. } if *estimate > COMPILE_BUDGET_MAX => format!(
                "make it smaller, or split its largest functions: a policy may be given {COMPILE_BUDGET_MAX:?} at most"
            ),
            Self::CompileBudget { estimate, .. } => format!(
                "if it is the component you mean, give the policy `compile-budget = \"{}s\"`, or make it smaller",
                estimate.as_secs() + 1
            ),
            Self::CompileMemory { .. } => "split its largest function, or its largest table".into(),
            Self::MoreSettings(_) => "correct those that are listed first".into(),
            Self::OtherContract { found, expected } => match is_older(found, expected) {
                Some(true) => "build it again with the SDK of this host: `barmkin sdk`, then `barmkin build`".into(),
                Some(false) => "upgrade this host to the version whose SDK built it, or build it with this one's: \
                                `barmkin sdk`, then `barmkin build`"
                    .into(),
                None => "build it with the SDK of this host: `barmkin sdk`, then `barmkin build`".into(),
            },
            Self::NoPolicy(_) => "name the component that `barmkin build` makes of a crate with a `#[policy]`".into(),
            Self::ForeignImport(import) if import.starts_with("wasi:") => {
                "build it for wasm32-unknown-unknown: policies have no ambient authority".into()
            }
            Self::ForeignImport(_) => "remove the import: policies use the capabilities of the contract only".into(),
            Self::MemoryCannotGrow { .. } => "declare no maximum: the host limits memory".into(),
            Self::NoSnapshot(_) => "build it with the Rust SDK, or without tables that change".into(),
            Self::Setting { help, .. } if !help.is_empty() => help.clone(),
            Self::NotGranted { kind: "field", name } => format!("add it to the policy's grants: `sets = [\"{name}\"]`"),
            Self::NotGranted { kind, name } => {
                let table = if *kind == "nonce space" { "nonces".to_owned() } else { format!("{kind}s") };
                format!("say which one it means in the policy's grants: `{table} = {{ {name} = \"...\" }}`")
            }
            Self::WrongAlgorithm { key, accepted, .. } => {
                format!("grant a key for {accepted}, or give `{key}` that `algorithm`")
            }
            Self::VouchNotGranted => "if it may let requests in, add `vouch = true` to its grants".into(),
            Self::UnusedGrant { .. } | Self::UnusedVouch => "remove the grant".into(),
            Self::Unknown { kind, name } => match *kind {
                "policy" => format!("declare it as `[policies.{name}]`, or name a stock policy as `stock:...`"),
                "nonce space" => format!("declare it as `[nonces.{name}]`"),
                kind => format!("declare it as `[{kind}s.{name}]`"),
            },
            Self::GrantedQuotas(_) => {
                "let a separate policy take from the other: what it took is given back if the request is denied".into()
            }
            Self::FieldSetTwice { .. } => "let one of them set it".into(),
            Self::EmptyChain => "name at least one policy, or delete the route".into(),
            Self::NobodyVouches => {
                "grant `vouch` to a policy that verifies something, or say `public = true` if it is meant for everyone"
                    .into()
            }
            Self::Tie(_) => "make one of them more specific in host, path, methods or listeners".into(),
            Self::DuplicateName => "give it a name of its own".into(),
            Self::Path(_) => {
                "write it without dot segments, `//`, `;`, `\\` or control characters, encoded or not".into()
            }
            Self::Host(_) => "write a name or an address as in `host`, without port".into(),
            Self::Method(method) => format!("write `{}`", method.to_ascii_uppercase()),
            Self::Origin(_) => {
                "write scheme and host in lower case, and the port unless it is the scheme's own, such as \
                 `https://app.example.com`: pages are listed one by one"
                    .into()
            }
            Self::NoOrigins => "list the origins of your pages, or remove `cors`".into(),
            Self::ExceptionsWithoutPrefix => "match a `path.prefix` other than `/`, or remove `path-exceptions`".into(),
            Self::ExceptionsRead(_) => "decide by what is not in the path there, or remove `path-exceptions`".into(),
            Self::PrincipalField(_) => "use a field of its own, such as `barmkin-principal`".into(),
            _ => return None,
        })
    }
}
