//! Turns what is written into what it means, and finds what means nothing.

mod access;
mod admin;
mod chains;
mod components;
mod deliveries;
mod gate;
mod keys;
mod limits;
mod listeners;
mod names;
mod pin;
mod policies;
mod providers;
mod redis;
mod retention;
mod routes;
mod sockets;
mod stores;
mod tables;
mod tls;
mod upstreams;

pub(crate) use admin::resolve as admin;
pub(crate) use deliveries::ways_in;
pub(crate) use keys::{Keys, Secret, file_of, resolve_one as key};
pub(crate) use policies::{Policies, PolicyOrigin};
pub(crate) use tables::Table;

use crate::config::{LoadOptions, Origins};
use crate::document::{Document, Entry, Errors, Forward};
use crate::files::Files;
use crate::findings::Findings;
use crate::fixed::Fixed;
use crate::source::{Site, Sources, Spot};
use crate::units::{Text, Unit};
use barmkin_host::Spec;
use http::HeaderName;

/// The meaning of a document.
pub(crate) struct Resolved {
    pub(crate) fixed: Fixed,
    pub(crate) spec: Spec,
    pub(crate) keys: Keys,
    pub(crate) origins: Origins,
}

/// The parts of the whole that resolving a part needs.
pub(crate) struct Context<'c> {
    pub(crate) sources: &'c mut Sources,
    pub(crate) options: &'c LoadOptions,
    pub(crate) findings: &'c mut Findings,
    pub(crate) files: &'c mut Files,
}

/// Resolves all of `document`, as far as it can be. Whether the result can be
/// used, the findings say.
pub(crate) fn resolve(document: &Document, context: &mut Context<'_>) -> Resolved {
    names::check(document, context);
    let listeners = listeners::resolve(&document.listen, context);
    let upstreams = upstreams::resolve(document, context);
    let store = stores::resolve(document.store.as_ref(), context);
    let keys = keys::resolve(&document.keys, context);
    let mut policies = policies::declared(document, context);
    let routes = routes::resolve(document, &mut policies, context);
    let spec = Spec {
        nonces: deliveries::resolve(&document.nonces, context),
        quotas: limits::quotas(&document.quotas, context),
        policies: std::mem::take(&mut policies.specs),
        routes,
        principal_field: principal_field(document.forward.as_ref(), context),
        documentation: documentation(document.errors.as_ref(), context),
    };
    limits::check_bounds(&store, &spec, document, context);
    retention::check(&spec, document, context);
    providers::check(&spec, &document.keys, &keys.secrets, context);
    deliveries::check(&spec, &document.nonces, &listeners, context);
    chains::check(&spec, document, &policies.origins, &listeners, context);
    access::check(&spec, document, &policies, context);
    let Policies { origins, tables, .. } = policies;
    let origins = Origins::new(document, origins, tables);
    let admin = document.admin.as_ref().and_then(|admin| admin::resolve(admin, context));
    let health = document.health.as_ref().and_then(|health| admin::health(health, context));
    let shutdown = document.shutdown.as_ref();
    let declared_drain =
        shutdown.and_then(|shutdown| context.read(shutdown.site.key("drain"), shutdown.value.drain.as_ref()));
    let cache = document.cache.as_ref();
    let cache = cache.map(|cache| context.sources.beside(cache.site.file, &cache.value.path));
    let pin = document.pin.as_ref().map(|pin| pin::resolve(pin, document, &spec, &origins, context));
    let limits = gate::limits(document.limits.as_ref(), &spec, context);
    Resolved {
        fixed: Fixed { listeners, upstreams, store, limits, cache, admin, health, declared_drain, pin },
        spec,
        keys,
        origins,
    }
}

impl Context<'_> {
    /// Reads a quantity, or says what is wrong with it.
    pub(crate) fn read<U: Unit>(&mut self, site: Site, text: Option<&Text<U>>) -> Option<U::Value> {
        match text?.read() {
            Ok(value) => Some(value),
            Err(bad) => {
                self.findings.error(site, bad.message).help(bad.help);
                None
            }
        }
    }

    /// As [`read`](Self::read); a bad one stands for the default, so that the
    /// rest can be looked at.
    pub(crate) fn read_or<U: Unit>(&mut self, site: Site, text: Option<&Text<U>>, default: U::Value) -> U::Value {
        self.read(site, text).unwrap_or(default)
    }
}

fn principal_field(forward: Option<&Entry<Forward>>, context: &mut Context<'_>) -> Option<HeaderName> {
    let default = Forward::default();
    let name = forward.map_or(&default, |forward| &forward.value).principal_field.as_str();
    match HeaderName::from_bytes(name.as_bytes()) {
        Ok(name) => Some(name),
        Err(_) => {
            let site = forward.map(|forward| Spot::from(forward.site.key("principal-field")));
            if let Some(site) = site {
                context.findings.error(site, format!("`{name}` is not the name of a header field"));
            }
            None
        }
    }
}

fn documentation(errors: Option<&Entry<Errors>>, context: &mut Context<'_>) -> Option<String> {
    let errors = errors?;
    let address = &errors.value.documentation;
    let uri: Option<http::Uri> = address.parse().ok();
    if uri.is_none_or(|uri| !matches!(uri.scheme_str(), Some("http" | "https"))) {
        let site = errors.site.key("documentation");
        context.findings.error(site, format!("`{address}` is not a web address")).help("begin it with `https://`");
    }
    Some(address.clone())
}
