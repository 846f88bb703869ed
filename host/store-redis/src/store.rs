//! The store itself.

use crate::connection::Connection;
use crate::error::{Failure, OpenError};
use crate::keys;
use crate::mirror::{Counted, Mirror};
use crate::scripts::{Call, Script, Scripts};
use crate::settings::Settings;
use barmkin_host::{
    Claim, Clock, Draw, Hold, Holder, Lapse, Listed, NonceId, RemoteStore, StoreError, StoreFuture, SystemClock, Take,
    limits,
};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;

/// Keys of one nonce: by what it is called, and by what it was.
const FOUND_MAX: usize = 8;

/// A store on a Redis server, on a cluster, or on the master that sentinels name.
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

    /// Goes on with the username, password and certificates of `settings`: for those
    /// that are rotated while the server still takes both.
    ///
    /// # Errors
    /// [`StoreError`] when the server does not take them; the former ones then stay in
    /// use.
    pub async fn renew_credentials(&self, settings: &Settings) -> Result<(), StoreError> {
        self.connection.renew_credentials(settings).await
    }

    /// Tries the server now: whether it answers. One that is down may come up;
    /// until then every call fails.
    ///
    /// # Errors
    /// [`OpenError::Evicts`]: such a server is not used.
    pub async fn try_server(&self) -> Result<Result<(), StoreError>, OpenError> {
        match self.connection.try_server().await {
            Err(Failure::Evicts { policy, node }) => Err(OpenError::Evicts { policy, node }),
            other => Ok(other.map_err(StoreError::from)),
        }
    }

    /// The time by which this gate keeps account of what it added.
    fn time(&self) -> Duration {
        self.clock.as_ref().map_or_else(|| SystemClock.now(), |clock| clock())
    }

    /// A call about a nonce, by what it is called now, and was before.
    fn nonce_call<'a>(&'a self, script: &'a Script, nonce: &NonceId) -> Call<'a> {
        let mut call = script.call();
        call.key(keys::nonce(&self.prefix, nonce));
        if let Some(former) = &nonce.former {
            call.key(keys::former(&self.prefix, nonce, former));
        }
        call
    }

    /// The time for the scripts; empty for the server's own.
    fn now(&self) -> String {
        self.clock.as_ref().map_or_else(String::new, |clock| clock().as_micros().to_string())
    }
}

impl RemoteStore for RedisStore {
    fn claim<'a>(&'a self, nonce: &'a NonceId, retain: Duration, hold: Option<Hold>) -> StoreFuture<'a, Claim> {
        Box::pin(async move {
            let counted = self.mirror.claim(self.time(), nonce, retain, hold);
            let mut call = self.nonce_call(&self.scripts.claim, nonce);
            call.arg(self.now()).arg(micros_up(retain));
            call.arg(hold.map_or_else(String::new, |hold| holder_text(hold.holder)));
            call.arg(matches!(hold, Some(Hold { lapse: Lapse::Free, .. })).then_some("free").unwrap_or_default());
            call.arg(micros_up(limits::LEASE));
            // One that is there already is there, however full it is.
            call.arg(if counted.is_ok() { "" } else { "full" });
            // After an error it may be there, and stays counted.
            let claim = match self.connection.run(&call).await? {
                0 => return Ok(Claim::FirstUse),
                1 => Claim::InProgress,
                2 => Claim::Replayed,
                _ => return counted.and(Err(StoreError::Unavailable("it refused without a reason".to_owned()))),
            };
            if counted == Ok(Counted::Now) {
                self.mirror.remove(nonce);
            }
            Ok(claim)
        })
    }

    fn renew<'a>(&'a self, nonce: &'a NonceId, holder: Holder) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            let mut call = self.nonce_call(&self.scripts.renew, nonce);
            call.arg(holder_text(holder)).arg(self.now()).arg(micros_up(limits::LEASE));
            self.mirror.renew(self.time(), nonce, holder);
            self.connection.run(&call).await
        })
    }

    fn confirm<'a>(&'a self, nonce: &'a NonceId, holder: Holder) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            let mut call = self.nonce_call(&self.scripts.confirm, nonce);
            call.arg(holder_text(holder));
            self.mirror.confirm(nonce, holder);
            self.connection.run(&call).await
        })
    }

    fn release<'a>(&'a self, nonce: &'a NonceId, holder: Holder) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            let mut call = self.nonce_call(&self.scripts.release, nonce);
            call.arg(holder_text(holder));
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
            let mut call = self.scripts.take.call();
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
            let mut call = self.scripts.give_back.call();
            keys_of(&mut call, &keys::subject(&self.prefix, subject), draw);
            call.arg(self.now()).arg(cost).arg(micros_up(at));
            call.arg(keys::kind(&draw.rule)).arg(micros_up(draw.rule.span()));
            self.connection.run::<()>(&call).await?;
            self.mirror.give_back(self.time(), subject, draw, cost, at);
            Ok(())
        })
    }

    fn list<'a>(&'a self, space: &'a str, most: usize) -> StoreFuture<'a, Vec<Listed>> {
        Box::pin(async move {
            let mut listed = Vec::new();
            for key in self.connection.find(&keys::pattern(&self.prefix, space), most).await? {
                let Some(digest) = keys::digest_of(&self.prefix, space, &key) else { continue };
                let mut call = self.scripts.look.call();
                call.key(key).arg(self.now());
                let (expires_in, held_for): (i64, i64) = self.connection.run(&call).await?;
                let time = |micros| u64::try_from(micros).ok().filter(|micros| *micros > 0).map(Duration::from_micros);
                if let Some(expires_in) = time(expires_in) {
                    listed.push(Listed { digest, expires_in, held_for: time(held_for) });
                }
            }
            Ok(listed)
        })
    }

    fn forget<'a>(&'a self, space: &'a str, digest: &'a [u8; 32]) -> StoreFuture<'a, bool> {
        Box::pin(async move {
            let nonce = NonceId { space: space.into(), digest: *digest, former: None };
            let itself = keys::nonce(&self.prefix, &nonce);
            let mut keys = vec![[itself.clone(), itself]];
            // A delivery stands behind what release 0.1.0 calls it, which only its key
            // says.
            for key in self.connection.find(&keys::pattern_of(&self.prefix, space, digest), FOUND_MAX).await? {
                if let Some((former, _)) = key.rsplit_once(':') {
                    keys.push([former.to_owned(), key]);
                }
            }
            let mut was_claimed = false;
            for [one, another] in keys {
                let mut call = self.scripts.forget.call();
                call.key(one).key(another).arg(self.now());
                was_claimed |= self.connection.run::<bool>(&call).await?;
            }
            Ok(was_claimed)
        })
    }

    fn lost_at(&self) -> Option<Duration> {
        self.connection.lost_at()
    }

    fn run_beside(&self, work: Pin<Box<dyn Future<Output = ()> + Send>>) {
        drop(self.runtime.spawn(work));
    }
}

fn keys_of(call: &mut Call<'_>, subject: &str, draw: &Draw) {
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
