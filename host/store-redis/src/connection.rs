//! A connection that comes back by itself, to a server that keeps what it is
//! given.

use crate::error::OpenError;
use crate::store::{Settings, Tls};
use arc_swap::ArcSwap;
use barmkin_host::StoreError;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, ClientTlsConfig, ErrorKind, FromRedisValue, IntoConnectionInfo, RedisError, ScriptInvocation};
use redis::{InfoDict, Script, TlsCertificates};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Between two attempts to connect, at first and at most: a server that comes
/// back is found within a second, and one that is down is not hammered.
const RETRY: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(500));

/// Attempts to connect before the requests that wait are told: they are told
/// before by their own time-out.
const ATTEMPTS_MAX: usize = 16;

/// Requests under way on the connection; more wait for them.
const UNDER_WAY_MAX: usize = 4_096;

/// How long a server is relied on before it is asked again whether it keeps its
/// keys: its settings can be changed and its keys removed while it runs.
const PROVEN_FOR: Duration = Duration::from_secs(10);

/// Keys that a server looks at for one page, which takes it a millisecond, and
/// pages that an operator has it look at.
const PAGE: usize = 1_000;
const PAGES_MAX: usize = 20_000;

/// Gives what says since when the server remembers, and writes it where nothing
/// does.
const SINCE: &str = "local since = redis.call('GET', KEYS[1])
if not since then
  local time = redis.call('TIME')
  since = string.format('%.0f', time[1] * 1000000 + time[2])
  redis.call('SET', KEYS[1], since)
end
return since";

/// The connection.
pub(crate) struct Connection {
    /// Another one by other credentials.
    manager: ArcSwap<ConnectionManager>,
    timeout: Duration,
    /// When the server at its other end was last seen to be one that may be used,
    /// in milliseconds of `began`, and one more; 0 for never.
    proven: AtomicU64,
    began: Instant,
    since_key: String,
    /// Since when the server remembers, in microseconds since 1970; 0 before it
    /// was asked.
    since: AtomicU64,
    /// The same, where it had remembered for longer before; 0 for never.
    lost_at: AtomicU64,
}

impl Connection {
    /// Connects when it is first used.
    pub(crate) fn open(settings: &Settings) -> Result<Self, OpenError> {
        let manager = manager(settings)?;
        #[expect(clippy::disallowed_methods, reason = "a store has a clock of its own")]
        let began = Instant::now();
        Ok(Self {
            manager: ArcSwap::from_pointee(manager),
            timeout: settings.timeout,
            proven: AtomicU64::new(0),
            began,
            since_key: format!("{}:since", settings.prefix),
            since: AtomicU64::new(0),
            lost_at: AtomicU64::new(0),
        })
    }

    /// Goes on with the credentials of `settings`. Calls under way end as they
    /// began.
    pub(crate) async fn renew_credentials(&self, settings: &Settings) -> Result<(), StoreError> {
        let mut manager = manager(settings).map_err(|error| StoreError::Unavailable(error.to_string()))?;
        let ping = redis::cmd("PING");
        let answer = tokio::time::timeout(self.timeout, ping.query_async::<()>(&mut manager)).await;
        answer.map_err(|_| Failure::Late)?.map_err(Failure::Redis)?;
        self.manager.store(Arc::new(manager));
        // It must show that it is the same server.
        self.proven.store(0, Ordering::Release);
        Ok(())
    }

    /// When the server lost its contents, if it did since this store was opened.
    pub(crate) fn lost_at(&self) -> Option<Duration> {
        let lost_at = self.lost_at.load(Ordering::Acquire);
        (lost_at > 0).then(|| Duration::from_micros(lost_at))
    }

    /// Runs a script, within the time-out. Its outcome is unknown after an error: it
    /// is not tried again.
    pub(crate) async fn run<T: FromRedisValue>(&self, call: &ScriptInvocation<'_>) -> Result<T, StoreError> {
        let mut manager = ConnectionManager::clone(&self.manager.load());
        let run = async {
            self.prove(&mut manager).await?;
            call.invoke_async(&mut manager).await.map_err(Failure::Redis)
        };
        let result = tokio::time::timeout(self.timeout, run).await.unwrap_or(Err(Failure::Late));
        result.map_err(|failure| {
            if failure.may_be_another_server() {
                self.proven.store(0, Ordering::Release);
            }
            failure.into()
        })
    }

    /// The keys that match `pattern`, until there are `most`. For operators: it looks
    /// through all that the server has, a page at a time.
    pub(crate) async fn find(&self, pattern: &str, most: usize) -> Result<Vec<String>, StoreError> {
        let (mut found, mut cursor) = (Vec::new(), 0_u64);
        for _ in 0..PAGES_MAX {
            let mut manager = ConnectionManager::clone(&self.manager.load());
            let mut scan = redis::cmd("SCAN");
            scan.arg(cursor).arg("MATCH").arg(pattern).arg("COUNT").arg(PAGE);
            let page = scan.query_async::<(u64, Vec<String>)>(&mut manager);
            let page = tokio::time::timeout(self.timeout, page).await.map_err(|_| Failure::Late)?;
            let (next, keys) = page.map_err(Failure::Redis)?;
            found.extend(keys);
            cursor = next;
            if cursor == 0 || found.len() >= most {
                break;
            }
        }
        found.truncate(most);
        Ok(found)
    }

    /// Whether the server can be used now.
    pub(crate) async fn try_server(&self) -> Result<(), Failure> {
        let prove = async {
            let mut manager = ConnectionManager::clone(&self.manager.load());
            self.prove(&mut manager).await
        };
        tokio::time::timeout(self.timeout, prove).await.unwrap_or(Err(Failure::Late))
    }

    /// Asks a new server, and from time to time one that is known, whether it
    /// keeps what it is given and has kept it.
    async fn prove(&self, manager: &mut ConnectionManager) -> Result<(), Failure> {
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX).saturating_add(1);
        let proven = self.proven.load(Ordering::Acquire);
        let is_due = now.saturating_sub(proven) >= u64::try_from(PROVEN_FOR.as_millis()).unwrap_or(u64::MAX);
        // One of the calls that find it due asks; a new server is asked by all.
        if proven > 0
            && (!is_due || self.proven.compare_exchange(proven, now, Ordering::AcqRel, Ordering::Acquire).is_err())
        {
            return Ok(());
        }
        let asked = self.ask(manager).await;
        self.proven.store(if asked.is_ok() { now } else { 0 }, Ordering::Release);
        asked
    }

    async fn ask(&self, manager: &mut ConnectionManager) -> Result<(), Failure> {
        let info: InfoDict = redis::cmd("INFO").query_async(manager).await.map_err(Failure::Redis)?;
        let policy: String = info.get("maxmemory_policy").unwrap_or_else(|| "unknown".to_owned());
        if policy != "noeviction" {
            return Err(Failure::Evicts(policy));
        }
        let script = Script::new(SINCE);
        let since: String = script.key(&self.since_key).invoke_async(manager).await.map_err(Failure::Redis)?;
        let since = since.parse().unwrap_or(1);
        let before = self.since.load(Ordering::Acquire);
        if before == 0 && info.get::<u8>("aof_enabled") == Some(0) {
            tracing::warn!("Redis runs without `appendonly yes`: it can forget used nonces when it restarts");
        }
        if before != 0 && before != since {
            self.lost_at.store(since, Ordering::Release);
            tracing::error!("Redis lost its contents: requests signed before now are refused");
        }
        // Only now: no call may see the new value before the loss is known.
        self.since.store(since, Ordering::Release);
        Ok(())
    }
}

/// Why a call failed.
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
            Failure::Redis(error) => format!("Redis refused: {error}"),
            Failure::Late => "Redis did not answer in time".to_owned(),
            Failure::Evicts(policy) => format!("Redis may drop nonces: its `maxmemory-policy` is `{policy}`"),
        })
    }
}

fn manager(settings: &Settings) -> Result<ConnectionManager, OpenError> {
    let client = client(settings).map_err(OpenError::Settings)?;
    let config = ConnectionManagerConfig::new()
        .set_min_delay(RETRY.0)
        .set_max_delay(RETRY.1)
        .set_number_of_retries(ATTEMPTS_MAX)
        .set_connection_timeout(Some(settings.timeout))
        .set_response_timeout(Some(settings.timeout))
        .set_pipeline_buffer_size(UNDER_WAY_MAX);
    ConnectionManager::new_lazy_with_config(client, config).map_err(OpenError::Settings)
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
