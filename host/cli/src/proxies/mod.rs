//! `barmkin check --for`: the lines that a proxy needs to ask this gate.
//!
//! They come from the same templates as the files in `docs/proxies/`, which
//! the tests run.

mod caddy;
mod envoy;
mod haproxy;
mod nginx;
mod template;

use crate::help::Help;
use anyhow::{Context, Result, bail};
use barmkin_config::{Address, Config, Dialect, Listener, ListenerKind};
use barmkin_host::Generation;
use std::net::SocketAddr;
use std::path::Path;
use template::{Item, Values};

/// A proxy whose configuration can be printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Proxy {
    /// `nginx.conf`, inside `http`.
    Nginx,
    /// A `Caddyfile`.
    Caddy,
    /// `haproxy.cfg`, without `global`.
    Haproxy,
    /// The script that HAProxy loads.
    HaproxyLua,
    /// `envoy.yaml`.
    Envoy,
}

/// Fields by which a client could speak for a proxy to the upstream, besides
/// those that every proxy overwrites.
const CLAIMS: [&str; 16] = [
    "forwarded",
    "front-end-https",
    "true-client-ip",
    "x-client-ip",
    "x-forwarded-method",
    "x-forwarded-port",
    "x-forwarded-prefix",
    "x-forwarded-scheme",
    "x-forwarded-server",
    "x-forwarded-ssl",
    "x-forwarded-uri",
    "x-original-forwarded-for",
    "x-original-method",
    "x-original-uri",
    "x-original-url",
    "x-real-ip",
];

/// The output that is wanted.
#[derive(clap::Args)]
pub(crate) struct Printing {
    /// Prints the configuration for this proxy instead, with the names, bounds
    /// and addresses of this one.
    #[arg(long = "for", value_enum, value_name = "PROXY")]
    pub(crate) proxy: Option<Proxy>,
    /// With `--for`: the listener that the proxy asks, where there are several.
    #[arg(long, requires = "proxy")]
    listener: Option<String>,
    /// With `--for`: where the proxy listens.
    #[arg(long, requires = "proxy", default_value = "127.0.0.1:8080")]
    at: SocketAddr,
    /// With `--for`: where the proxy passes requests on to.
    #[arg(long, requires = "proxy", default_value = "127.0.0.1:3000")]
    upstream: SocketAddr,
}

/// The configuration of `proxy` for this gate.
pub(crate) fn print(proxy: Proxy, args: &Printing, config: &Config, generation: &Generation) -> Result<String> {
    let listener = listener(proxy, args.listener.as_deref(), config)?;
    if listener.tls.is_some() {
        bail!(
            "listener `{}` speaks TLS, and the lines to verify it depend on the proxy's files: print for a listener \
             without `tls`, then add them",
            listener.name
        );
    }
    let has_cors = config.spec().routes.iter().any(|route| route.cors.is_some());
    let gate =
        Gate { listener, has_cors, fields: generation.gate_fields().iter().map(|field| field.as_str()).collect() };
    let values = gate.values(proxy, args)?;
    Ok(match proxy {
        Proxy::Nginx => nginx::print(values),
        Proxy::Caddy => caddy::print(values),
        Proxy::Haproxy => haproxy::print(values, &gate),
        Proxy::HaproxyLua => haproxy::SCRIPT.to_owned(),
        Proxy::Envoy => envoy::print(values, &gate, args),
    })
}

/// The gate, as one proxy sees it.
struct Gate<'a> {
    listener: &'a Listener,
    /// Whether pages of other origins may read some denials.
    has_cors: bool,
    /// Fields that it sets for the upstream.
    fields: Vec<&'a str>,
}

impl Gate<'_> {
    /// Protocols that clients may change to.
    fn upgrades(&self) -> Vec<String> {
        match &self.listener.kind {
            ListenerKind::ForwardAuth { upgrades: Some(upgrades), .. } => upgrades.clone(),
            _ => vec!["websocket".to_owned()],
        }
    }

    /// The values that the templates have in common.
    fn values(&self, proxy: Proxy, args: &Printing) -> Result<Values> {
        let fields = self
            .fields
            .iter()
            .map(|field| -> Item { vec![("field", (*field).to_owned()), ("variable", variable(field))] });
        let protocols = self.upgrades().into_iter().map(|protocol| -> Item {
            vec![("variable", variable(&protocol)), ("pattern", pattern(&protocol)), ("protocol", protocol)]
        });
        Ok(Values::default()
            .text("listener", &self.listener.name)
            .text("gate", found_at(proxy, &self.listener.address)?)
            .text("at", args.at.to_string())
            .text("ip", args.at.ip().to_string())
            .text("port", args.at.port().to_string())
            .text("upstream", args.upstream.to_string())
            .text("fields", self.fields.join(","))
            .when("cors", self.has_cors.then(String::new))
            .each("claim", CLAIMS.map(|claim| -> Item { vec![("claim", claim.to_owned())] }))
            .each("field", fields.collect::<Vec<_>>())
            .each("protocol", protocols.collect::<Vec<_>>()))
    }
}

/// The listener that `proxy` asks.
fn listener<'a>(proxy: Proxy, name: Option<&str>, config: &'a Config) -> Result<&'a Listener> {
    let serves = |listener: &&Listener| match (&listener.kind, proxy) {
        (ListenerKind::ForwardAuth { dialect, .. }, _) => *dialect == dialect_of(proxy),
        (ListenerKind::ExtAuthz { .. }, Proxy::Envoy) => true,
        _ => false,
    };
    let mut fitting =
        config.listeners().iter().filter(serves).filter(|listener| name.is_none_or(|name| listener.name == name));
    let wanted = match proxy {
        Proxy::Envoy => "kind `ext-authz`".to_owned(),
        _ => format!("kind `forward-auth` and dialect `{}`", format!("{:?}", dialect_of(proxy)).to_lowercase()),
    };
    let found = fitting.next().with_context(|| match name {
        Some(name) => format!("`{name}` is not a listener of {wanted}"),
        None => format!("there is no listener of {wanted}"),
    });
    let found = found.help("declare one, or name one that there is with `--listener`")?;
    if let Some(other) = fitting.next() {
        bail!(
            "listeners `{}` and `{}` are both of {wanted}\n  help: name one with `--listener`",
            found.name,
            other.name
        );
    }
    Ok(found)
}

fn dialect_of(proxy: Proxy) -> Dialect {
    match proxy {
        Proxy::Nginx => Dialect::Nginx,
        Proxy::Caddy => Dialect::Caddy,
        Proxy::Haproxy | Proxy::HaproxyLua => Dialect::Haproxy,
        Proxy::Envoy => Dialect::EnvoyHttp,
    }
}

/// Where `proxy` finds a listener, as it writes that.
fn found_at(proxy: Proxy, address: &Address) -> Result<String> {
    Ok(match (address, proxy) {
        (Address::Tcp(address), Proxy::Haproxy | Proxy::HaproxyLua) => format!("http://{}/", reachable(address)?),
        (Address::Tcp(address), Proxy::Envoy) => envoy::socket(&reachable(address)?),
        (Address::Tcp(address), Proxy::Nginx | Proxy::Caddy) => reachable(address)?,
        (Address::Unix { path, .. }, Proxy::Nginx) => format!("unix:{}:", socket(path)?),
        (Address::Unix { path, .. }, Proxy::Caddy) => format!("unix/{}", socket(path)?),
        (Address::Unix { path, .. }, Proxy::Haproxy | Proxy::HaproxyLua) => format!("unix@{}", socket(path)?),
        (Address::Unix { path, .. }, Proxy::Envoy) => format!("{{ pipe: {{ path: \"{}\" }} }}", socket(path)?),
    })
}

/// The path of a socket, wherever the proxy is started from. Each proxy gives some
/// characters a meaning of its own, and none needs them in a path.
fn socket(path: &Path) -> Result<String> {
    let path = std::path::absolute(path)?;
    let is_plain = |char: char| char.is_ascii_alphanumeric() || matches!(char, '/' | '.' | '_' | '-');
    match path.to_str().filter(|path| path.chars().all(is_plain)) {
        Some(path) => Ok(path.to_owned()),
        None => bail!(
            "the path of the socket `{}` has characters that proxies read as something else: use letters, digits, \
             `.`, `_` and `-`",
            path.display()
        ),
    }
}

/// Where a proxy on this machine finds a listener.
fn reachable(address: &str) -> Result<String> {
    let Some((host, port)) = address.rsplit_once(':') else {
        bail!("`{address}` has no port\n  help: write `host:port`")
    };
    if port.parse() == Ok(0_u16) {
        bail!("a listener at `{address}` has a port that only the running gate knows\n  help: give it one");
    }
    Ok(match host {
        "0.0.0.0" => format!("127.0.0.1:{port}"),
        "[::]" => format!("[::1]:{port}"),
        _ => address.to_owned(),
    })
}

/// A name made of `text` that every configuration language takes.
fn variable(text: &str) -> String {
    text.chars().map(|char| if char.is_ascii_alphanumeric() { char.to_ascii_lowercase() } else { '_' }).collect()
}

/// A regular expression for `text` alone.
fn pattern(text: &str) -> String {
    let escape = |char: char| if char.is_ascii_alphanumeric() { char.to_string() } else { format!("\\{char}") };
    text.chars().map(escape).collect()
}
