use crate::document::{self, Document, Entry, OnError, OneOrMore};
use crate::resolve::Context;
use crate::resolve::components::{self, Component};
use crate::resolve::tables::{self, Table};
use crate::source::Site;
use crate::stock::{self, StockPolicy};
use crate::unknown::nearest;
use barmkin_host::{Grants, PolicySpec};
use http::HeaderName;
use std::collections::BTreeMap;
use toml::Value;

/// The policies that routes name.
#[derive(Default)]
pub(crate) struct Policies {
    pub(crate) specs: BTreeMap<String, PolicySpec>,
    pub(crate) origins: BTreeMap<String, PolicyOrigin>,
    /// By policy, and by the name of the setting.
    pub(crate) tables: BTreeMap<String, BTreeMap<String, Table>>,
}

/// Where a policy comes from.
#[derive(Clone, Debug)]
pub(crate) enum PolicyOrigin {
    /// It is declared.
    Declared(Site),
    /// A chain names the stock policy directly.
    Inline(Site),
}

/// The policies that are declared. One that cannot be read keeps its name, so
/// that routes which name it are not wrong as well.
pub(super) fn declared(document: &Document, context: &mut Context<'_>) -> Policies {
    let mut policies = Policies::default();
    for (name, Entry { site, value: policy }) in &document.policies {
        policies.origins.insert(name.clone(), PolicyOrigin::Declared(site.clone()));
        let component = components::read(policy, site, context);
        let stock = component.as_ref().and_then(|component| component.stock.as_ref());
        let mut settings = settings(policy, site, context);
        policies.tables.insert(name.clone(), tables::read(policy, site, &mut settings, context));
        let spec = PolicySpec {
            settings,
            grants: grants(name, policy, stock, site, document, context),
            on_error: match policy.on_error {
                OnError::Deny => barmkin_host::OnError::Deny,
                OnError::Abstain => barmkin_host::OnError::Abstain,
            },
            ..limits(policy, site, component.as_ref(), context)
        };
        policies.specs.insert(name.clone(), spec);
    }
    policies
}

impl Policies {
    /// The policy that a chain names, or adds the stock policy that it names
    /// directly. `false` if there is none.
    pub(super) fn find(&mut self, name: &str, site: &Site, document: &Document, context: &mut Context<'_>) -> bool {
        if self.origins.contains_key(name) {
            return true;
        }
        let Some(stock) = name.strip_prefix("stock:") else {
            let names: Vec<&str> = document.policies.keys().map(String::as_str).collect();
            let help = nearest(name, &names).map_or_else(
                || format!("declare it as `[policies.{name}]`, or name a stock policy as `stock:..`"),
                |near| format!("did you mean `{near}`"),
            );
            context.findings.error(site, format!("there is no policy `{name}`")).help(help);
            return false;
        };
        let Some(stock_policy) = components::find_stock(stock, site, context) else { return false };
        if !stock_policy.is_ready {
            context
                .findings
                .error(site, format!("`{name}` needs settings and grants, so a chain cannot name it directly"))
                .help(format!("declare `[policies.NAME]` with `component = \"{name}\"`, and name that"));
            return false;
        }
        let mut spec = PolicySpec::new(stock_policy.component);
        bind(&mut spec.grants, name, &stock_policy, site, document, context);
        self.specs.insert(name.to_owned(), spec);
        self.origins.insert(name.to_owned(), PolicyOrigin::Inline(site.clone()));
        true
    }
}

fn limits(
    policy: &document::Policy,
    site: &Site,
    component: Option<&Component>,
    context: &mut Context<'_>,
) -> PolicySpec {
    let default = PolicySpec::new(component.map(|component| component.bytes.clone()).unwrap_or_default());
    PolicySpec {
        deadline: context.read_or(site.key("deadline"), policy.deadline.as_ref(), default.deadline),
        memory_bytes: context.read_or(site.key("memory"), policy.memory.as_ref(), default.memory_bytes),
        compile_budget: context.read_or(
            site.key("compile-budget"),
            policy.compile_budget.as_ref(),
            default.compile_budget,
        ),
        ..default
    }
}

fn grants(
    name: &str,
    policy: &document::Policy,
    stock: Option<&StockPolicy>,
    site: &Site,
    document: &Document,
    context: &mut Context<'_>,
) -> Grants {
    let declared = &policy.grants;
    let at = site.key("grants");
    check_known("key", "keys", &declared.keys, |name| std::slice::from_ref(name), &document.keys, &at, context);
    check_known(
        "nonce space",
        "nonces",
        &declared.nonces,
        |name| std::slice::from_ref(name),
        &document.nonces,
        &at,
        context,
    );
    check_known("quota", "quotas", &declared.quotas, OneOrMore::names, &document.quotas, &at, context);
    let mut grants = Grants {
        keys: declared.keys.clone(),
        nonces: declared.nonces.clone(),
        quotas: declared.quotas.iter().map(|(need, names)| (need.clone(), names.names().to_vec())).collect(),
        sets: Vec::new(),
        removes_query: declared.removes_query.clone(),
        vouch: declared.vouch,
    };
    for (index, field) in declared.sets.iter().enumerate() {
        match HeaderName::from_bytes(field.as_bytes()) {
            Ok(field) => grants.sets.push(field),
            Err(_) => context
                .findings
                .error(at.key("sets").item(index), format!("`{field}` is not the name of a header field"))
                .help("use letters, digits and `-`"),
        }
    }
    if let Some(stock) = stock {
        bind(&mut grants, name, stock, site, document, context);
        if stock::name_of(stock.component) == Some("api-key") {
            conceal_keys(policy, &mut grants, site, context);
        }
    }
    grants
}

/// Keys in the query do not reach the upstream.
fn conceal_keys(policy: &document::Policy, grants: &mut Grants, site: &Site, context: &mut Context<'_>) {
    let places = policy.settings.get("places").and_then(Value::as_array);
    for (index, place) in places.into_iter().flatten().enumerate() {
        let Some(name) = place.get("query").and_then(Value::as_str) else { continue };
        context
            .findings
            .warning(
                site.key("settings").key("places").item(index),
                format!("keys in the query parameter `{name}` are in the logs of everybody on the way to the gate"),
            )
            .help("have callers send them in a header");
        if !grants.removes_query.iter().any(|known| known == name) {
            grants.removes_query.push(name.to_owned());
        }
    }
}

fn check_known<G, T>(
    kind: &str,
    table: &str,
    granted: &BTreeMap<String, G>,
    names: fn(&G) -> &[String],
    declared: &BTreeMap<String, Entry<T>>,
    site: &Site,
    context: &mut Context<'_>,
) {
    for (need, name) in granted.iter().flat_map(|(need, granted)| names(granted).iter().map(move |name| (need, name))) {
        if !declared.contains_key(name) {
            let names: Vec<&str> = declared.keys().map(String::as_str).collect();
            let help = nearest(name, &names)
                .map_or_else(|| format!("declare it as `[{table}.{name}]`"), |near| format!("did you mean `{near}`"));
            context.findings.error(site.key(table).key(need), format!("there is no {kind} `{name}`")).help(help);
        }
    }
}

/// Gives a stock policy the one nonce space or quota there is, and the fields
/// of its own that it sets.
fn bind(
    grants: &mut Grants,
    name: &str,
    stock: &StockPolicy,
    site: &Site,
    document: &Document,
    context: &mut Context<'_>,
) {
    bind_only(
        "nonce space",
        "nonces",
        stock.nonces,
        &mut grants.nonces,
        |name| name,
        &document.nonces,
        name,
        site,
        context,
    );
    bind_only(
        "quota",
        "quotas",
        stock.quotas,
        &mut grants.quotas,
        |name| vec![name],
        &document.quotas,
        name,
        site,
        context,
    );
    grants.sets.extend(stock.sets.iter().copied().map(HeaderName::from_static));
}

#[expect(clippy::too_many_arguments, reason = "the two kinds differ in all of them")]
fn bind_only<G, T>(
    kind: &str,
    table: &str,
    needs: &[&str],
    granted: &mut BTreeMap<String, G>,
    grant: fn(String) -> G,
    declared: &BTreeMap<String, Entry<T>>,
    policy: &str,
    site: &Site,
    context: &mut Context<'_>,
) {
    for need in needs.iter().filter(|need| !granted.contains_key(**need)).copied().collect::<Vec<_>>() {
        let mut names = declared.keys();
        match (names.next(), names.next()) {
            (Some(only), None) => drop(granted.insert(need.to_owned(), grant(only.clone()))),
            (None, _) => context
                .findings
                .error(site, format!("policy `{policy}` needs a {kind}, and none is declared"))
                .help(format!("declare one as `[{table}.NAME]`")),
            (Some(_), Some(_)) => context
                .findings
                .error(site, format!("policy `{policy}` needs a {kind}, and {} are declared", declared.len()))
                .help(format!("say which in the `grants` of a `[policies.NAME]`: `{table} = {{ {need} = \"..\" }}`")),
        }
    }
}

fn settings(policy: &document::Policy, site: &Site, context: &mut Context<'_>) -> serde_json::Value {
    let mut bad = Vec::new();
    let settings = to_json(&Value::Table(policy.settings.clone()), &site.key("settings"), &mut bad);
    for site in bad {
        context.findings.error(site, "this number is not finite").help("write a number");
    }
    settings
}

/// Settings cross into the sandbox as JSON: times become text, and a number
/// that JSON does not have is bad.
fn to_json(value: &Value, site: &Site, bad: &mut Vec<Site>) -> serde_json::Value {
    match value {
        Value::String(text) => text.as_str().into(),
        Value::Integer(number) => (*number).into(),
        Value::Float(number) => serde_json::Number::from_f64(*number).map_or_else(
            || {
                bad.push(site.clone());
                serde_json::Value::Null
            },
            serde_json::Value::Number,
        ),
        Value::Boolean(is) => (*is).into(),
        Value::Datetime(time) => time.to_string().into(),
        Value::Array(items) => {
            items.iter().enumerate().map(|(index, item)| to_json(item, &site.item(index), bad)).collect()
        }
        Value::Table(table) => {
            table.iter().map(|(key, value)| (key.clone(), to_json(value, &site.key(key), bad))).collect()
        }
    }
}
