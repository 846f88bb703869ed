//! A connection that comes back by itself, to a server that keeps what it is
//! given.

use crate::error::OpenError;
use crate::store::{Settings, Tls};
use barmkin_host::StoreError;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, ClientTlsConfig, ErrorKind, FromRedisValue, IntoConnectionInfo, RedisError, ScriptInvocation};
use redis::{InfoDict, TlsCertificates};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Between two attempts to connect, at first and at most: a server that comes
/// back is found within a second, and one that is down is not hammered.
const RETRY: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(500));

/// Attempts to connect before the requests that wait are told: they are told
/// before by their own time-out.
const ATTEMPTS_MAX: usize = 16;

/// Requests under way on the connection; more wait for them.
const UNDER_WAY_MAX: usize = 4_096;

/// The connection.
pub(crate) struct Connection {
    manager: ConnectionManager,
    timeout: Duration,
    /// Whether the server at its other end may be used.
    proven: AtomicBool,
}

impl Connection {
    /// Connects when it is first used.
    pub(crate) fn open(settings: &Settings) -> Result<Self, OpenError> {
        let client = client(settings).map_err(OpenError::Settings)?;
        let config = ConnectionManagerConfig::new()
            .set_min_delay(RETRY.0)
            .set_max_delay(RETRY.1)
            .set_number_of_retries(ATTEMPTS_MAX)
            .set_connection_timeout(Some(settings.timeout))
            .set_response_timeout(Some(settings.timeout))
            .set_pipeline_buffer_size(UNDER_WAY_MAX);
        let manager = ConnectionManager::new_lazy_with_config(client, config).map_err(OpenError::Settings)?;
        Ok(Self { manager, timeout: settings.timeout, proven: AtomicBool::new(false) })
    }

    /// Runs a script, within the time-out. What it came to is unknown after an
    /// error: it is not tried again.
    pub(crate) async fn run<T: FromRedisValue>(&self, call: &ScriptInvocation<'_>) -> Result<T, StoreError> {
        let mut manager = self.manager.clone();
        let run = async {
            self.prove(&mut manager).await?;
            call.invoke_async(&mut manager).await.map_err(Failure::Redis)
        };
        let result = tokio::time::timeout(self.timeout, run).await.unwrap_or(Err(Failure::Late));
        result.map_err(|failure| {
            if failure.may_be_another_server() {
                self.proven.store(false, Ordering::Release);
            }
            failure.into()
        })
    }

    /// Whether the server can be used now.
    pub(crate) async fn try_server(&self) -> Result<(), Failure> {
        let prove = async {
            let mut manager = self.manager.clone();
            self.prove(&mut manager).await
        };
        tokio::time::timeout(self.timeout, prove).await.unwrap_or(Err(Failure::Late))
    }

    /// Asks a new server whether it keeps what it is given.
    async fn prove(&self, manager: &mut ConnectionManager) -> Result<(), Failure> {
        if self.proven.load(Ordering::Acquire) {
            return Ok(());
        }
        let info: InfoDict = redis::cmd("INFO").arg("memory").query_async(manager).await.map_err(Failure::Redis)?;
        let policy: String = info.get("maxmemory_policy").unwrap_or_else(|| "unknown".to_owned());
        if policy != "noeviction" {
            return Err(Failure::Evicts(policy));
        }
        self.proven.store(true, Ordering::Release);
        Ok(())
    }
}

/// Why a call came to nothing.
pub(crate) enum Failure {
    Redis(RedisError),
    Late,
    Evicts(String),
}

impl Failure {
    /// After a broken connection another server may answer.
    fn may_be_another_server(&self) -> bool {
        match self {
            Self::Redis(error) => error.is_unrecoverable_error() || error.is_io_error(),
            Self::Late => true,
            Self::Evicts(_) => false,
        }
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        Self::Unavailable(match failure {
            Failure::Redis(error) if error.kind() == ErrorKind::Io => format!("Redis cannot be reached: {error}"),
            Failure::Redis(error) => format!("Redis refuses: {error}"),
            Failure::Late => "Redis did not answer in time".to_owned(),
            Failure::Evicts(policy) => format!("Redis may drop nonces: its `maxmemory-policy` is `{policy}`"),
        })
    }
}

fn client(settings: &Settings) -> Result<Client, RedisError> {
    let info = settings.url.as_str().into_connection_info()?;
    let mut login = info.redis_settings().clone();
    if let Some(user) = &settings.username {
        login = login.set_username(user);
    }
    if let Some(password) = &settings.password {
        login = login.set_password(password);
    }
    let info = info.set_redis_settings(login);
    if !settings.url.starts_with("rediss:") {
        return Client::open(info);
    }
    // Without one that the process has chosen; there it stays.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let Tls { root_pem, client_pem } = settings.tls.clone();
    let client_tls = client_pem.map(|(client_cert, client_key)| ClientTlsConfig { client_cert, client_key });
    Client::build_with_tls(info, TlsCertificates { client_tls, root_cert: root_pem })
}
