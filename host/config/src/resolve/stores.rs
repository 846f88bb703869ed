//! Where nonces and quotas live.

use crate::config::Secrets;
use crate::document::{self, Durability, Entry, Store, StoreKind};
use crate::resolve::{Context, keys};
use crate::secret::{Remark, Source};
use crate::source::Site;
use crate::store::{RedisConfig, StoreConfig};
use barmkin_host::MemoryLimits;
use std::time::Duration;

/// Bytes of a file of certificates: a longer one is some other file.
const PEM_BYTES_MAX: usize = 1024 * 1024;

/// A call may not take longer than clients wait for an answer.
const TIMEOUT_MAX: Duration = Duration::from_secs(10);

pub(super) fn resolve(declared: Option<&Entry<Store>>, context: &mut Context<'_>) -> StoreConfig {
    let Some(Entry { site, value: store }) = declared else { return StoreConfig::default() };
    check_options(store, site, context);
    for (option, given) in [("nonces-max", store.nonces_max), ("quotas-max", store.quotas_max)] {
        if given == Some(0) {
            let message = "a store without room would refuse every request that needs it";
            context.findings.error(site.key(option), message).help("write at least 1");
        }
    }
    let default = MemoryLimits::default();
    let limits = MemoryLimits {
        nonces: store.nonces_max.unwrap_or(default.nonces),
        quotas: store.quotas_max.unwrap_or(default.quotas),
    };
    match store.kind {
        StoreKind::Memory => StoreConfig::Memory(limits),
        StoreKind::Embedded => {
            let path = needed(store.path.as_ref(), "path", "say in which folder, relative to this file", site, context);
            StoreConfig::Embedded {
                folder: context.sources.beside(site.file, &path),
                limits,
                survives_power_loss: matches!(store.durability, Some(Durability::Power)),
            }
        }
        StoreKind::Redis => StoreConfig::Redis(Box::new(redis(store, site, context))),
    }
}

/// An option that does nothing in a store of its kind would be believed to.
fn check_options(store: &Store, site: &Site, context: &mut Context<'_>) {
    use StoreKind::{Embedded, Memory, Redis};
    let options: [(&str, bool, &[StoreKind]); 10] = [
        ("nonces-max", store.nonces_max.is_some(), &[Memory, Embedded]),
        ("quotas-max", store.quotas_max.is_some(), &[Memory, Embedded]),
        ("path", store.path.is_some(), &[Embedded]),
        ("durability", store.durability.is_some(), &[Embedded]),
        ("url", store.url.is_some(), &[Redis]),
        ("username", store.username.is_some(), &[Redis]),
        ("password", store.password.is_some(), &[Redis]),
        ("prefix", store.prefix.is_some(), &[Redis]),
        ("timeout", store.timeout.is_some(), &[Redis]),
        ("tls", store.tls.is_some(), &[Redis]),
    ];
    for (option, is_given, kinds) in options {
        if is_given && !kinds.contains(&store.kind) {
            let message = format!("a store of kind `{}` has no `{option}`", kind_name(store.kind));
            context.findings.error(site.key(option), message).help("remove it");
        }
    }
}

fn needed(given: Option<&String>, option: &str, help: &str, site: &Site, context: &mut Context<'_>) -> String {
    given.cloned().unwrap_or_else(|| {
        context.findings.error(site, format!("this store needs a `{option}`")).help(help);
        String::new()
    })
}

fn redis(store: &Store, site: &Site, context: &mut Context<'_>) -> RedisConfig {
    let url = needed(store.url.as_ref(), "url", "write `redis://host:port`, or `rediss://` for TLS", site, context);
    if store.url.is_some() && !is_redis(&url) {
        context
            .findings
            .error(site.key("url"), "this is not the address of a Redis server")
            .help("write `redis://host:port`, or `rediss://` for TLS");
    }
    let timeout = context.read(site.key("timeout"), store.timeout.as_ref());
    if timeout.is_some_and(|timeout| timeout.is_zero() || timeout > TIMEOUT_MAX) {
        context
            .findings
            .error(site.key("timeout"), "the time-out of a store must be from `1ms` to `10s`")
            .help("requests wait for it: `250ms` is long for a server nearby");
    }
    let tls = site.key("tls");
    if store.tls.is_some() && !url.starts_with("rediss:") {
        context.findings.error(&tls, "without TLS there are no certificates").help("begin the `url` with `rediss://`");
    }
    let files = store.tls.as_ref();
    let mut file = |name: &str, given: fn(&document::StoreTls) -> Option<&String>| {
        let path = files.and_then(given)?;
        pem(path, &tls.key(name), context)
    };
    let root_pem = file("root", |tls| tls.root.as_ref());
    let certificate = file("certificate", |tls| tls.certificate.as_ref());
    let key = file("key", |tls| tls.key.as_ref());
    if files.is_some_and(|tls| tls.certificate.is_some() != tls.key.is_some()) {
        context.findings.error(&tls, "a certificate and its key come together").help("give both, or neither");
    }
    RedisConfig {
        url,
        username: store.username.clone(),
        password: store.password.as_ref().and_then(|from| password(from, &site.key("password"), context)),
        prefix: store.prefix.clone(),
        timeout,
        root_pem,
        client_pem: certificate.zip(key),
    }
}

fn is_redis(url: &str) -> bool {
    url.split_once("://")
        .is_some_and(|(scheme, rest)| matches!(scheme, "redis" | "rediss" | "redis+unix" | "unix") && !rest.is_empty())
}

fn password(from: &str, site: &Site, context: &mut Context<'_>) -> Option<String> {
    let read = Source::parse(from).and_then(|source| {
        if context.options.secrets == Secrets::Placeholders {
            return Ok("placeholder".to_owned());
        }
        let bytes = keys::read_text(&source, "password", site, context)?;
        String::from_utf8(bytes.to_vec())
            .map_err(|_| Remark { message: "the password is not UTF-8".to_owned(), help: "set one that is".to_owned() })
    });
    read.map_err(|Remark { message, help }| context.findings.error(site, message).help(help)).ok()
}

fn pem(path: &str, site: &Site, context: &mut Context<'_>) -> Option<Vec<u8>> {
    let path = context.sources.beside(site.file, path);
    let read = context.files.read(&path, PEM_BYTES_MAX);
    read.map_err(|error| {
        let message = format!("`{}` cannot be read: {error}", path.display());
        context.findings.error(site, message).help("name a file of PEM, relative to this one");
    })
    .ok()
}

fn kind_name(kind: StoreKind) -> &'static str {
    match kind {
        StoreKind::Memory => "memory",
        StoreKind::Embedded => "embedded",
        StoreKind::Redis => "redis",
    }
}
