//! The part that is read at the start only: a reload cannot change it.

use crate::listener::{Address, Listener, ListenerKind, Tls};
use crate::store::StoreConfig;
use crate::upstream::Upstream;
use barmkin_host::{Digest, GateLimits};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// The part of a configuration that takes a restart to change: sockets are
/// opened once, and the store outlives every generation.
#[derive(Clone, Debug, PartialEq)]
pub struct Fixed {
    /// The ways in, by name.
    pub listeners: Vec<Listener>,
    /// Where allowed requests go, by name; by their address where they have none.
    pub upstreams: BTreeMap<String, Upstream>,
    /// Where nonces and quotas live.
    pub store: StoreConfig,
    /// The most that is taken on at once.
    pub limits: GateLimits,
    /// Where compiled policies are kept.
    pub cache: Option<PathBuf>,
    /// Where operators ask.
    pub admin: Option<Admin>,
    /// Where anybody asks how the gate is.
    pub health: Option<Health>,
    /// How long listeners go on when the gate is told to stop, where the operator says
    /// so: see [`drain`](Self::drain).
    pub declared_drain: Option<Duration>,
    /// The only components and configurations that may be loaded.
    pub pin: Option<Pin>,
}

/// Where operators ask a running gate, and tell it what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admin {
    /// A Unix socket, or a port: of this machine, unless clients must have a
    /// certificate.
    pub address: Address,
    /// TLS, on a port.
    pub tls: Option<Tls>,
    /// How long it waits for those who ask.
    pub timeouts: AdminTimeouts,
}

/// Where anybody may ask how the gate is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// A port, or a Unix socket.
    pub address: Address,
    /// TLS, on a port.
    pub tls: Option<Tls>,
    /// How long it waits for those who ask.
    pub timeouts: AdminTimeouts,
}

/// How long the admin listener waits for others, where the operator says so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AdminTimeouts {
    /// For a TLS handshake.
    pub handshake: Option<Duration>,
    /// For the header of a request.
    pub header: Option<Duration>,
    /// For an answer of which nothing goes while some waits to be sent.
    pub stall: Option<Duration>,
}

/// The only components and configurations that may be loaded; all, where it does not say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// SHA-256 of components.
    pub components: Option<Vec<Digest>>,
    /// Digests of configurations: see [`Spec::digest`](barmkin_host::Spec::digest).
    pub configurations: Option<Vec<Digest>>,
}

/// Balancers look every few seconds, and Docker waits for ten in all.
const DRAIN: Duration = Duration::from_secs(5);

impl Fixed {
    /// How long listeners go on when the gate is told to stop, and is not ready any
    /// more: not at all where nobody could see that, unless the operator says so.
    pub fn drain(&self) -> Duration {
        let grpc = |listener: &Listener| matches!(listener.kind, ListenerKind::ExtAuthz { .. });
        let is_seen = self.admin.is_some() || self.health.is_some() || self.listeners.iter().any(grpc);
        self.declared_drain.unwrap_or(if is_seen { DRAIN } else { Duration::ZERO })
    }

    /// The parts in which `other` differs, as the operator wrote them.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let section = |differs: bool, name: &str| differs.then(|| format!("[{name}]"));
        let unlike = |listeners: &[Listener], others: &[Listener]| -> Vec<String> {
            let unlike = listeners.iter().filter(|listener| !others.contains(listener));
            unlike.map(|listener| format!("[listen.{}]", listener.name)).collect()
        };
        let mut differences = unlike(&self.listeners, &other.listeners);
        differences.extend(unlike(&other.listeners, &self.listeners));
        // One that is not needed any more is no reason for a restart.
        let unlike = other.upstreams.keys().filter(|name| self.upstreams.get(*name) != other.upstreams.get(*name));
        differences.extend(unlike.map(|name| match name.contains(':') {
            // It has no section.
            true => format!("upstream `{name}`"),
            false => format!("[upstreams.{name}]"),
        }));
        differences.extend(section(!self.store.is_same_store(&other.store), "store"));
        differences.extend(section(self.limits != other.limits, "limits"));
        differences.extend(section(self.cache != other.cache, "cache"));
        differences.extend(section(self.admin != other.admin, "admin"));
        differences.extend(section(self.health != other.health, "health"));
        differences.extend(section(self.declared_drain != other.declared_drain, "shutdown"));
        differences.extend(section(self.pin != other.pin, "pin"));
        differences.sort();
        differences.dedup();
        differences
    }
}
