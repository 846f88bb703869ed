//! The specification that a generation is built from: plain data, by name.

mod deliveries;

pub use deliveries::{NonceSpace, OnDuplicate, SameDelivery, SuccessStatuses, TellApart};

use crate::cors::Cors;
use crate::limits;
use crate::store::{Gcra, QuotaRule};
use http::{HeaderName, Method};
use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

/// Everything that decides: policies, what they may use, and routes.
#[derive(Clone, Debug, Default)]
pub struct Spec {
    /// Nonce spaces by name.
    pub nonces: BTreeMap<String, NonceSpace>,
    /// Quotas by name.
    pub quotas: BTreeMap<String, Quota>,
    /// Policies by name.
    pub policies: BTreeMap<String, PolicySpec>,
    /// Routes. Their order means nothing: the most specific one wins.
    pub routes: Vec<Route>,
    /// The field in which the upstream learns the principal's id. Clients'
    /// own copies are removed.
    pub principal_field: Option<HeaderName>,
    /// Where reason codes are documented: an address that a code completes.
    pub documentation: Option<String>,
}

/// When an effect stays although the request did not go through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keep {
    /// It stays when the verdict is allow, and is given back otherwise.
    #[default]
    OnAllow,
    /// It stays whatever the verdict: for guesses, which must count most when
    /// they are refused.
    Always,
    /// It stays when the upstream succeeded, where the adapter sees the response;
    /// elsewhere as `OnAllow`.
    OnSuccess,
}

/// How much of something a caller may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quota {
    /// How much, and how that is counted.
    pub rule: QuotaRule,
    /// Whom it is counted against.
    pub key: QuotaKey,
    /// When a take stays.
    pub keep: Keep,
    /// The most subjects that have taken from it, with the takes that it
    /// remembers of each; `None` for an equal part of what the quotas that say
    /// a number leave of the store's room.
    pub entries_max: Option<usize>,
}

impl Quota {
    /// `count` units in every `span` for each principal, as a steady rate that can
    /// also be taken at once.
    ///
    /// ```
    /// use barmkin_host::{Gcra, Quota, QuotaKey};
    /// use std::time::Duration;
    ///
    /// const MINUTE: Duration = Duration::from_secs(60);
    /// let quota = Quota::per(100, MINUTE);
    /// assert_eq!(quota.rule, Gcra { interval: Duration::from_millis(600), limit: 100 }.into());
    ///
    /// // Everything else is a field away.
    /// let by_address = Quota { key: QuotaKey::ClientAddress, ..Quota::per(100, MINUTE) };
    /// ```
    pub fn per(count: u64, span: Duration) -> Self {
        // Rounded up, so that no more than the rate is ever admitted. Nothing can be
        // taken of none: a generation refuses that.
        let nanos = u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
        let interval = Duration::from_nanos(nanos.div_ceil(count.max(1)));
        Self {
            rule: Gcra { interval, limit: count }.into(),
            key: QuotaKey::Principal,
            keep: Keep::OnAllow,
            entries_max: None,
        }
    }
}

/// Whom a quota is counted against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuotaKey {
    /// The principal, within its tenant.
    Principal,
    /// The principal's tenant; a principal without one counts by itself.
    Tenant,
    /// The client's address; an IPv6 client is its /64, since it can choose
    /// within that.
    ClientAddress,
    /// All requests of a route together.
    Route,
}

/// A component with everything it needs to run.
#[derive(Clone, Debug)]
pub struct PolicySpec {
    /// The component's bytes.
    pub component: Arc<[u8]>,
    /// Its settings: a JSON object.
    pub settings: serde_json::Value,
    /// The things that it may use.
    pub grants: Grants,
    /// The effect of its failure.
    pub on_error: OnError,
    /// CPU time of one check.
    pub deadline: Duration,
    /// Bytes of linear memory.
    pub memory_bytes: usize,
    /// How long loading it may take, by an estimate that is made before.
    pub compile_budget: Duration,
}

impl PolicySpec {
    /// A policy without settings or grants, with the default limits.
    pub fn new(component: impl Into<Arc<[u8]>>) -> Self {
        Self {
            component: component.into(),
            settings: serde_json::json!({}),
            grants: Grants::default(),
            on_error: OnError::default(),
            deadline: limits::DEADLINE_DEFAULT,
            memory_bytes: limits::MEMORY_BYTES_DEFAULT,
            compile_budget: limits::COMPILE_BUDGET_DEFAULT,
        }
    }
}

/// The things that a policy may use: its own names for them, mapped to the
/// operator's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    /// Keys.
    pub keys: BTreeMap<String, String>,
    /// Nonce spaces.
    pub nonces: BTreeMap<String, String>,
    /// Quotas: of several under one name, each take is from all or from none.
    /// They count by the same key.
    pub quotas: BTreeMap<String, Vec<String>>,
    /// Fields it may set on what is forwarded.
    pub sets: Vec<HeaderName>,
    /// Query parameters that it reads and that are not forwarded: credentials.
    pub removes_query: Vec<String>,
    /// Whether its allow counts, and it may name the principal and set facts.
    pub vouch: bool,
}

/// The effect of a policy's failure: it denies or abstains, and never allows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnError {
    /// A deny with the failure's reason.
    #[default]
    Deny,
    /// Nothing: the others decide.
    Abstain,
}

/// Which requests are decided by which chain.
#[derive(Clone, Debug)]
pub struct Route {
    /// Its name, in logs and metrics.
    pub name: String,
    /// Which requests.
    pub matches: RouteMatch,
    /// The policies, in the order they run.
    pub chain: Vec<Member>,
    /// Whether it is meant for everyone: allowed when nobody denies.
    pub public: bool,
    /// Whether it forwards every request, and only records the verdict.
    pub observe: bool,
    /// The treatment of CORS preflights, which carry no credentials.
    pub preflight: Preflight,
    /// Bytes of body that the chain takes, if it needs the body. Defaults to
    /// what all its policies can use, and [`BODY_BYTES_DEFAULT`] at most.
    ///
    /// [`BODY_BYTES_DEFAULT`]: limits::BODY_BYTES_DEFAULT
    pub body_bytes_max: Option<usize>,
    /// The foldings of paths that the backend does, besides those that every
    /// path is refused for: a path that they would change is refused on this
    /// route.
    pub backend_foldings: Vec<BackendFolding>,
    /// The treatment of fields that replace the method or the target.
    pub overrides: Overrides,
    /// Logs one in this many allowed requests, with its sender; `None` logs none of
    /// them.
    pub log_allowed: Option<NonZeroU32>,
    /// Where its requests go, by a name that means something to the listener; to
    /// the listener's own upstream if there is none here.
    pub upstream: Option<Arc<str>>,
    /// The pages of other origins that may read its denials.
    pub cors: Option<Cors>,
    /// The parts allowed in paths below its prefix although backends read them in two ways.
    pub path_exceptions: Vec<PathException>,
}

impl Route {
    /// A route for everything, with an empty chain.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            matches: RouteMatch::default(),
            chain: Vec::new(),
            public: false,
            observe: false,
            preflight: Preflight::default(),
            body_bytes_max: None,
            backend_foldings: Vec::new(),
            overrides: Overrides::default(),
            log_allowed: None,
            upstream: None,
            cors: None,
            path_exceptions: Vec::new(),
        }
    }

    /// Bytes of body that it takes at most, whatever its policies can use.
    pub fn body_bytes(&self) -> usize {
        self.body_bytes_max.unwrap_or(limits::BODY_BYTES_DEFAULT)
    }
}

/// A part of paths that one backend takes for what it is, and another for structure.
/// On a route that makes the exception it may stand below the route's prefix, which is
/// then all that is decided about: no policy of the chain may read the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathException {
    /// `%2F`, which some decode.
    EncodedSlashes,
    /// `//`, which some merge.
    EmptySegments,
}

/// How a backend makes one path of two that have one reading each to others.
/// Many legitimate paths look like that, so only the operator of such a backend
/// can say that they are to be refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackendFolding {
    /// It serves files of Windows, which drops dots and spaces at the end of a
    /// name, and has streams (`a::$DATA`) and short names (`ADMINI~1`).
    WindowsNames,
    /// It takes a suffix of the last segment for the format of the answer
    /// (`/admin.json`).
    FormatSuffixes,
}

/// The treatment of fields by which a client replaces its request's method
/// (`x-http-method-override`) or target (`x-original-url`) for frameworks that
/// believe them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overrides {
    /// They are removed; those for the method, where a route or a policy has
    /// looked at the method.
    #[default]
    Remove,
    /// They are forwarded, for a backend that needs them behind policies that
    /// decide alike whatever they say.
    Forward,
}

/// A member of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Member {
    /// A policy.
    Policy(String),
    /// A policy that is run for the record only.
    Shadow(String),
    /// Policies of which one must allow; the first that does, decides.
    AnyOf(Vec<String>),
}

impl Member {
    /// The policies it names.
    pub fn policies(&self) -> &[String] {
        match self {
            Self::Policy(name) | Self::Shadow(name) => std::slice::from_ref(name),
            Self::AnyOf(names) => names,
        }
    }
}

/// The treatment of a CORS preflight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Preflight {
    /// It is refused.
    #[default]
    Refuse,
    /// It is forwarded without asking the chain: the upstream answers it.
    Forward,
}

/// Which requests a route is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteMatch {
    /// The host.
    pub host: HostMatch,
    /// The path.
    pub path: PathMatch,
    /// The methods; empty for all. GET is for HEAD too, unless a route that is
    /// as specific otherwise names HEAD.
    pub methods: Vec<Method>,
    /// The listeners, as [`Client::listener`](crate::Client::listener) has
    /// them; empty for all.
    pub listeners: Vec<String>,
}

impl RouteMatch {
    /// Whether it is for requests that come by `listener`.
    pub fn serves(&self, listener: Option<&str>) -> bool {
        self.listeners.is_empty() || listener.is_some_and(|name| self.listeners.iter().any(|served| served == name))
    }
}

/// Which hosts. However they are written, they are compared in canonical form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum HostMatch {
    /// All.
    #[default]
    Any,
    /// `*.example.com`: this and all below it, without the `*.`.
    Below(String),
    /// This one: a name or an address, those of IPv6 in brackets.
    Exact(String),
}

impl fmt::Display for HostMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any host"),
            Self::Below(parent) => write!(f, "`*.{parent}`"),
            Self::Exact(host) => write!(f, "`{host}`"),
        }
    }
}

/// Which paths. However they are written, they are compared in canonical form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathMatch {
    /// This path and all below it, by whole segments. `/` is all.
    Prefix(String),
    /// This one.
    Exact(String),
}

impl Default for PathMatch {
    fn default() -> Self {
        Self::Prefix("/".to_owned())
    }
}
