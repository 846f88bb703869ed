//! The store that a configuration names.

use anyhow::{Error, Result, anyhow};
use barmkin_admin::StoreHealth;
use barmkin_config::{RedisConfig, RedisLogin, RedisServers, StoreConfig};
use barmkin_host::{MemoryStore, Store};
use barmkin_store_embedded::{Durability, EmbeddedStore};
use barmkin_store_redis::{RedisStore, Sentinels, Servers, Tls};
use std::sync::Arc;
use tokio::runtime::Handle;

/// Opens the store to serve with, within the runtime that serves. What comes of
/// it is told to `health`.
pub(crate) async fn open(
    config: &StoreConfig,
    accept_loss: bool,
    health: &StoreHealth,
) -> Result<(Store, Credentials)> {
    let mut credentials = Credentials::default();
    let store = match config {
        StoreConfig::Memory(limits) => {
            tracing::info!(
                "the store is in memory: a restart forgets which deliveries came, and what quotas were used"
            );
            MemoryStore::new(*limits).into()
        }
        StoreConfig::Embedded { folder, limits, survives_power_loss } => {
            let settings = barmkin_store_embedded::Settings {
                folder: folder.clone(),
                limits: *limits,
                durability: if *survives_power_loss { Durability::Power } else { Durability::Process },
                accept_loss,
            };
            let store = EmbeddedStore::open(&settings).map_err(|error| {
                let help = error.help();
                refused(error, help)
            })?;
            tracing::info!(folder = %folder.display(), durability = ?settings.durability, "the store is in a folder");
            store.into_store()
        }
        StoreConfig::Redis(config) => {
            let store = RedisStore::new(&redis(config)).map_err(|error| {
                let help = error.help();
                refused(error, help)
            })?;
            match store.try_server().await {
                Ok(Ok(())) => tracing::info!("the store is in Redis"),
                Ok(Err(error)) => {
                    health.failed(&error);
                    tracing::warn!(%error, "Redis is not there yet: until it is, what needs it is denied")
                }
                Err(error) => {
                    let help = error.help();
                    return Err(refused(error, help));
                }
            }
            let store = Arc::new(store);
            credentials.0 = Some((store.clone(), Handle::current()));
            Store::Remote(store)
        }
    };
    Ok((health.watch(store), credentials))
}

/// The credentials of a store that can be rotated while it is in use.
#[derive(Default)]
pub(crate) struct Credentials(Option<(Arc<RedisStore>, Handle)>);

impl Credentials {
    /// Goes on with those of `config`, from a thread that may wait.
    ///
    /// # Errors
    /// When the server does not take them; the former ones then stay in use.
    pub(crate) fn renew(&self, config: &StoreConfig) -> Result<(), String> {
        let (Some((store, runtime)), StoreConfig::Redis(config)) = (&self.0, config) else { return Ok(()) };
        let renewed = runtime.block_on(store.renew_credentials(&redis(config)));
        renewed.map_err(|error| format!("the new credentials of the store cannot be used: {error}"))?;
        tracing::info!("Redis is used with other credentials");
        Ok(())
    }
}

fn redis(config: &RedisConfig) -> barmkin_store_redis::Settings {
    let servers = match &config.servers {
        RedisServers::One(url) => Servers::One(url.clone()),
        RedisServers::Cluster(urls) => Servers::Cluster(urls.clone()),
        RedisServers::Sentinel { master, addresses, login, master_has_tls } => Servers::Sentinel(Sentinels {
            master: master.clone(),
            addresses: addresses.clone(),
            username: login.username.clone(),
            password: login.password.clone(),
            tls: tls(login),
            master_has_tls: *master_has_tls,
        }),
    };
    let default = barmkin_store_redis::Settings::with(servers);
    barmkin_store_redis::Settings {
        username: config.login.username.clone(),
        password: config.login.password.clone(),
        prefix: config.prefix.clone().unwrap_or(default.prefix),
        timeout: config.timeout.unwrap_or(default.timeout),
        tls: tls(&config.login),
        servers: default.servers,
    }
}

fn tls(login: &RedisLogin) -> Tls {
    Tls { root_pem: login.root_pem.clone(), client_pem: login.client_pem.clone() }
}

fn refused(error: impl std::error::Error + Send + Sync + 'static, help: Option<&str>) -> Error {
    let error = Error::new(error).context("the store cannot be opened");
    match help {
        Some(help) => anyhow!("{error:#}\n  help: {help}"),
        None => error,
    }
}
