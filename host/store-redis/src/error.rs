//! Why something failed.

use barmkin_host::StoreError;
use redis::{ErrorKind, RedisError, ServerErrorKind};
use std::fmt;

/// Why a store cannot be opened. The operator must act.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The address, or the certificates.
    #[error("the settings of the Redis server are not valid")]
    Settings(#[source] redis::RedisError),
    /// The server drops keys when its memory is full.
    #[error("the Redis server{} may drop nonces: its `maxmemory-policy` is `{policy}`", at(.node.as_deref()))]
    Evicts {
        /// Its policy.
        policy: String,
        /// Which of several it is.
        node: Option<String>,
    },
}

impl OpenError {
    /// The remedy, where there is a single one.
    pub fn help(&self) -> Option<&'static str> {
        match self {
            Self::Evicts { .. } => Some("set `maxmemory-policy noeviction`"),
            Self::Settings(_) => None,
        }
    }
}

/// Why a call failed.
#[derive(Debug)]
pub(crate) enum Failure {
    Redis(RedisError),
    Late,
    Evicts {
        policy: String,
        node: Option<String>,
    },
    /// It takes no writes: its master does.
    Replica,
    /// Only this many of the cluster's masters answered.
    Incomplete {
        answered: usize,
        masters: usize,
    },
    /// No servers were found so far, and why.
    NotFound(String),
}

impl Failure {
    /// After a broken connection another server may answer, and the master be another.
    pub(crate) fn may_be_another_server(&self) -> bool {
        match self {
            Self::Redis(error) => error.is_unrecoverable_error() || error.is_io_error(),
            Self::Late | Self::Replica | Self::Incomplete { .. } | Self::NotFound(_) => true,
            Self::Evicts { .. } => false,
        }
    }

    /// Whether the server is not the master (any more). Nothing was written then: it
    /// refuses the first write of a script.
    pub(crate) fn is_no_master(&self) -> bool {
        match self {
            Self::Redis(error) => error.kind() == ErrorKind::Server(ServerErrorKind::ReadOnly),
            Self::Replica => true,
            _ => false,
        }
    }
}

impl From<RedisError> for Failure {
    fn from(error: RedisError) -> Self {
        Self::Redis(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Redis(error) if error.kind() == ErrorKind::Io => write!(f, "Redis cannot be reached: {error}"),
            Self::Redis(error) => write!(f, "Redis refused: {error}"),
            Self::Late => f.write_str("Redis did not answer in time"),
            Self::Evicts { policy, node } => {
                let at = at(node.as_deref());
                write!(f, "Redis{at} may drop nonces: its `maxmemory-policy` is `{policy}`")
            }
            Self::Replica => f.write_str("Redis is a replica, which takes no writes"),
            Self::Incomplete { answered, masters } => {
                write!(f, "of {masters} masters of the Redis cluster {answered} can be reached")
            }
            Self::NotFound(why) => f.write_str(why),
        }
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        Self::Unavailable(failure.to_string())
    }
}

fn at(node: Option<&str>) -> String {
    node.map_or_else(String::new, |node| format!(" at `{node}`"))
}
