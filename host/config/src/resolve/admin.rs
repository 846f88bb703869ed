use crate::document::{self, Entry};
use crate::fixed::{Admin, AdminTimeouts};
use crate::listener::{Address, Tls};
use crate::resolve::{Context, listeners, tls};
use crate::source::Site;
use std::net::SocketAddr;
use std::time::Duration;

/// Who may connect to an admin socket that says nothing of it: the user that
/// runs the gate.
const SOCKET_MODE: u32 = 0o600;

/// Balancers look every few seconds, and Docker waits for ten in all.
const DRAIN: Duration = Duration::from_secs(5);

pub(crate) fn resolve(declared: &Entry<document::Admin>, context: &mut Context<'_>) -> Option<Admin> {
    let Entry { site, value: admin } = declared;
    let text = admin.address.as_str();
    let tls = admin.tls.as_ref().map(|tls| read_tls(tls, &site.key("tls"), context));
    let timeouts = admin.timeouts.as_ref().map(|timeouts| read_timeouts(timeouts, &site.key("timeouts"), context));
    let timeouts = timeouts.unwrap_or_default();
    let drain = context.read_or(site.key("drain"), admin.drain.as_ref(), DRAIN);
    if let Some(path) = text.strip_prefix("unix:").filter(|path| !path.is_empty()) {
        if tls.is_some() {
            context
                .findings
                .error(site.key("tls"), "a Unix socket has no TLS")
                .help("its permissions say who may connect: remove it");
        }
        if timeouts.handshake.is_some() {
            context
                .findings
                .error(site.key("timeouts").key("handshake"), "a Unix socket has no handshake")
                .help("remove it");
        }
        let mode = context.read_or(site.key("mode"), admin.mode.as_ref(), SOCKET_MODE);
        let path = context.sources.beside(site.file, path);
        return Some(Admin { address: Address::Unix { path, mode, group: admin.group }, tls: None, timeouts, drain });
    }
    for (option, is_given) in [("mode", admin.mode.is_some()), ("group", admin.group.is_some())] {
        if is_given {
            context.findings.error(site.key(option), format!("only a Unix socket has a `{option}`")).help("remove it");
        }
    }
    let knows_clients = tls.as_ref().is_some_and(|tls| tls.clients.as_ref().is_some_and(|(_, required)| *required));
    // An address and no name: what a name stands for can change.
    match text.parse::<SocketAddr>() {
        Ok(address) if address.ip().is_loopback() || knows_clients => {
            return Some(Admin { address: Address::Tcp(text.to_owned()), tls, timeouts, drain });
        }
        Ok(_) => {
            context.findings.error(site.key("address"), format!("`{text}` can be reached from other machines")).help(
                "whoever reaches it can reload and roll back: use `127.0.0.1:port` or `unix:` and a path, or ask for \
                 client certificates: `tls` with `client-ca`",
            )
        }
        Err(_) => context
            .findings
            .error(site.key("address"), format!("`{text}` is not an address for the admin listener"))
            .help("write `unix:` and a path, or `127.0.0.1:port`"),
    }
    None
}

fn read_timeouts(declared: &document::AdminTimeouts, site: &Site, context: &mut Context<'_>) -> AdminTimeouts {
    let mut read = |option, text| listeners::time(site.key(option), text, context);
    AdminTimeouts {
        handshake: read("handshake", declared.handshake.as_ref()),
        header: read("header", declared.header.as_ref()),
        stall: read("stall", declared.stall.as_ref()),
    }
}

fn read_tls(declared: &document::Tls, site: &Site, context: &mut Context<'_>) -> Tls {
    if declared.names_principal.unwrap_or_default() {
        context.findings.error(site.key("names-principal"), "operators are no principals").help("remove it");
    }
    tls::read(declared, site, context)
}
