//! Finds the route of a request: the most specific one, whatever their order.

use crate::generation::spec::{HostMatch, PathMatch, Preflight, RouteMatch};
use crate::request::{BodyNeed, Request};
use std::sync::Arc;

/// The routes of a generation.
#[derive(Debug, Default)]
pub(crate) struct RouteTable(Vec<BuiltRoute>);

/// A route whose policies are loaded.
#[derive(Debug)]
pub(crate) struct BuiltRoute {
    pub(crate) name: Arc<str>,
    pub(crate) matches: RouteMatch,
    pub(crate) chain: Vec<BuiltMember>,
    pub(crate) shadows: Vec<usize>,
    pub(crate) public: bool,
    pub(crate) observe: bool,
    pub(crate) preflight: Preflight,
    pub(crate) body_need: BodyNeed,
}

/// A member of a chain, by index of its policies.
#[derive(Debug)]
pub(crate) enum BuiltMember {
    Policy(usize),
    AnyOf(Vec<usize>),
}

/// What came of looking for a route.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Matched {
    One(usize),
    None,
    /// A backend that folds case, or drops a final slash, would serve what a
    /// more specific route guards.
    DependsOnCase,
}

/// More specific is greater: host before path before method before listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    host: usize,
    path: usize,
    exact_path: bool,
    method: bool,
    listener: bool,
}

impl RouteTable {
    pub(crate) fn new(routes: Vec<BuiltRoute>) -> Self {
        Self(routes)
    }

    /// INVARIANT (route index): an index comes from [`find`](Self::find) on
    /// the same table, which a generation never changes.
    #[expect(clippy::indexing_slicing, reason = "route index")]
    pub(crate) fn get(&self, index: usize) -> &BuiltRoute {
        &self.0[index]
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &BuiltRoute> {
        self.0.iter()
    }

    pub(crate) fn find(&self, request: &Request) -> Matched {
        let path = request.path();
        let mut found: Option<(Rank, usize)> = None;
        let mut folded: Option<Rank> = None;
        for (index, route) in self.0.iter().enumerate() {
            let matches = &route.matches;
            let Some(host) = rank_host(&matches.host, &request.host) else { continue };
            if !matches.methods.is_empty() && !matches.methods.contains(&request.head.method) {
                continue;
            }
            if !matches.serves(request.head.client.listener.as_deref()) {
                continue;
            }
            let Some((path, exact_path)) = rank_path(&matches.path, path) else { continue };
            let (method, listener) = (!matches.methods.is_empty(), !matches.listeners.is_empty());
            let rank = Rank { host, path: path.bytes, exact_path, method, listener };
            folded = folded.max(Some(rank));
            if path.as_written {
                found = found.max(Some((rank, index)));
            }
        }
        match found {
            Some((rank, _)) if folded > Some(rank) => Matched::DependsOnCase,
            None if folded.is_some() => Matched::DependsOnCase,
            Some((_, index)) => Matched::One(index),
            None => Matched::None,
        }
    }
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

struct PathRank {
    bytes: usize,
    /// Whether it matches without folding.
    as_written: bool,
}

fn rank_path(pattern: &PathMatch, path: &str) -> Option<(PathRank, bool)> {
    match pattern {
        PathMatch::Exact(exact) => {
            let trimmed = path.strip_suffix('/').unwrap_or(path);
            let folded = exact.strip_suffix('/').unwrap_or(exact).eq_ignore_ascii_case(trimmed);
            folded.then_some((PathRank { bytes: exact.len(), as_written: exact == path }, true))
        }
        PathMatch::Prefix(prefix) => {
            let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
            let (start, rest) = path.split_at_checked(prefix.len())?;
            let whole_segments = rest.is_empty() || rest.starts_with('/');
            let folded = whole_segments && start.eq_ignore_ascii_case(prefix);
            folded.then_some((PathRank { bytes: prefix.len(), as_written: start == prefix }, false))
        }
    }
}

/// Whether some request would match both with the same rank.
pub(crate) fn tie(a: &RouteMatch, b: &RouteMatch) -> bool {
    let trim = |path: &str| path.strip_suffix('/').unwrap_or(path).to_ascii_lowercase();
    let same_path = match (&a.path, &b.path) {
        (PathMatch::Exact(a), PathMatch::Exact(b)) | (PathMatch::Prefix(a), PathMatch::Prefix(b)) => trim(a) == trim(b),
        _ => false,
    };
    a.host == b.host && same_path && overlap(&a.methods, &b.methods) && overlap(&a.listeners, &b.listeners)
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
