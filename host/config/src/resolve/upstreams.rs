//! Where requests go, as it is declared and as listeners and routes say it.

use crate::config::Secrets;
use crate::document::{self, Document, Entry, ListenKind, OneOrMore};
use crate::resolve::Context;
use crate::resolve::listeners::is_host_and_port;
use crate::resolve::tls::least_version;
use crate::source::{FileId, Site};
use crate::upstream::{Http, Upstream, UpstreamAddress, UpstreamTls};
use barmkin_tls::{Pin, TlsError, Trust, UpstreamFiles};
use std::collections::BTreeMap;
use std::error::Error;

/// Addresses of an upstream.
const ADDRESSES_MAX: usize = 16;

/// All upstreams: those that are declared by their names, others by their address.
pub(super) fn resolve(document: &Document, context: &mut Context<'_>) -> BTreeMap<String, Upstream> {
    let mut upstreams = BTreeMap::new();
    for (name, Entry { site, value }) in &document.upstreams {
        if let Some(upstream) = declared(value, site, context) {
            upstreams.insert(name.clone(), upstream);
        }
    }
    let of_listeners = document.listen.values().filter(|listen| listen.value.kind == ListenKind::ReverseProxy);
    let of_listeners = of_listeners.map(|listen| (&listen.site, listen.value.upstream.as_deref()));
    let of_routes = document.routes.iter().map(|route| (&route.site, route.value.upstream.as_deref()));
    for (site, text) in of_listeners.chain(of_routes) {
        let Some(text) = text.filter(|text| !document.upstreams.contains_key(*text)) else { continue };
        let at = site.key("upstream");
        let Some(address) = address(text, site.file, context) else {
            let known: Vec<_> = document.upstreams.keys().map(|name| format!("`{name}`")).collect();
            let known = if known.is_empty() { String::new() } else { format!(": {}", known.join(", ")) };
            context.findings.error(at, format!("`{text}` is not an upstream")).help(format!(
                "write `http://host:port`, `https://host:port`, without a path, `unix:` and a path, or the name of one \
                 that is declared in `[upstreams]`{known}"
            ));
            continue;
        };
        let key = address.to_string();
        if upstreams.contains_key(&key) {
            continue;
        }
        let tls = is_https(&address).then(|| read_tls(&document::UpstreamTls::default(), &at, &at, context));
        upstreams.insert(key, Upstream { addresses: vec![address], http: Http::Auto, tls });
    }
    upstreams
}

/// The name under which [`resolve`] has the upstream that `text` says in `file`.
pub(super) fn key(text: &str, file: FileId, context: &Context<'_>) -> String {
    address(text, file, context).map_or_else(|| text.to_owned(), |address| address.to_string())
}

fn address(text: &str, file: FileId, context: &Context<'_>) -> Option<UpstreamAddress> {
    if let Some(path) = text.strip_prefix("unix:").filter(|path| !path.is_empty()) {
        return Some(UpstreamAddress::Unix(context.sources.beside(file, path)));
    }
    let place = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"))?;
    is_host_and_port(place).then(|| UpstreamAddress::Tcp(text.to_owned()))
}

fn is_https(address: &UpstreamAddress) -> bool {
    matches!(address, UpstreamAddress::Tcp(text) if text.starts_with("https://"))
}

fn declared(declared: &document::Upstream, site: &Site, context: &mut Context<'_>) -> Option<Upstream> {
    let at = site.key("addresses");
    let mut addresses = Vec::new();
    for (index, text) in declared.addresses.iter().enumerate() {
        match address(text, site.file, context) {
            Some(address) => addresses.push(address),
            None => context
                .findings
                .error(at.item(index), format!("`{text}` is not the address of an upstream"))
                .help("write `http://host:port`, `https://host:port`, without a path, or `unix:` and a path"),
        }
    }
    let count = declared.addresses.len();
    if !(1..=ADDRESSES_MAX).contains(&count) {
        let message = format!("an upstream has from 1 to {ADDRESSES_MAX} addresses, and not {count}");
        context.findings.error(&at, message).help("a request may have to wait for each of them in turn");
        return None;
    }
    let https = addresses.iter().filter(|address| is_https(address)).count();
    if https != 0 && https != addresses.len() {
        context
            .findings
            .error(&at, "some of the addresses are `https`, and others are not")
            .help("when one fails, requests for the others would go without TLS: write two upstreams");
    }
    if https == 0 && declared.tls.is_some() {
        context
            .findings
            .error(site.key("tls"), "no address of this upstream is `https`")
            .help("write `https://host:port`, or remove it");
    }
    let default = document::UpstreamTls::default();
    let tls = (https != 0).then(|| {
        let tls_site = site.key("tls");
        let known_at = if declared.tls.is_some() { &tls_site } else { &at };
        read_tls(declared.tls.as_ref().unwrap_or(&default), &tls_site, known_at, context)
    });
    let http = match declared.http {
        document::Http::One => Http::One,
        document::Http::Two => Http::Two,
        document::Http::Auto => Http::Auto,
    };
    Some(Upstream { addresses, http, tls })
}

/// `known_at` is where to say what is wrong with a default.
fn read_tls(declared: &document::UpstreamTls, site: &Site, known_at: &Site, context: &mut Context<'_>) -> UpstreamTls {
    let pins = pins(declared.pin.as_ref(), &site.key("pin"), context);
    let pin_only = declared.pin_only.unwrap_or_default();
    if pin_only {
        if declared.pin.is_none() {
            context
                .findings
                .error(site.key("pin-only"), "without a `pin` anybody could be this upstream")
                .help("write `pin = \"sha256/..\"`, or remove it");
        }
        if declared.roots.is_some() {
            context
                .findings
                .error(site.key("roots"), "with `pin-only` no CA vouches for the upstream")
                .help("remove `roots`, or remove `pin-only`: then both are demanded");
        }
    }
    let beside = |path: &str| context.sources.beside(site.file, path);
    let roots = declared.roots.as_deref().map(beside);
    let trust = if pin_only { Trust::Pins(pins) } else { Trust::Roots { roots, pins } };
    let identity = match (&declared.certificate, &declared.key) {
        (Some(certificate), Some(key)) => Some((beside(certificate), beside(key))),
        (None, None) => None,
        (given, _) => {
            let (given, missing) = if given.is_some() { ("certificate", "key") } else { ("key", "certificate") };
            context
                .findings
                .error(site.key(given), format!("a `{given}` for the upstream needs its `{missing}`"))
                .help(format!("write both, or remove `{given}`"));
            None
        }
    };
    if let Some(name) = declared.name.as_deref().filter(|name| !is_host_and_port(&format!("{name}:1"))) {
        context
            .findings
            .error(site.key("name"), format!("`{name}` is not the name of a server"))
            .help("write the name that its certificate is for, such as `app.example.com`");
    }
    let files = UpstreamFiles { trust, identity, least_version: least_version(declared.least_version) };
    if context.options.secrets == Secrets::Read {
        prove(&files, site, known_at, context);
    }
    UpstreamTls { files, name: declared.name.clone() }
}

fn pins(declared: Option<&OneOrMore>, site: &Site, context: &mut Context<'_>) -> Vec<Pin> {
    let mut pins = Vec::new();
    let Some(declared) = declared else { return pins };
    for (index, text) in declared.names().iter().enumerate() {
        match text.parse() {
            Ok(pin) => pins.push(pin),
            Err(error) => {
                let at = if let OneOrMore::More(_) = declared { site.item(index) } else { site.clone() };
                context
                    .findings
                    .error(at, error.to_string())
                    .help("write `sha256/` and the base64 of the SHA-256 of the server's public key");
            }
        }
    }
    if declared.names().is_empty() {
        context.findings.error(site, "without a pin this demands nothing").help("write one, or remove it");
    }
    pins
}

/// Loads the files once, to report what is wrong with them.
fn prove(files: &UpstreamFiles, site: &Site, known_at: &Site, context: &mut Context<'_>) {
    let Err(error) = barmkin_tls::UpstreamTls::load(files.clone()) else { return };
    let path = match &error {
        TlsError::Read { path, .. }
        | TlsError::TooLarge { path, .. }
        | TlsError::Exposed { path, .. }
        | TlsError::Empty { path, .. }
        | TlsError::Pem { path, .. }
        | TlsError::ServerCa { path, .. } => Some(path),
        TlsError::Certificate { certificate, .. } => Some(certificate),
        _ => None,
    };
    let at = match (path, &files.identity) {
        (None, _) => known_at.clone(),
        (Some(path), Some((certificate, _))) if path == certificate => site.key("certificate"),
        (Some(path), Some((_, key))) if path == key => site.key("key"),
        (Some(_), _) => site.key("roots"),
    };
    let source = error.source().map_or_else(String::new, |source| format!(": {source}"));
    context.findings.error(at, format!("{error}{source}")).help(error.help());
}
