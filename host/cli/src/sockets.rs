//! The sockets of a gate. All are taken before anything is compiled, so that a port
//! that somebody has is known at once; at none is anybody answered before there is
//! somebody to answer.

use crate::help::Help;
use anyhow::{Context, Result};
use barmkin_config::{Address, Admin, Fixed, Health, Listener, ListenerKind, Tls};
use barmkin_tls::{HTTP, HTTP1, HTTP2, Opening, Protocols, Reserved, ServerTls, Socket, UnixSocket};
use ipnet::IpNet;
use std::time::Duration;

/// The remedy for an address that cannot be had.
const FREE: &str = "use an address of this machine at which nothing else listens or lies, and which this user may use";

/// Everything that a gate listens at.
pub(crate) struct Sockets {
    pub(crate) listeners: Vec<(Listener, Taken)>,
    pub(crate) admin: Option<(Admin, Taken)>,
    pub(crate) health: Option<(Health, Taken)>,
}

/// A socket that nobody else can have, and that does not listen yet. It goes when it
/// is dropped.
pub(crate) struct Taken {
    reserved: Reserved,
    opening: Opening,
    at: String,
}

impl Sockets {
    /// Takes all of them, or none.
    pub(crate) async fn take(fixed: &Fixed) -> Result<Self> {
        let mut listeners = Vec::new();
        for listener in &fixed.listeners {
            let taken = of_listener(listener).await.with_context(|| format!("listener `{}`", listener.name))?;
            listeners.push((listener.clone(), taken));
        }
        let admin = match &fixed.admin {
            Some(admin) => {
                let taken = take(&admin.address, admin.tls.as_ref(), HTTP1, admin.timeouts.handshake).await;
                Some((admin.clone(), taken.context("the admin listener")?))
            }
            None => None,
        };
        let health = match &fixed.health {
            Some(health) => {
                let taken = take(&health.address, health.tls.as_ref(), HTTP1, health.timeouts.handshake).await;
                Some((health.clone(), taken.context("the health listener")?))
            }
            None => None,
        };
        Ok(Self { listeners, admin, health })
    }
}

impl Taken {
    /// Begins to listen.
    pub(crate) fn listen(self) -> Result<Socket> {
        let listener = self.reserved.listen().with_context(|| format!("cannot listen at {}", self.at))?;
        Ok(Socket { listener, opening: self.opening })
    }
}

async fn of_listener(listener: &Listener) -> Result<Taken> {
    let protocols = match listener.kind {
        ListenerKind::ExtAuthz { .. } => HTTP2,
        ListenerKind::ForwardAuth { .. } => HTTP1,
        ListenerKind::ReverseProxy { .. } => HTTP,
    };
    let Listener { address, tls, timeouts, balancers, .. } = listener;
    let mut taken = take(address, tls.as_ref(), protocols, timeouts.handshake).await?;
    taken.opening.balancers = <Vec<IpNet>>::clone(balancers).into();
    Ok(taken)
}

async fn take(
    address: &Address,
    tls: Option<&Tls>,
    protocols: Protocols,
    handshake: Option<Duration>,
) -> Result<Taken> {
    let reserved = match address {
        Address::Tcp(address) => Reserved::port(address).await,
        Address::Unix { path, mode, group } => UnixSocket { path: path.clone(), mode: *mode, group: *group }.reserve(),
    };
    let reserved = reserved.with_context(|| format!("cannot listen at {address}")).help(FREE)?;
    let default = Opening::default();
    let opening = Opening {
        tls: tls.map(|tls| ServerTls::load(tls.files(), protocols)).transpose()?,
        within: handshake.unwrap_or(default.within),
        ..default
    };
    Ok(Taken { reserved, opening, at: address.to_string() })
}
