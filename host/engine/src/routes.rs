//! Finds the route of a request: the most specific one, whatever their order.

use crate::cors::Cors;
use crate::generation::spec::{BackendFolding, HostMatch, Overrides, PathException, PathMatch, Preflight, RouteMatch};
use crate::request::{BodyNeed, Excepted, Request, canonical_host, of_route};
use http::Method;
use std::num::NonZeroU32;
use std::sync::Arc;

/// The routes of a generation.
#[derive(Debug, Default)]
pub(crate) struct RouteTable {
    routes: Vec<BuiltRoute>,
    /// Whether some of them are for some hosts only.
    name_hosts: bool,
    /// Whether some of them except anything in paths.
    make_exceptions: bool,
}

/// A route whose policies are loaded: what decides its requests, and apart from
/// it what is tried on them.
#[derive(Debug)]
pub(crate) struct BuiltRoute {
    pub(crate) name: Arc<str>,
    pub(crate) matches: BuiltMatch,
    pub(crate) deciding: Deciding,
    pub(crate) trials: Tried,
    /// Logs one in this many allowed requests.
    pub(crate) log_allowed: Option<NonZeroU32>,
    pub(crate) upstream: Option<Arc<str>>,
}

/// The part of a route that decides. It knows nothing of trials.
#[derive(Debug)]
pub(crate) struct Deciding {
    pub(crate) chain: Vec<BuiltMember>,
    pub(crate) public: bool,
    pub(crate) preflight: Preflight,
    pub(crate) body_need: BodyNeed,
    pub(crate) backend_foldings: Vec<BackendFolding>,
    pub(crate) overrides: Overrides,
    /// Query parameters that are not forwarded, each once.
    pub(crate) removes_query: Arc<[String]>,
    pub(crate) cors: Option<Cors>,
    pub(crate) path_exceptions: Vec<PathException>,
    /// Whether a policy of the chain looks at the method, and is kept to.
    pub(crate) reads_method: bool,
}

/// The part of a route that is tried: it changes nothing but the record.
#[derive(Debug)]
pub(crate) struct Tried {
    /// Whether the verdict is recorded, and not kept to.
    pub(crate) observe: bool,
    /// In the order of their places.
    pub(crate) shadows: Vec<Shadow>,
}

/// A policy that is asked for the record.
#[derive(Debug)]
pub(crate) struct Shadow {
    /// How many members of the chain stand before it.
    pub(crate) place: usize,
    pub(crate) name: Arc<str>,
    /// Its index among the policies that are tried.
    pub(crate) policy: usize,
}

/// A member of a chain, by index of its policies.
#[derive(Debug)]
pub(crate) enum BuiltMember {
    Policy(usize),
    AnyOf(Vec<usize>),
}

impl BuiltMember {
    pub(crate) fn policies(&self) -> &[usize] {
        match self {
            Self::Policy(index) => std::slice::from_ref(index),
            Self::AnyOf(group) => group,
        }
    }
}

/// The outcome of looking for a route.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Matched {
    One {
        index: usize,
        /// Whether another method could have found another route.
        by_method: bool,
    },
    None,
    /// A backend that folds case, or drops a final slash, would serve what a
    /// more specific route guards.
    DependsOnCase(usize),
}

/// More specific is greater: host before path before method before listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    host: usize,
    path: usize,
    exact_path: bool,
    method: MethodRank,
    listener: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum MethodRank {
    All,
    /// HEAD, which is GET without the body (RFC 9110, section 9.3.2).
    AsGet,
    Named,
}

impl RouteTable {
    pub(crate) fn new(routes: Vec<BuiltRoute>) -> Self {
        let name_hosts = routes.iter().any(|route| route.matches.host != HostMatch::Any);
        let make_exceptions = routes.iter().any(|route| !route.deciding.path_exceptions.is_empty());
        Self { routes, name_hosts, make_exceptions }
    }

    /// INVARIANT (route index): an index comes from [`find`](Self::find) on
    /// the same table, which a generation never changes.
    #[expect(clippy::indexing_slicing, reason = "route index")]
    pub(crate) fn get(&self, index: usize) -> &BuiltRoute {
        &self.routes[index]
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &BuiltRoute> {
        self.routes.iter()
    }

    /// Whether some routes are for some hosts only.
    pub(crate) fn name_hosts(&self) -> bool {
        self.name_hosts
    }

    /// Whether a path may have several readings on some route.
    pub(crate) fn make_exceptions(&self) -> bool {
        self.make_exceptions
    }

    pub(crate) fn find(&self, request: &Request) -> Matched {
        let mut found: Option<(Rank, usize)> = None;
        let mut folded: Option<(Rank, usize)> = None;
        let mut by_method = false;
        for (index, route) in self.routes.iter().enumerate() {
            let matches = &route.matches;
            let Some(host) = rank_host(&matches.host, request.host()) else { continue };
            if !matches.serves(request.head.client.listener.as_deref()) {
                continue;
            }
            let Some(path) = matches.path.rank(request) else { continue };
            by_method |= !matches.methods.is_empty();
            let Some(method) = rank_method(&matches.methods, &request.head.method) else { continue };
            let listener = !matches.listeners.is_empty();
            let rank = Rank { host, path: path.bytes, exact_path: path.exact, method, listener };
            folded = folded.max(Some((rank, index)));
            if path.as_written {
                found = found.max(Some((rank, index)));
            }
        }
        match (found, folded) {
            (Some((rank, _)), Some((other, guarded))) if other > rank => Matched::DependsOnCase(guarded),
            (None, Some((_, guarded))) => Matched::DependsOnCase(guarded),
            (Some((_, index)), _) => Matched::One { index, by_method },
            (None, None) => Matched::None,
        }
    }
}

/// Which parts of a request a route is for, and which not.
struct Misses {
    host: bool,
    path: bool,
    method: bool,
    listener: bool,
}

impl RouteTable {
    /// The route that a request without one comes closest to, and why it is not
    /// its: for the operator's log.
    pub(crate) fn nearest(&self, request: &Request) -> Option<String> {
        let head = &request.head;
        let misses = |route: &BuiltRoute| {
            let matches = &route.matches;
            Misses {
                host: rank_host(&matches.host, request.host()).is_none(),
                path: matches.path.rank(request).is_none(),
                method: rank_method(&matches.methods, &head.method).is_none(),
                listener: !matches.serves(head.client.listener.as_deref()),
            }
        };
        let nearest = self.routes.iter().map(|route| (route, misses(route))).min_by_key(|(route, misses)| {
            // A path is what a request is most about, and the longer, the more.
            let others = [misses.host, misses.method, misses.listener].iter().filter(|misses| **misses).count();
            (misses.path, others, std::cmp::Reverse(route.matches.path.normal.len()))
        });
        let (route, misses) = nearest.filter(|(_, misses)| !misses.path)?;
        let matches = &route.matches;
        let mut why = Vec::new();
        if misses.listener {
            let listener = head.client.listener.as_deref().unwrap_or_default();
            why.push(format!("it is for other listeners than `{listener}`"));
        }
        if misses.host {
            why.push(format!("it is for {}, not `{}`", matches.host, request.host()));
        }
        if misses.method {
            let methods: Vec<_> = matches.methods.iter().map(Method::as_str).collect();
            why.push(format!("it is for {}, not {}", methods.join(", "), head.method));
        }
        Some(format!("route `{}` has the path, but {}", route.name, why.join(", and ")))
    }
}

impl BuiltRoute {
    /// Whether everything that `excepted` may be read as is below this route's prefix.
    ///
    /// INVARIANT (excepted below): it was found as the most specific route of the
    /// reading in which every encoded slash is decoded and every empty segment is gone.
    /// The plain segments that any other reading begins with are the first ones of that
    /// one, so that no other reading can belong to a more specific route; and since the
    /// prefix stands before the first exception, every reading is below it.
    pub(crate) fn admits(&self, excepted: &Excepted) -> bool {
        let excepts = |exception| self.deciding.path_exceptions.contains(&exception);
        (excepts(PathException::EncodedSlashes) || !excepted.encoded_slashes)
            && (excepts(PathException::EmptySegments) || !excepted.empty_segments)
            && self.matches.path.is_above(&excepted.plain)
    }
}

/// The requests that a route is for, in the form in which requests are compared with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BuiltMatch {
    host: HostMatch,
    path: BuiltPath,
    methods: Vec<Method>,
    listeners: Vec<String>,
}

/// The part of a match that no request can have.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unmatchable {
    Host(String),
    Path(String),
    Method(Method),
}

impl BuiltMatch {
    pub(crate) fn new(matches: &RouteMatch) -> Result<Self, Unmatchable> {
        let canonical = |host: &String| canonical_host(host).ok_or_else(|| Unmatchable::Host(host.clone()));
        let host = match &matches.host {
            HostMatch::Any => HostMatch::Any,
            HostMatch::Below(parent) => HostMatch::Below(canonical(parent)?),
            HostMatch::Exact(host) => HostMatch::Exact(canonical(host)?),
        };
        let lower = |method: &&Method| method.as_str().bytes().any(|byte| byte.is_ascii_lowercase());
        if let Some(method) = matches.methods.iter().find(lower) {
            return Err(Unmatchable::Method(method.clone()));
        }
        let path = BuiltPath::new(&matches.path)?;
        Ok(Self { host, path, methods: matches.methods.clone(), listeners: matches.listeners.clone() })
    }

    /// Whether it is a prefix that says anything.
    pub(crate) fn is_narrow_prefix(&self) -> bool {
        !self.path.exact && !self.path.normal.is_empty()
    }

    fn serves(&self, listener: Option<&str>) -> bool {
        self.listeners.is_empty() || listener.is_some_and(|name| self.listeners.iter().any(|served| served == name))
    }

    /// Whether some request would match both with the same rank.
    pub(crate) fn ties(&self, other: &Self) -> bool {
        let same_path = self.path.exact == other.path.exact && self.path.folded == other.path.folded;
        self.host == other.host
            && same_path
            && overlap(&self.methods, &other.methods)
            && overlap(&self.listeners, &other.listeners)
    }
}

/// A path in normal form.
#[derive(Clone, Debug, PartialEq, Eq)]
struct BuiltPath {
    exact: bool,
    /// An exact one as a whole, a prefix without a final slash.
    normal: String,
    /// The most that a backend may make of it: folded, and without a final
    /// slash.
    folded: String,
}

struct PathRank {
    bytes: usize,
    exact: bool,
    /// Whether it matches without folding.
    as_written: bool,
}

impl BuiltPath {
    fn new(path: &PathMatch) -> Result<Self, Unmatchable> {
        let (PathMatch::Exact(text) | PathMatch::Prefix(text)) = path;
        let exact = matches!(path, PathMatch::Exact(_));
        let (mut normal, mut folded) = of_route(text).ok_or_else(|| Unmatchable::Path(text.clone()))?;
        folded.truncate(trim(&folded).len());
        if !exact {
            normal.truncate(trim(&normal).len());
        }
        Ok(Self { exact, normal, folded })
    }

    /// Whether it is a prefix, and all of it stands in `plain`.
    fn is_above(&self, plain: &str) -> bool {
        let rest = plain.strip_prefix(self.normal.as_str());
        !self.exact && !self.normal.is_empty() && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    fn rank(&self, request: &Request) -> Option<PathRank> {
        let (path, folded) = (request.path(), request.folded_path());
        let (start, rest) = folded.split_at_checked(self.folded.len())?;
        let ends = if self.exact { rest.is_empty() || rest == "/" } else { rest.is_empty() || rest.starts_with('/') };
        if !ends || !start.eq_ignore_ascii_case(&self.folded) {
            return None;
        }
        let as_written = if self.exact {
            path == self.normal
        } else {
            path.strip_prefix(self.normal.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        Some(PathRank { bytes: self.normal.len(), exact: self.exact, as_written })
    }
}

fn trim(path: &str) -> &str {
    path.strip_suffix('/').unwrap_or(path)
}

fn rank_host(pattern: &HostMatch, host: &str) -> Option<usize> {
    match pattern {
        HostMatch::Any => Some(0),
        HostMatch::Below(parent) => {
            let below = host.strip_suffix(parent.as_str())?.strip_suffix('.')?;
            (!below.is_empty()).then_some(1 + parent.len())
        }
        HostMatch::Exact(exact) => (exact == host).then_some(usize::MAX),
    }
}

fn rank_method(methods: &[Method], method: &Method) -> Option<MethodRank> {
    if methods.is_empty() {
        Some(MethodRank::All)
    } else if methods.contains(method) {
        Some(MethodRank::Named)
    } else {
        (method == Method::HEAD && methods.contains(&Method::GET)).then_some(MethodRank::AsGet)
    }
}

/// Whether two lists have something in common that neither says better than
/// the other. Empty is all.
fn overlap<T: PartialEq>(a: &[T], b: &[T]) -> bool {
    match (a, b) {
        ([], []) => true,
        ([], _) | (_, []) => false,
        _ => a.iter().any(|item| b.contains(item)),
    }
}
