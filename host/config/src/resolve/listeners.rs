use crate::document::{self, Entry, Listen, ListenKind};
use crate::listener::{Address, Dialect, Listener, ListenerKind, Timeouts};
use crate::resolve::sockets::{self, Written};
use crate::resolve::{Context, tls, upstreams};
use crate::source::{Site, Spot};
use crate::units::{DurationUnit, Text};
use barmkin_host::limits::BODY_BYTES_MAX;
use ipnet::IpNet;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

/// Who may connect to a socket that says nothing of it: the group that the
/// operator gives it.
const SOCKET_MODE: u32 = 0o660;

pub(super) fn resolve(declared: &BTreeMap<String, Entry<Listen>>, context: &mut Context<'_>) -> Vec<Listener> {
    let mut listeners: Vec<(Listener, &Site)> = Vec::new();
    for (name, Entry { site, value: listen }) in declared {
        check_options(listen, site, context);
        let Some(address) = address(listen, site, context) else { continue };
        let kind = match listen.kind {
            ListenKind::ExtAuthz => Some(ListenerKind::ExtAuthz {
                client_certificate: listen.client_certificate.unwrap_or_default(),
                body_bytes_max: body_limit(listen, site, context),
            }),
            ListenKind::ForwardAuth => forward_auth(listen, site, context),
            ListenKind::ReverseProxy => reverse_proxy(listen, site, context),
        };
        let Some(kind) = kind else { continue };
        let tls = tls::resolve(listen, &address, site, context);
        let same = listeners.iter().find(|(other, _)| other.address == address && !address.to_string().ends_with(":0"));
        if let Some((other, other_site)) = same {
            let first = context.sources.place(&Spot::from(*other_site));
            context
                .findings
                .error(site.key("address"), format!("listener `{}` has the same address", other.name))
                .help(format!("it is declared at {first}"));
        }
        let listener = Listener {
            name: name.clone(),
            address,
            tls,
            kind,
            connections_max: listen.connections,
            tunnels_max: listen.tunnels,
            streams_max: listen.streams,
            h2c: h2c(listen, site, context),
            balancers: networks(&listen.proxy_protocol, &site.key("proxy-protocol"), context),
            timeouts: timeouts(listen, &site.key("timeouts"), context),
        };
        check_peers(&listener, site, context);
        listeners.push((listener, site));
    }
    listeners.into_iter().map(|(listener, _)| listener).collect()
}

/// An option that does nothing on a listener of its kind would be believed to.
fn check_options(listen: &Listen, site: &Site, context: &mut Context<'_>) {
    use ListenKind::{ExtAuthz, ForwardAuth, ReverseProxy};
    let options: [(&str, bool, &[ListenKind]); 10] = [
        ("client-certificate", listen.client_certificate.is_some(), &[ExtAuthz]),
        ("dialect", listen.dialect.is_some(), &[ForwardAuth]),
        ("upstream", listen.upstream.is_some(), &[ReverseProxy]),
        ("body-limit", listen.body_limit.is_some(), &[ExtAuthz]),
        ("trusted-proxies", !listen.trusted_proxies.is_empty(), &[ForwardAuth, ReverseProxy]),
        ("gates", !listen.gates.is_empty(), &[ForwardAuth]),
        ("upgrades", listen.upgrades.is_some(), &[ForwardAuth, ReverseProxy]),
        ("tunnels", listen.tunnels.is_some(), &[ReverseProxy]),
        ("streams", listen.streams.is_some(), &[ExtAuthz, ReverseProxy]),
        ("h2c", listen.h2c.is_some(), &[ReverseProxy]),
    ];
    for (option, is_given, kinds) in options {
        if is_given && !kinds.contains(&listen.kind) {
            let message = format!("a listener of kind `{}` has no `{option}`", kind_name(listen.kind));
            context.findings.error(site.key(option), message).help("remove it");
        }
    }
    for (option, given, what) in [
        ("connections", listen.connections, "with no connections nothing is served"),
        ("streams", listen.streams.map(|streams| streams as usize), "with no streams nothing is asked"),
        ("tunnels", listen.tunnels, "with no tunnels every upgrade and event stream is refused"),
    ] {
        if given == Some(0) {
            context.findings.error(site.key(option), what).help("write at least 1");
        }
    }
}

fn address(listen: &Listen, site: &Site, context: &mut Context<'_>) -> Option<Address> {
    let text = listen.address.as_str();
    let written = Written { site, address: text, mode: listen.mode.as_ref(), group: listen.group.as_ref() };
    if let Some(address) = sockets::unix(&written, SOCKET_MODE, context) {
        return Some(address);
    }
    if is_host_and_port(text) {
        return Some(Address::Tcp(text.to_owned()));
    }
    context
        .findings
        .error(
            site.key("address"),
            format!("`{text}` is not an address for a listener of kind `{}`", kind_name(listen.kind)),
        )
        .help("write `host:port`, or `unix:` and the path of a socket");
    None
}

/// A peer on a Unix socket counts as this machine: where the proxy there is
/// not known as one, all clients are one, and none has an address of its own.
fn check_peers(listener: &Listener, site: &Site, context: &mut Context<'_>) {
    let this_machine = barmkin_tls::THIS_MACHINE.ip();
    let has = |networks: &[IpNet]| networks.iter().any(|net| net.contains(&this_machine));
    let (Address::Unix { .. }, balancers) = (&listener.address, &listener.balancers) else { return };
    if !balancers.is_empty() && !has(balancers) {
        context
            .findings
            .error(
                site.key("proxy-protocol"),
                "whoever connects by a Unix socket counts as 127.0.0.1, which is not listed",
            )
            .help("write `proxy-protocol = [\"127.0.0.1\"]`, or remove it");
    }
    match &listener.kind {
        ListenerKind::ForwardAuth { trusted_proxies, .. }
            if balancers.is_empty() && !trusted_proxies.is_empty() && !has(trusted_proxies) =>
        {
            let message = "whoever calls by a Unix socket counts as 127.0.0.1, which is not listed";
            context
                .findings
                .error(site.key("trusted-proxies"), message)
                .help("add `127.0.0.1`, or remove it: this machine is trusted where nothing is listed");
        }
        ListenerKind::ReverseProxy { trusted_proxies, .. } if balancers.is_empty() && !has(trusted_proxies) => {
            context
                .findings
                .warning(site.key("address"), "all clients of this Unix socket count as one, 127.0.0.1")
                .help(
                    "write `trusted-proxies = [\"127.0.0.1\"]` if the proxy there sets `x-forwarded-for`, or \
                     `proxy-protocol = [\"127.0.0.1\"]` if it speaks that",
                );
        }
        _ => {}
    }
}

pub(super) fn is_host_and_port(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'))
        }
    };
    host && port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok()
}

fn networks(texts: &[String], site: &Site, context: &mut Context<'_>) -> Vec<IpNet> {
    let mut networks = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        let net = text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
        match net {
            Some(net) => networks.push(net),
            None => context
                .findings
                .error(site.item(index), format!("`{text}` is not a network"))
                .help("write an address, or a network such as `10.0.0.0/8`"),
        }
    }
    networks
}

/// Protocols as `upgrade` names them. Behind a change to HTTP/2 the gate would
/// be asked about no request at all, so it cannot be allowed.
fn upgrades(listen: &Listen, site: &Site, context: &mut Context<'_>) -> Option<Vec<String>> {
    let protocols = listen.upgrades.as_ref()?;
    let site = site.key("upgrades");
    for (index, protocol) in protocols.iter().enumerate() {
        let name = protocol.split('/').next().unwrap_or_default().to_ascii_lowercase();
        let known = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~/".contains(&byte);
        if protocol.is_empty() || !protocol.bytes().all(known) {
            let message = format!("`{protocol}` is not the name of a protocol");
            context.findings.error(site.item(index), message).help("write a name such as `websocket`");
        } else if matches!(name.as_str(), "h2" | "h2c" | "http") {
            let message = format!("a change to `{protocol}` would carry requests that the gate is not asked about");
            context.findings.error(site.item(index), message).help("remove it");
        }
    }
    Some(protocols.clone())
}

fn forward_auth(listen: &Listen, site: &Site, context: &mut Context<'_>) -> Option<ListenerKind> {
    let Some(dialect) = listen.dialect else {
        context
            .findings
            .error(site, "a listener of kind `forward-auth` needs a `dialect`")
            .help("say which proxy calls: `nginx`, `caddy`, `traefik`, `haproxy` or `envoy-http`");
        return None;
    };
    Some(ListenerKind::ForwardAuth {
        dialect: match dialect {
            document::Dialect::Nginx => Dialect::Nginx,
            document::Dialect::Caddy => Dialect::Caddy,
            document::Dialect::Traefik => Dialect::Traefik,
            document::Dialect::Haproxy => Dialect::Haproxy,
            document::Dialect::EnvoyHttp => Dialect::EnvoyHttp,
        },
        trusted_proxies: networks(&listen.trusted_proxies, &site.key("trusted-proxies"), context),
        gates: networks(&listen.gates, &site.key("gates"), context),
        upgrades: upgrades(listen, site, context),
    })
}

fn reverse_proxy(listen: &Listen, site: &Site, context: &mut Context<'_>) -> Option<ListenerKind> {
    let Some(upstream) = &listen.upstream else {
        context
            .findings
            .error(site, "a listener of kind `reverse-proxy` needs an `upstream`")
            .help("say where allowed requests go, as `http://host:port`");
        return None;
    };
    Some(ListenerKind::ReverseProxy {
        upstream: upstreams::key(upstream, site.file, context),
        trusted_proxies: networks(&listen.trusted_proxies, &site.key("trusted-proxies"), context),
        upgrades: upgrades(listen, site, context),
    })
}

/// Whether HTTP/2 is spoken without TLS.
fn h2c(listen: &Listen, site: &Site, context: &mut Context<'_>) -> bool {
    let h2c = listen.h2c.unwrap_or_default();
    if h2c && listen.tls.is_some() {
        context
            .findings
            .error(site.key("h2c"), "with TLS the handshake agrees on HTTP/2")
            .help("remove it: clients may speak HTTP/2 anyway");
    }
    h2c
}

fn timeouts(listen: &Listen, site: &Site, context: &mut Context<'_>) -> Timeouts {
    use ListenKind::{ExtAuthz, ForwardAuth, ReverseProxy};
    let Some(declared) = &listen.timeouts else { return Timeouts::default() };
    let mut read = |option: &str, text: &Option<Text<DurationUnit>>, kinds: &[ListenKind]| {
        if text.is_some() && !kinds.contains(&listen.kind) {
            let message = format!("a listener of kind `{}` has no time for `{option}`", kind_name(listen.kind));
            context.findings.error(site.key(option), message).help("remove it");
        }
        time(site.key(option), text.as_ref(), context)
    };
    const ALL: &[ListenKind] = &[ExtAuthz, ForwardAuth, ReverseProxy];
    const GRPC: &[ListenKind] = &[ExtAuthz];
    const HTTP: &[ListenKind] = &[ForwardAuth, ReverseProxy];
    const PROXY: &[ListenKind] = &[ReverseProxy];
    Timeouts {
        handshake: read("handshake", &declared.handshake, ALL),
        header: read("header", &declared.header, HTTP),
        idle: read("idle", &declared.idle, HTTP),
        stall: read("stall", &declared.stall, ALL),
        check: read("check", &declared.check, GRPC),
        ping: read("ping", &declared.ping, GRPC),
        body: read("body", &declared.body, PROXY),
        whole_body: read("whole-body", &declared.whole_body, PROXY),
        connect: read("connect", &declared.connect, PROXY),
        response: read("response", &declared.response, PROXY),
        tunnel: read("tunnel", &declared.tunnel, PROXY),
    }
}

/// Reads how long something may take.
pub(super) fn time(site: Site, text: Option<&Text<DurationUnit>>, context: &mut Context<'_>) -> Option<Duration> {
    let time = context.read(site.clone(), text)?;
    if time.is_zero() {
        context.findings.error(site, "in no time nothing is done").help("write at least `1ms`");
    }
    Some(time)
}

fn body_limit(listen: &Listen, site: &Site, context: &mut Context<'_>) -> Option<usize> {
    let limit = context.read(site.key("body-limit"), listen.body_limit.as_ref())?;
    if !(1..=BODY_BYTES_MAX).contains(&limit) {
        let message = format!("the body limit is {limit} bytes, but must be from 1 to {BODY_BYTES_MAX}");
        context
            .findings
            .error(site.key("body-limit"), message)
            .help("bodies are held in memory while they are decided");
    }
    Some(limit)
}

fn kind_name(kind: ListenKind) -> &'static str {
    match kind {
        ListenKind::ExtAuthz => "ext-authz",
        ListenKind::ForwardAuth => "forward-auth",
        ListenKind::ReverseProxy => "reverse-proxy",
    }
}
