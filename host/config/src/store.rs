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
    /// In Redis.
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
                (&one.url, &one.prefix, one.timeout) == (&other.url, &other.prefix, other.timeout)
            }
            (one, other) => one == other,
        }
    }
}

/// How a Redis server is reached. What is not given has the client's default.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisConfig {
    /// Its address.
    pub url: String,
    /// Who logs in.
    pub username: Option<String>,
    /// Their password.
    pub password: Option<String>,
    /// What every key begins with.
    pub prefix: Option<String>,
    /// How long one call may take.
    pub timeout: Option<Duration>,
    /// Who may certify the server, as PEM.
    pub root_pem: Option<Vec<u8>>,
    /// The gate's own certificate and key, as PEM.
    pub client_pem: Option<(Vec<u8>, Vec<u8>)>,
}

impl fmt::Debug for RedisConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // An address may have a password in it.
        f.debug_struct("RedisConfig").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}
