use crate::document::{self, Entry};
use crate::fixed::{Admin, AdminTimeouts, Health};
use crate::listener::{Address, Tls};
use crate::resolve::sockets::{self, Written};
use crate::resolve::{Context, listeners, tls};
use crate::source::Site;
use std::net::SocketAddr;

/// Who may connect to an admin socket that says nothing of it: the user that
/// runs the gate.
const SOCKET_MODE: u32 = 0o600;

/// Who may connect to a health socket that says nothing of it: as a way in.
const HEALTH_MODE: u32 = 0o660;

pub(crate) fn resolve(declared: &Entry<document::Admin>, context: &mut Context<'_>) -> Option<Admin> {
    let Entry { site, value: admin } = declared;
    let text = admin.address.as_str();
    let tls = admin.tls.as_ref().map(|tls| read_tls(tls, &site.key("tls"), context));
    let timeouts = admin.timeouts.as_ref().map(|timeouts| read_timeouts(timeouts, &site.key("timeouts"), context));
    let timeouts = timeouts.unwrap_or_default();
    let written = Written { site, address: text, mode: admin.mode.as_ref(), group: admin.group.as_ref() };
    if let Some(address) = sockets::unix(&written, SOCKET_MODE, context) {
        check_unix(tls.is_some(), timeouts, site, context);
        return Some(Admin { address, tls: None, timeouts });
    }
    let knows_clients = tls.as_ref().is_some_and(|tls| tls.clients.as_ref().is_some_and(|(_, required)| *required));
    // An address and no name: what a name stands for can change.
    match text.parse::<SocketAddr>() {
        Ok(address) if address.ip().is_loopback() || knows_clients => {
            return Some(Admin { address: Address::Tcp(text.to_owned()), tls, timeouts });
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

/// Where anybody may ask how the gate is. It has no powers, so that it may be reached
/// from anywhere.
pub(super) fn health(declared: &Entry<document::Health>, context: &mut Context<'_>) -> Option<Health> {
    let Entry { site, value: health } = declared;
    let tls = health.tls.as_ref().map(|tls| read_tls(tls, &site.key("tls"), context));
    let timeouts = health.timeouts.as_ref().map(|timeouts| read_timeouts(timeouts, &site.key("timeouts"), context));
    let timeouts = timeouts.unwrap_or_default();
    let written = Written { site, address: &health.address, mode: health.mode.as_ref(), group: health.group.as_ref() };
    if let Some(address) = sockets::unix(&written, HEALTH_MODE, context) {
        check_unix(tls.is_some(), timeouts, site, context);
        return Some(Health { address, tls: None, timeouts });
    }
    if health.address.parse::<SocketAddr>().is_err() {
        context
            .findings
            .error(site.key("address"), format!("`{}` is not an address for the health listener", health.address))
            .help("write an address and a port, such as `0.0.0.0:9100`, or `unix:` and a path");
        return None;
    }
    Some(Health { address: Address::Tcp(health.address.clone()), tls, timeouts })
}

/// A peer on a Unix socket is there at once, and has no handshake.
fn check_unix(has_tls: bool, timeouts: AdminTimeouts, site: &Site, context: &mut Context<'_>) {
    if has_tls {
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
