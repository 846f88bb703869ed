/// Why a store cannot be opened. The operator must act.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The address, or the certificates.
    #[error("the settings of the Redis server do not make sense")]
    Settings(#[source] redis::RedisError),
    /// The server drops keys when its memory is full.
    #[error("the Redis server may drop nonces: its `maxmemory-policy` is `{policy}`")]
    Evicts {
        /// Its policy.
        policy: String,
    },
}

impl OpenError {
    /// What to do about it, where there is one thing to do.
    pub fn help(&self) -> Option<&'static str> {
        match self {
            Self::Evicts { .. } => Some("set `maxmemory-policy noeviction`"),
            Self::Settings(_) => None,
        }
    }
}
