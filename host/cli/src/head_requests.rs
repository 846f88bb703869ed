//! Routes and rules that are open to HEAD because they are open to GET.

use barmkin_host::{PolicySpec, Route, Spec};
use http::Method;
use serde_json::Value;

/// A line for each route, and each rule of `rbac-scopes`, that is for HEAD
/// because it is for GET.
pub(crate) fn opened(spec: &Spec) -> Vec<String> {
    let routes = spec.routes.iter().filter(|route| takes_head_as_get(route, &spec.routes));
    let routes = routes.map(|route| format!("route `{}` is for HEAD too, as it is for GET", route.name));
    let rules = spec.policies.iter().filter(|(_, policy)| is_rbac_scopes(policy)).flat_map(|(name, policy)| {
        let paths = paths_that_take_head_as_get(&policy.settings);
        paths.into_iter().map(move |path| format!("policy `{name}` takes HEAD as GET at `{path}`"))
    });
    routes.chain(rules).collect()
}

fn takes_head_as_get(route: &Route, all: &[Route]) -> bool {
    let names = |route: &Route, method| route.matches.methods.contains(&method);
    let beside = |other: &Route| {
        let (one, other) = (&route.matches, &other.matches);
        (&one.host, &one.path, &one.listeners) == (&other.host, &other.path, &other.listeners)
    };
    names(route, Method::GET) && !all.iter().any(|other| beside(other) && names(other, Method::HEAD))
}

fn is_rbac_scopes(policy: &PolicySpec) -> bool {
    barmkin_stock::get("rbac-scopes").is_some_and(|stock| *policy.component == *stock.component)
}

fn paths_that_take_head_as_get(settings: &Value) -> Vec<&str> {
    let rules = settings.get("rules").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let path = |rule: &Value| rule.get("path").and_then(Value::as_str).map(str::to_owned);
    let names = |rule: &Value, method: &str| {
        let methods = rule.get("methods").and_then(Value::as_array);
        methods.is_some_and(|methods| methods.iter().any(|named| named == method))
    };
    let named = |at: &Value| rules.iter().any(|rule| path(rule) == path(at) && names(rule, "HEAD"));
    let opened = rules.iter().filter(|rule| names(rule, "GET") && !named(rule));
    opened.filter_map(|rule| rule.get("path").and_then(Value::as_str)).collect()
}
