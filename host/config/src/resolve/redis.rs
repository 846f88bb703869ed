//! How Redis is reached.

use crate::config::Secrets;
use crate::document::{Store, StoreSentinel, StoreTls};
use crate::resolve::{Context, keys, stores};
use crate::secret::{self, Remark, Source};
use crate::source::Site;
use crate::store::{RedisConfig, RedisLogin, RedisServers};
use std::time::Duration;

/// Bytes of a file of certificates: a longer one is some other file.
const PEM_BYTES_MAX: usize = 1024 * 1024;

/// A call may not take longer than clients wait for an answer.
const TIMEOUT_MAX: Duration = Duration::from_secs(10);

/// A gate is connected to each sentinel that is listed.
const SENTINELS_MAX: usize = 32;

/// Nodes that are listed are tried at once; the others are found by them.
const NODES_MAX: usize = 256;

const ADDRESS: &str = "write `redis://host:port`, or `rediss://` for TLS";

pub(super) fn resolve(store: &Store, site: &Site, context: &mut Context<'_>) -> RedisConfig {
    let servers = servers(store, site, context);
    let timeout = context.read(site.key("timeout"), store.timeout.as_ref());
    if timeout.is_some_and(|timeout| timeout.is_zero() || timeout > TIMEOUT_MAX) {
        context
            .findings
            .error(site.key("timeout"), "the time-out of a store must be from `1ms` to `10s`")
            .help("requests wait for it: `250ms` is long for a server nearby");
    }
    let without_tls = match &servers {
        RedisServers::One(url) => (!has_tls(url)).then_some("begin the `url` with `rediss://`"),
        RedisServers::Cluster(urls) => {
            (!urls.iter().all(|url| has_tls(url))).then_some("begin each address with `rediss://`")
        }
        RedisServers::Sentinel { .. } => None,
    };
    let given = Given { username: &store.username, password: &store.password, tls: &store.tls, without_tls };
    let login = login(&given, site, context);
    RedisConfig { servers, login, prefix: store.prefix.clone(), timeout }
}

fn servers(store: &Store, site: &Site, context: &mut Context<'_>) -> RedisServers {
    let given = [store.url.is_some(), store.cluster.is_some(), store.sentinel.is_some()];
    if given.into_iter().filter(|given| *given).count() > 1 {
        let message = "a store has one of `url`, `cluster` and `sentinel`";
        context.findings.error(site, message).help("remove the others");
    }
    if let Some(sentinel) = &store.sentinel {
        return self::sentinel(sentinel, store.tls.is_some(), &site.key("sentinel"), context);
    }
    if let Some(urls) = &store.cluster {
        addresses(urls, "a node of a cluster", NODES_MAX, &site.key("cluster"), context);
        return RedisServers::Cluster(urls.clone());
    }
    let help = "write `redis://host:port`, or `rediss://` for TLS; a cluster has `cluster`, and sentinels `sentinel`";
    let url = stores::needed(store.url.as_ref(), "url", help, site, context);
    if store.url.is_some() && !is_redis(&url) {
        context.findings.error(site.key("url"), "this is not the address of a Redis server").help(ADDRESS);
    }
    RedisServers::One(url)
}

fn sentinel(sentinel: &StoreSentinel, master_has_tls: bool, site: &Site, context: &mut Context<'_>) -> RedisServers {
    if sentinel.master.is_empty() {
        let help = "write the name that `sentinel monitor` gives it";
        context.findings.error(site.key("master"), "a master without a name is not one").help(help);
    }
    addresses(&sentinel.addresses, "a sentinel", SENTINELS_MAX, &site.key("addresses"), context);
    let has_tls = sentinel.addresses.iter().all(|url| has_tls(url));
    let given = Given {
        username: &sentinel.username,
        password: &sentinel.password,
        tls: &sentinel.tls,
        without_tls: (!has_tls).then_some("begin each of the `addresses` with `rediss://`"),
    };
    RedisServers::Sentinel {
        master: sentinel.master.clone(),
        addresses: sentinel.addresses.clone(),
        login: login(&given, site, context),
        master_has_tls,
    }
}

/// Checks a list of addresses of `what`.
fn addresses(urls: &[String], what: &str, most: usize, site: &Site, context: &mut Context<'_>) {
    if urls.is_empty() || urls.len() > most {
        let message = format!("the list must have from 1 to {most} addresses");
        context.findings.error(site, message).help("list those by which the others are found");
    }
    for (index, url) in urls.iter().enumerate() {
        let rest = url.strip_prefix("redis://").or_else(|| url.strip_prefix("rediss://"));
        let is_plain = rest.is_some_and(|host| !host.is_empty() && !host.contains(['/', '?', '#']));
        if !is_plain {
            context.findings.error(site.item(index), format!("this is not the address of {what}")).help(ADDRESS);
        } else if urls.first().is_some_and(|first| has_tls(first) != has_tls(url)) {
            let message = "some of these addresses have TLS, and some have not";
            context.findings.error(site.item(index), message).help("begin all of them alike");
        }
    }
}

/// Who logs in, as the document says.
struct Given<'a> {
    username: &'a Option<String>,
    password: &'a Option<String>,
    tls: &'a Option<StoreTls>,
    /// The help if there is no TLS for certificates.
    without_tls: Option<&'static str>,
}

fn login(given: &Given<'_>, site: &Site, context: &mut Context<'_>) -> RedisLogin {
    let tls = site.key("tls");
    let files = given.tls.as_ref();
    if let (Some(_), Some(help)) = (files, given.without_tls) {
        context.findings.error(&tls, "without TLS there are no certificates").help(help);
    }
    let mut file = |name: &str, given: fn(&StoreTls) -> Option<&String>| {
        let path = files.and_then(given)?;
        pem(path, &tls.key(name), context)
    };
    let root_pem = file("root", |tls| tls.root.as_ref());
    let certificate = file("certificate", |tls| tls.certificate.as_ref());
    let key = files.and_then(|files| private_key(files.key.as_ref()?, &tls.key("key"), context));
    if files.is_some_and(|tls| tls.certificate.is_some() != tls.key.is_some()) {
        context.findings.error(&tls, "a certificate and its key come together").help("give both, or neither");
    }
    RedisLogin {
        username: given.username.clone(),
        password: given.password.as_ref().and_then(|from| password(from, &site.key("password"), context)),
        root_pem,
        client_pem: certificate.zip(key),
    }
}

fn has_tls(url: &str) -> bool {
    url.starts_with("rediss:")
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

/// The gate's own key, judged as every secret is.
fn private_key(path: &str, site: &Site, context: &mut Context<'_>) -> Option<Vec<u8>> {
    let path = context.sources.beside(site.file, path);
    let read = secret::read(&path, context.files).map(|(pem, remark)| {
        if let Some(Remark { message, help }) = remark {
            context.findings.warning(site, message).help(help);
        }
        pem.to_vec()
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
