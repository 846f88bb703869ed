/// Why a store cannot be opened. The operator must act.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The address, or the certificates.
    #[error("the settings of the Redis server are not valid")]
    Settings(#[source] redis::RedisError),
    /// The server drops keys when its memory is full.
    #[error("the Redis server may drop nonces: its `maxmemory-policy` is `{policy}`")]
    Evicts {
        /// Its policy.
        policy: String,
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
