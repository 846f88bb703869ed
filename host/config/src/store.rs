//! Where nonces and quotas live, as plain data: which crate keeps them is the
//! caller's business.

use barmkin_host::MemoryLimits;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// Where nonces and quotas live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreConfig {
    /// In this process.
    Memory(MemoryLimits),
    /// In a folder of this machine.
    Embedded {
        /// The folder.
        folder: PathBuf,
        /// How much it may hold.
        limits: MemoryLimits,
        /// Whether an answer survives power loss, or the death of the process
        /// alone.
        survives_power_loss: bool,
    },
    /// In Redis or Valkey.
    Redis(Box<RedisConfig>),
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self::Memory(MemoryLimits::default())
    }
}

impl StoreConfig {
    /// How much it may hold, where that is bounded here.
    pub fn limits(&self) -> Option<MemoryLimits> {
        match self {
            Self::Memory(limits) | Self::Embedded { limits, .. } => Some(*limits),
            Self::Redis(_) => None,
        }
    }
}

impl StoreConfig {
    /// Whether `other` is the same store, whatever opens it: credentials can be
    /// rotated while it is in use.
    pub fn is_same_store(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Redis(one), Self::Redis(other)) => {
                let is_same = one.servers.are_same(&other.servers);
                is_same && (&one.prefix, one.timeout) == (&other.prefix, other.timeout)
            }
            (one, other) => one == other,
        }
    }
}

/// How Redis is reached. What is not given has the client's default.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisConfig {
    /// Where it is.
    pub servers: RedisServers,
    /// Who logs in.
    pub login: RedisLogin,
    /// The beginning of every key.
    pub prefix: Option<String>,
    /// How long one call may take.
    pub timeout: Option<Duration>,
}

/// Where Redis is.
#[derive(Clone, PartialEq, Eq)]
pub enum RedisServers {
    /// One server, at this address.
    One(String),
    /// A cluster, with nodes at these addresses.
    Cluster(Vec<String>),
    /// A master that sentinels name.
    Sentinel {
        /// Their name for it.
        master: String,
        /// Their addresses.
        addresses: Vec<String>,
        /// Who logs in to them.
        login: RedisLogin,
        /// Whether the master speaks TLS.
        master_has_tls: bool,
    },
}

/// The credentials, which may be rotated while a store is in use.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct RedisLogin {
    /// Who logs in.
    pub username: Option<String>,
    /// Their password.
    pub password: Option<String>,
    /// Who may certify the server, as PEM.
    pub root_pem: Option<Vec<u8>>,
    /// The gate's own certificate and key, as PEM.
    pub client_pem: Option<(Vec<u8>, Vec<u8>)>,
}

impl RedisServers {
    /// Whether these are the same, apart from the logins.
    fn are_same(&self, other: &Self) -> bool {
        let without_login = |servers: &Self| match servers.clone() {
            Self::Sentinel { master, addresses, master_has_tls, .. } => {
                Self::Sentinel { master, addresses, master_has_tls, login: RedisLogin::default() }
            }
            others => others,
        };
        without_login(self) == without_login(other)
    }
}

impl fmt::Debug for RedisConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // An address may have a password in it.
        f.debug_struct("RedisConfig").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}
