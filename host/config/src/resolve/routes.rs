use crate::document::{self, Document, Entry, ListenKind, PathPattern};
use crate::resolve::{Context, Policies, chains, gate, upstreams};
use crate::source::{Site, Spot};
use barmkin_host::limits::BODY_BYTES_DEFAULT;
use barmkin_host::{
    BackendFolding, Cors, HostMatch, Member, Overrides, PathException, PathMatch, Preflight, Route, RouteMatch,
};
use http::Method;
use std::collections::BTreeMap;

pub(super) fn resolve(document: &Document, policies: &mut Policies, context: &mut Context<'_>) -> Vec<Route> {
    let mut names: BTreeMap<&str, &Site> = BTreeMap::new();
    let mut routes = Vec::new();
    let room = gate::bodies_bytes_max(document.limits.as_ref());
    for Entry { site, value: declared } in &document.routes {
        if let Some(first) = names.insert(&declared.name, site) {
            let first = context.sources.place(&Spot::from(first.key("name")));
            context
                .findings
                .error(site.key("name"), format!("route `{}` is declared twice", declared.name))
                .help(format!("it is also declared at {first}"));
            continue;
        }
        let mut route = Route::new(&declared.name);
        route.matches = matches(&declared.matches, &site.key("match"), context);
        route.matches.listeners = listeners(declared, &site.key("listeners"), document, context);
        route.chain = chain(declared, site, document, policies, context);
        route.upstream = upstream(declared, site, document, context).map(Into::into);
        route.public = declared.public;
        route.observe = declared.observe;
        route.preflight = match declared.preflight {
            document::Preflight::Refuse => Preflight::Refuse,
            document::Preflight::Forward => Preflight::Forward,
        };
        let foldings = declared.backend_folds.iter().map(|folding| match folding {
            document::BackendFolding::WindowsNames => BackendFolding::WindowsNames,
            document::BackendFolding::FormatSuffixes => BackendFolding::FormatSuffixes,
        });
        route.backend_foldings = foldings.collect();
        route.overrides = match declared.overrides {
            document::Overrides::Remove => Overrides::Remove,
            document::Overrides::Forward => Overrides::Forward,
        };
        route.cors = declared.cors.as_ref().map(|cors| read_cors(cors, declared, site, context));
        let exceptions = declared.path_exceptions.iter().map(|exception| match exception {
            document::PathException::EncodedSlashes => PathException::EncodedSlashes,
            document::PathException::EmptySegments => PathException::EmptySegments,
        });
        route.path_exceptions = exceptions.collect();
        let in_chain = route.chain.iter().flat_map(Member::policies).filter_map(|name| policies.specs.get(name));
        let provided =
            chains::provided_bytes(in_chain).map(|sent| sent.min(room)).filter(|sent| *sent > BODY_BYTES_DEFAULT);
        route.body_bytes_max = match &declared.body_limit {
            Some(limit) => context.read(site.key("body-limit"), Some(limit)),
            None => provided,
        };
        route.log_allowed = declared.log_allowed;
        routes.push(route);
    }
    routes
}

fn read_cors(cors: &document::Cors, route: &document::Route, site: &Site, context: &mut Context<'_>) -> Cors {
    if let document::Preflight::Refuse = route.preflight {
        let message = format!("route `{}` has `cors` and refuses preflights", route.name);
        context.findings.warning(site.key("cors"), message).help(
            "browsers ask by one before they send `authorization` or JSON, and then send nothing: write \
             `preflight = \"forward\"` for an upstream that answers them",
        );
    }
    Cors { origins: cors.origins.clone(), credentials: cors.credentials }
}

fn listeners(route: &document::Route, site: &Site, document: &Document, context: &mut Context<'_>) -> Vec<String> {
    let Some(names) = &route.listeners else { return Vec::new() };
    if names.is_empty() {
        context
            .findings
            .error(site, format!("route `{}` is for no listener", route.name))
            .help("name some, or leave `listeners` out: then it is for all of them");
    }
    for (index, name) in names.iter().enumerate().filter(|(_, name)| !document.listen.contains_key(*name)) {
        let declared: Vec<_> = document.listen.keys().map(|name| format!("`{name}`")).collect();
        let help = match declared.as_slice() {
            [] => format!("declare `[listen.{name}]`"),
            declared => format!("declare `[listen.{name}]`, or name one that there is: {}", declared.join(", ")),
        };
        context.findings.error(site.item(index), format!("there is no listener `{name}`")).help(help);
    }
    names.clone()
}

/// Where a route's requests go, if it says so.
fn upstream(route: &document::Route, site: &Site, document: &Document, context: &mut Context<'_>) -> Option<String> {
    let text = route.upstream.as_deref()?;
    let serves = |name: &String| route.listeners.as_ref().is_none_or(|names| names.contains(name));
    let mut listeners = document.listen.iter().filter(|(name, _)| serves(name)).map(|(_, listen)| listen.value.kind);
    if !document.listen.is_empty() && !listeners.any(|kind| kind == ListenKind::ReverseProxy) {
        let message = format!("no listener forwards the requests of route `{}` itself", route.name);
        context
            .findings
            .error(site.key("upstream"), message)
            .help("have it served by a listener of kind `reverse-proxy`, or remove it");
    }
    Some(upstreams::key(text, site.file, context))
}

fn chain(
    route: &document::Route,
    site: &Site,
    document: &Document,
    policies: &mut Policies,
    context: &mut Context<'_>,
) -> Vec<Member> {
    let at = site.key("chain");
    let mut chain = Vec::new();
    for (index, member) in route.chain.iter().enumerate() {
        let at = at.item(index);
        let mut find = |name: &str, site: Site| policies.find(name, &site, document, context);
        // A missing policy keeps its place: the chain shall not seem empty.
        match member {
            document::Member::Policy(name) => {
                find(name, at);
                chain.push(Member::Policy(name.clone()));
            }
            document::Member::Shadow(name) => {
                find(name, at.key("shadow"));
                chain.push(Member::Shadow(name.clone()));
            }
            document::Member::AnyOf(names) => {
                for (index, name) in names.iter().enumerate() {
                    find(name, at.key("any-of").item(index));
                }
                chain.push(Member::AnyOf(names.clone()));
            }
        }
    }
    chain
}

fn matches(declared: &document::Match, site: &Site, context: &mut Context<'_>) -> RouteMatch {
    RouteMatch {
        host: declared.host.as_deref().map_or(HostMatch::Any, |host| host_match(host, site, context)),
        path: declared.path.as_ref().map_or_else(PathMatch::default, |path| path_match(path, site, context)),
        methods: methods(&declared.methods, &site.key("methods"), context),
        listeners: Vec::new(),
    }
}

fn path_match(declared: &PathPattern, site: &Site, context: &mut Context<'_>) -> PathMatch {
    match (&declared.exact, &declared.prefix) {
        (Some(path), None) => PathMatch::Exact(path.clone()),
        (None, Some(path)) => PathMatch::Prefix(path.clone()),
        _ => {
            context
                .findings
                .error(site.key("path"), "a path is either `exact` or a `prefix`")
                .help("write `path.exact = \"/..\"` or `path.prefix = \"/..\"`");
            PathMatch::default()
        }
    }
}

fn host_match(text: &str, site: &Site, context: &mut Context<'_>) -> HostMatch {
    let host = text.to_ascii_lowercase();
    let (host, below) = match host.strip_prefix("*.") {
        Some(parent) => (parent.to_owned(), true),
        None => (host, false),
    };
    let is_name =
        !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'));
    let is_address = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .is_some_and(|host| host.parse::<std::net::Ipv6Addr>().is_ok());
    if !is_name && (below || !is_address) {
        context
            .findings
            .error(site.key("host"), format!("`{text}` is not a host"))
            .help("write a name without port, such as `hooks.example.com`, or `*.example.com` for all below it");
    }
    if below { HostMatch::Below(host) } else { HostMatch::Exact(host) }
}

fn methods(declared: &[String], site: &Site, context: &mut Context<'_>) -> Vec<Method> {
    let mut methods = Vec::new();
    for (index, text) in declared.iter().enumerate() {
        match Method::from_bytes(text.as_bytes()) {
            Ok(method) if !text.bytes().any(|byte| byte.is_ascii_lowercase()) => methods.push(method),
            _ => context
                .findings
                .error(site.item(index), format!("`{text}` is not a method"))
                .help(format!("methods are written in capitals, such as `{}`", text.to_ascii_uppercase())),
        }
    }
    methods
}
