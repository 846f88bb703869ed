use crate::document::{Document, Entry};
use crate::resolve::Context;
use crate::source::Site;
use barmkin_host::misleads;
use std::collections::BTreeMap;

/// Names go into logs, metrics and terminals, where nobody escapes them.
pub(super) fn check(document: &Document, context: &mut Context<'_>) {
    fn sites<T>(declared: &BTreeMap<String, Entry<T>>) -> impl Iterator<Item = (&str, &Site)> {
        declared.iter().map(|(name, entry)| (name.as_str(), &entry.site))
    }
    let routes = document.routes.iter().map(|route| (route.value.name.as_str(), &route.site));
    let names = routes
        .chain(sites(&document.listen))
        .chain(sites(&document.upstreams))
        .chain(sites(&document.keys))
        .chain(sites(&document.nonces))
        .chain(sites(&document.quotas))
        .chain(sites(&document.policies));
    for (name, site) in names.filter(|(name, _)| name.chars().any(misleads)) {
        context
            .findings
            .error(site, format!("the name `{name}` has characters that nobody can see"))
            .help("use letters, digits and `-`");
    }
}
