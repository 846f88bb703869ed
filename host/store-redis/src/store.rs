//! The store itself.

use crate::connection::{Connection, Failure};
use crate::error::OpenError;
use crate::keys;
use crate::mirror::{Counted, Mirror};
use crate::scripts::Scripts;
use barmkin_host::{
    Claim, Clock, Draw, Holder, NonceId, RemoteStore, StoreError, StoreFuture, SystemClock, Take, limits,
};
use redis::ScriptInvocation;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;

/// How a server is reached.
#[derive(Clone)]
pub struct Settings {
    /// `redis://host:port/db`, with TLS `rediss://`, or `redis+unix:///path`.
    pub url: String,
    /// Who logs in; the default user if `None`.
    pub username: Option<String>,
    /// Their password.
    pub password: Option<String>,
    /// What every key begins with.
    pub prefix: String,
    /// How long one call may take, with connecting.
    pub timeout: Duration,
    /// For `rediss://`.
    pub tls: Tls,
}

/// Certificates, as PEM.
#[derive(Clone, Default)]
pub struct Tls {
    /// Who may certify the server; the machine's own list unless given.
    pub root_pem: Option<Vec<u8>>,
    /// The certificate and key with which the gate identifies itself.
    pub client_pem: Option<(Vec<u8>, Vec<u8>)>,
}

impl Settings {
    /// A server with the defaults: prefix `barmkin`, 250 ms.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            username: None,
            password: None,
            prefix: "barmkin".to_owned(),
            // Ten times what a server in the same region takes on a bad day.
            timeout: Duration::from_millis(250),
            tls: Tls::default(),
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // An address may have a password in it.
        f.debug_struct("Settings").field("prefix", &self.prefix).field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

/// A store on a Redis server.
pub struct RedisStore {
    connection: Connection,
    scripts: Scripts,
    prefix: String,
    mirror: Mirror,
    /// Instead of the server's clock, in tests.
    clock: Option<Box<dyn Fn() -> Duration + Send + Sync>>,
    runtime: Handle,
}

impl RedisStore {
    /// A store that connects when it is first used, and again whenever it must.
    /// Within a tokio runtime with I/O and time.
    ///
    /// # Errors
    /// [`OpenError::Settings`].
    pub fn new(settings: &Settings) -> Result<Self, OpenError> {
        Ok(Self {
            connection: Connection::open(settings)?,
            scripts: Scripts::default(),
            prefix: settings.prefix.clone(),
            mirror: Mirror::default(),
            clock: None,
            runtime: Handle::current(),
        })
    }

    /// As [`new`](Self::new), by a clock of the caller's instead of the
    /// server's: to test against time.
    ///
    /// # Errors
    /// [`OpenError::Settings`].
    pub fn with_clock(
        settings: &Settings,
        clock: impl Fn() -> Duration + Send + Sync + 'static,
    ) -> Result<Self, OpenError> {
        Ok(Self { clock: Some(Box::new(clock)), ..Self::new(settings)? })
    }

    /// Tries the server now: whether it answers. One that is down may come up;
    /// until then every call fails.
    ///
    /// # Errors
    /// [`OpenError::Evicts`]: such a server is not used.
    pub async fn try_server(&self) -> Result<Result<(), StoreError>, OpenError> {
        match self.connection.try_server().await {
            Err(Failure::Evicts(policy)) => Err(OpenError::Evicts { policy }),
            other => Ok(other.map_err(StoreError::from)),
        }
    }

    /// The time by which this gate keeps account of what it added.
    fn time(&self) -> Duration {
        self.clock.as_ref().map_or_else(|| SystemClock.now(), |clock| clock())
    }

    /// What the scripts take for the time.
    fn now(&self) -> String {
        self.clock.as_ref().map_or_else(String::new, |clock| clock().as_micros().to_string())
    }
}

impl RemoteStore for RedisStore {
    fn claim<'a>(&'a self, nonce: &'a NonceId, retain: Duration, holder: Option<Holder>) -> StoreFuture<'a, Claim> {
        Box::pin(async move {
            let counted = self.mirror.claim(self.time(), nonce, retain, holder);
            let mut call = self.scripts.claim.prepare_invoke();
            call.key(keys::nonce(&self.prefix, nonce)).arg(self.now()).arg(micros_up(retain));
            call.arg(holder.map_or_else(String::new, holder_text)).arg(micros_up(limits::HELD_FOR));
            // One that is there already is there, however full it is.
            call.arg(if counted.is_ok() { "" } else { "full" });
            // After an error it may be there, and stays counted.
            let claim = match self.connection.run(&call).await? {
                0 => return Ok(Claim::FirstUse),
                1 => Claim::InProgress,
                2 => Claim::Replayed,
                _ => return counted.and(Err(StoreError::Unavailable("it refuses without a reason".to_owned()))),
            };
            if counted == Ok(Counted::Now) {
                self.mirror.remove(nonce);
            }
            Ok(claim)
        })
    }

    fn confirm<'a>(&'a self, nonce: &'a NonceId, holder: Holder) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            let mut call = self.scripts.confirm.prepare_invoke();
            call.key(keys::nonce(&self.prefix, nonce)).arg(holder_text(holder));
            self.mirror.confirm(nonce, holder);
            self.connection.run(&call).await
        })
    }

    fn release<'a>(&'a self, nonce: &'a NonceId, holder: Holder) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            let mut call = self.scripts.release.prepare_invoke();
            call.key(keys::nonce(&self.prefix, nonce)).arg(holder_text(holder));
            self.connection.run::<()>(&call).await?;
            self.mirror.release(nonce, holder);
            Ok(())
        })
    }

    fn take<'a>(&'a self, subject: &'a Arc<str>, draws: &'a [Draw], cost: u32) -> StoreFuture<'a, Take> {
        Box::pin(async move {
            if cost > 0 {
                self.mirror.room_for(self.time(), subject, draws)?;
            }
            let mut call = self.scripts.take.prepare_invoke();
            call.arg(self.now()).arg(cost);
            let key = keys::subject(&self.prefix, subject);
            for draw in draws {
                keys_of(&mut call, &key, draw);
                call.arg(keys::kind(&draw.rule)).arg(draw.rule.limit()).arg(micros_up(draw.rule.span()));
            }
            let (admitted, remaining, reset, retry, at): (bool, u64, u64, i64, u64) =
                self.connection.run(&call).await?;
            if admitted && cost > 0 {
                self.mirror.count(Duration::from_micros(at), subject, draws, cost);
            }
            Ok(Take {
                admitted,
                remaining,
                reset_after: Duration::from_micros(reset),
                retry_after: u64::try_from(retry).ok().map(Duration::from_micros),
                at: Duration::from_micros(at),
            })
        })
    }

    fn give_back<'a>(&'a self, subject: &'a Arc<str>, draw: &'a Draw, cost: u32, at: Duration) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            let mut call = self.scripts.give_back.prepare_invoke();
            keys_of(&mut call, &keys::subject(&self.prefix, subject), draw);
            call.arg(self.now()).arg(cost).arg(micros_up(at));
            call.arg(keys::kind(&draw.rule)).arg(micros_up(draw.rule.span()));
            self.connection.run::<()>(&call).await?;
            self.mirror.give_back(self.time(), subject, draw, cost, at);
            Ok(())
        })
    }

    fn lost_at(&self) -> Option<Duration> {
        self.connection.lost_at()
    }

    fn run_beside(&self, work: Pin<Box<dyn Future<Output = ()> + Send>>) {
        drop(self.runtime.spawn(work));
    }
}

fn keys_of(call: &mut ScriptInvocation<'_>, subject: &str, draw: &Draw) {
    let [tally, sum] = keys::quota(subject, draw);
    call.key(tally).key(sum);
}

fn holder_text(holder: Holder) -> String {
    format!("{:x}", holder.0)
}

/// In microseconds, rounded up, so that no more than the rate is ever admitted.
fn micros_up(span: Duration) -> u64 {
    u64::try_from(span.as_nanos().div_ceil(1_000)).unwrap_or(u64::MAX)
}
