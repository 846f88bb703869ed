//! Calls to servers that keep what they are given.

use crate::error::{Failure, OpenError};
use crate::follow::{Follower, Links, Search};
use crate::keys;
use crate::link::{self, Link};
use crate::scripts::{Call, Script};
use crate::settings::{Servers, Settings};
use arc_swap::ArcSwapOption;
use barmkin_host::StoreError;
use redis::{FromRedisValue, InfoDict, RedisError};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// How long servers are relied on before they are asked again whether they keep their
/// keys: settings can be changed and keys removed while they run.
const PROVEN_FOR: Duration = Duration::from_secs(10);

/// Keys that a server looks at for one page, which takes it a millisecond, and
/// pages that an operator has each server look at.
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

/// The connection to the servers.
pub(crate) struct Connection {
    links: Arc<Links>,
    /// Finds others, where they change.
    follower: ArcSwapOption<Follower>,
    /// Whether the servers are one master at a time.
    has_sentinels: bool,
    timeout: Duration,
    began: Instant,
    since_script: Arc<Script>,
    since_keys: Vec<String>,
    /// Since when they remember, in microseconds since 1970, in the order of the
    /// keys; empty before they were asked.
    since: Mutex<Vec<u64>>,
    /// The latest of them, where one had remembered for longer before; 0 for never.
    lost_at: AtomicU64,
}

impl Connection {
    /// Connects when it is first used, to servers that must be found at once.
    pub(crate) fn open(settings: &Settings) -> Result<Self, OpenError> {
        let link = match &settings.servers {
            Servers::One(url) => Some(Link::one(link::server(url)?, settings)?),
            _ => None,
        };
        let links = Arc::new(Links::new(link));
        let follower = Search::new(settings)?.map(|search| Arc::new(Follower::start(search, links.clone(), false)));
        #[expect(clippy::disallowed_methods, reason = "a store has a clock of its own")]
        let began = Instant::now();
        Ok(Self {
            links,
            follower: ArcSwapOption::new(follower),
            has_sentinels: matches!(settings.servers, Servers::Sentinel(_)),
            timeout: settings.timeout,
            began,
            since_script: Arc::new(Script::new(SINCE.to_owned())),
            since_keys: keys::since(&settings.prefix, matches!(settings.servers, Servers::Cluster(_))),
            since: Mutex::default(),
            lost_at: AtomicU64::new(0),
        })
    }

    /// Goes on with the credentials of `settings`. Calls under way end as they
    /// began.
    pub(crate) async fn renew_credentials(&self, settings: &Settings) -> Result<(), StoreError> {
        let settled = |error: OpenError| StoreError::Unavailable(error.to_string());
        let mut search = Search::new(settings).map_err(settled)?;
        let link = match (&settings.servers, &mut search) {
            (Servers::One(url), _) => {
                Some(link::server(url).and_then(|server| Link::one(server, settings)).map_err(settled)?)
            }
            (_, Some(search)) => search.look().await?,
            _ => None,
        };
        // They must show that they are the same servers when they are used.
        let link = link.ok_or(Failure::Late)?;
        let answers = tokio::time::timeout(self.timeout, link.each(&redis::cmd("PING"))).await;
        answers.map_err(|_| Failure::Late)??;
        let follower = search.map(|search| Arc::new(Follower::start(search, self.links.clone(), true)));
        // The former search ends before it could put back what it finds.
        self.follower.store(follower);
        self.links.set(link);
        Ok(())
    }

    /// When a server lost its contents, if one did since this store was opened.
    pub(crate) fn lost_at(&self) -> Option<Duration> {
        let lost_at = self.lost_at.load(Ordering::Acquire);
        (lost_at > 0).then(|| Duration::from_micros(lost_at))
    }

    /// Runs a script, within the time-out. Its outcome is unknown after an error: it
    /// is not tried again, except on another master after one that takes no writes.
    pub(crate) async fn run<T: FromRedisValue>(&self, call: &Call<'_>) -> Result<T, StoreError> {
        let run = async {
            let mut link = self.links.get().await?;
            loop {
                let answer = match self.prove(&link).await {
                    Ok(()) => link.invoke(call).await.map_err(Failure::Redis),
                    Err(failure) => Err(failure),
                };
                match answer {
                    Err(failure) if self.has_sentinels && failure.is_no_master() => {
                        self.wake();
                        link = self.links.other_than(Some(&link)).await?;
                    }
                    answer => {
                        let answer = redis::from_redis_value(answer?).map_err(RedisError::from)?;
                        return Ok(answer);
                    }
                }
            }
        };
        Ok(self.within(run).await?)
    }

    /// The keys that match `pattern`, until there are `most`. For operators: it looks
    /// through all that the servers have, a page at a time.
    pub(crate) async fn find(&self, pattern: &str, most: usize) -> Result<Vec<String>, StoreError> {
        let mut found = Vec::new();
        let link = self.within(self.links.get()).await?;
        for (node, _) in self.within(link.each(&redis::cmd("PING"))).await? {
            let mut cursor = 0_u64;
            for _ in 0..PAGES_MAX {
                let mut scan = redis::cmd("SCAN");
                scan.arg(cursor).arg("MATCH").arg(pattern).arg("COUNT").arg(PAGE);
                let page = self.within(link.ask(&node, &scan)).await?;
                let page = redis::from_redis_value::<(u64, Vec<String>)>(page);
                let (next, keys) = page.map_err(|error| Failure::Redis(error.into()))?;
                found.extend(keys);
                cursor = next;
                if cursor == 0 || found.len() >= most {
                    break;
                }
            }
        }
        // A slot that moves meanwhile is seen at both its nodes.
        found.sort_unstable();
        found.dedup();
        found.truncate(most);
        Ok(found)
    }

    /// Whether the servers can be used now.
    pub(crate) async fn try_server(&self) -> Result<(), Failure> {
        self.within(async { self.prove(&self.links.get().await?).await }).await
    }

    /// Does `work` within the time-out. Servers that may be others after it failed
    /// must show that they are the same.
    async fn within<T>(&self, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        let link = self.links.now();
        let answer = tokio::time::timeout(self.timeout, work).await.unwrap_or(Err(Failure::Late));
        answer.map_err(|failure| {
            if failure.may_be_another_server() {
                if let Some(link) = self.links.now() {
                    link.proven.store(0, Ordering::Release);
                }
                self.wake();
            }
            // There was none to answer.
            if link.is_none() && matches!(failure, Failure::Late) { self.links.trouble() } else { failure }
        })
    }

    fn wake(&self) {
        if let Some(follower) = &*self.follower.load() {
            follower.wake();
        }
    }

    /// Asks new servers, and from time to time those that are known, whether they
    /// keep what they are given and have kept it.
    async fn prove(&self, link: &Arc<Link>) -> Result<(), Failure> {
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX).saturating_add(1);
        let proven = link.proven.load(Ordering::Acquire);
        let is_due = now.saturating_sub(proven) >= u64::try_from(PROVEN_FOR.as_millis()).unwrap_or(u64::MAX);
        let turn = if proven == 0 {
            // All who need new servers wait for the one who asks.
            let turn = link.turn.lock().await;
            if link.proven.load(Ordering::Acquire) > 0 {
                return Ok(());
            }
            turn
        } else {
            match link.turn.try_lock() {
                Ok(turn) if is_due => turn,
                _ => return Ok(()),
            }
        };
        let asked = self.ask(link).await;
        link.proven.store(if asked.is_ok() { now } else { 0 }, Ordering::Release);
        drop(turn);
        asked
    }

    async fn ask(&self, link: &Arc<Link>) -> Result<(), Failure> {
        let mut writes_down = true;
        for (node, info) in link.each(&redis::cmd("INFO")).await? {
            let info: InfoDict = redis::from_redis_value(info).map_err(RedisError::from)?;
            if info.get::<String>("role").is_some_and(|role| role != "master") {
                return Err(Failure::Replica);
            }
            let policy = info.get("maxmemory_policy").unwrap_or_else(|| "unknown".to_owned());
            if policy != "noeviction" {
                return Err(Failure::Evicts { policy, node: node.address().map(str::to_owned) });
            }
            writes_down &= info.get::<u8>("aof_enabled") != Some(0);
        }
        let found = self.ask_since(link).await?;
        let mut known = self.since.lock().unwrap_or_else(PoisonError::into_inner);
        if known.is_empty() && !writes_down {
            tracing::warn!("Redis runs without `appendonly yes`: it can forget used nonces when it restarts");
        }
        let lost = known.iter().zip(&found).filter(|(before, since)| before != since);
        if let Some(at) = lost.map(|(_, since)| *since).max() {
            self.lost_at.store(at, Ordering::Release);
            tracing::error!("Redis lost its contents: requests signed before now are refused");
        }
        // Only now: no call may see the new value before the loss is known.
        *known = found;
        Ok(())
    }

    /// Since when each part of what they have is remembered.
    async fn ask_since(&self, link: &Arc<Link>) -> Result<Vec<u64>, Failure> {
        let mut asked = JoinSet::new();
        for (part, key) in self.since_keys.iter().cloned().enumerate() {
            let (link, script) = (link.clone(), self.since_script.clone());
            asked.spawn(async move {
                let mut call = script.call();
                call.key(key);
                let since: String = redis::from_redis_value(link.invoke(&call).await?)?;
                Ok::<_, RedisError>((part, since.parse().unwrap_or(1)))
            });
        }
        let mut found = Vec::with_capacity(self.since_keys.len());
        while let Some(answer) = asked.join_next().await {
            found.push(answer.map_err(|_| Failure::Late)??);
        }
        found.sort_unstable();
        Ok(found.into_iter().map(|(_, since)| since).collect())
    }
}
