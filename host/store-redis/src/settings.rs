//! How the servers are reached.

use std::fmt;
use std::time::Duration;

/// How the servers are reached.
#[derive(Clone)]
pub struct Settings {
    /// Where they are.
    pub servers: Servers,
    /// The user who logs in; the default user if `None`.
    pub username: Option<String>,
    /// Their password.
    pub password: Option<String>,
    /// The prefix of every key.
    pub prefix: String,
    /// How long one call may take, with connecting.
    pub timeout: Duration,
    /// For servers with TLS.
    pub tls: Tls,
}

/// Where the servers are.
#[derive(Clone)]
pub enum Servers {
    /// One: `redis://host:port/db`, with TLS `rediss://`, or `redis+unix:///path`.
    One(String),
    /// Nodes of a cluster, which name the others: `redis://host:port`, or all of them
    /// `rediss://host:port`.
    Cluster(Vec<String>),
    /// The master that sentinels name.
    Sentinel(Sentinels),
}

/// Sentinels, and the master that they watch.
#[derive(Clone)]
pub struct Sentinels {
    /// Their name for it.
    pub master: String,
    /// Where they are: `redis://host:port`, with TLS `rediss://`.
    pub addresses: Vec<String>,
    /// Who logs in to them; the default user if `None`.
    pub username: Option<String>,
    /// Their password.
    pub password: Option<String>,
    /// For sentinels with TLS.
    pub tls: Tls,
    /// Whether the master speaks TLS.
    pub master_has_tls: bool,
}

/// Certificates, as PEM.
#[derive(Clone, Default)]
pub struct Tls {
    /// Who may certify the server. Defaults to the machine's own list.
    pub root_pem: Option<Vec<u8>>,
    /// The certificate and key with which the gate identifies itself.
    pub client_pem: Option<(Vec<u8>, Vec<u8>)>,
}

impl Settings {
    /// Servers with the defaults: prefix `barmkin`, 250 ms.
    pub fn with(servers: Servers) -> Self {
        Self {
            servers,
            username: None,
            password: None,
            prefix: "barmkin".to_owned(),
            // Ten times what a server in the same region takes on a bad day.
            timeout: Duration::from_millis(250),
            tls: Tls::default(),
        }
    }

    /// As [`with`](Self::with), for one server.
    pub fn new(url: impl Into<String>) -> Self {
        Self::with(Servers::One(url.into()))
    }

    /// As [`with`](Self::with), for a cluster with these nodes.
    pub fn cluster(urls: impl IntoIterator<Item = String>) -> Self {
        Self::with(Servers::Cluster(urls.into_iter().collect()))
    }

    /// As [`with`](Self::with), for the master that sentinels without a password call
    /// `master`.
    pub fn sentinel(master: impl Into<String>, addresses: impl IntoIterator<Item = String>) -> Self {
        Self::with(Servers::Sentinel(Sentinels {
            master: master.into(),
            addresses: addresses.into_iter().collect(),
            username: None,
            password: None,
            tls: Tls::default(),
            master_has_tls: false,
        }))
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // An address may have a password in it.
        f.debug_struct("Settings").field("prefix", &self.prefix).field("timeout", &self.timeout).finish_non_exhaustive()
    }
}
