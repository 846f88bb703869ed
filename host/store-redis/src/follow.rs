//! Following servers that change: the master that sentinels name, and a cluster
//! whose nodes went away without a word.

use crate::error::{Failure, OpenError};
use crate::link::{self, Link};
use crate::settings::{Servers, Settings};
use redis::aio::ConnectionManager;
use redis::cluster::ClusterClient;
use redis::{ConnectionAddr, IntoConnectionInfo};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::task::{JoinHandle, JoinSet};

/// How often sentinels are asked who the master is: this long a gate may go on with
/// a former one that still answers.
const LOOK: Duration = Duration::from_secs(1);

/// At least between two looks, however often calls fail: at sentinels, which
/// answer from memory, and for all nodes of a cluster.
const PAUSE: Duration = Duration::from_millis(100);
const CLUSTER_PAUSE: Duration = Duration::from_secs(1);

/// How long a sentinel is waited for. The others have answered by then.
const SENTINEL: Duration = Duration::from_millis(500);

/// How long all nodes of a cluster are waited for, in time-outs of a call.
const CLUSTER_TIMEOUTS: u32 = 4;

/// The servers that are in use now.
pub(crate) struct Links {
    now: watch::Sender<Option<Arc<Link>>>,
    /// Why there are none.
    trouble: Mutex<String>,
}

impl Links {
    pub(crate) fn new(link: Option<Link>) -> Self {
        let trouble = Mutex::new("no Redis server was found yet".to_owned());
        Self { now: watch::Sender::new(link.map(Arc::new)), trouble }
    }

    /// The servers, when there are some.
    pub(crate) async fn get(&self) -> Result<Arc<Link>, Failure> {
        let found = self.now();
        match found {
            Some(link) => Ok(link),
            None => self.other_than(None).await,
        }
    }

    pub(crate) fn now(&self) -> Option<Arc<Link>> {
        self.now.borrow().clone()
    }

    /// Waits until others than `former` are found.
    pub(crate) async fn other_than(&self, former: Option<&Arc<Link>>) -> Result<Arc<Link>, Failure> {
        let mut links = self.now.subscribe();
        let is_other = |link: &Option<Arc<Link>>| {
            link.as_ref().is_some_and(|link| former.is_none_or(|former| !Arc::ptr_eq(link, former)))
        };
        let found = links.wait_for(is_other).await.ok().and_then(|link| link.clone());
        found.ok_or_else(|| self.trouble())
    }

    pub(crate) fn set(&self, link: Link) {
        self.now.send_replace(Some(Arc::new(link)));
    }

    pub(crate) fn trouble(&self) -> Failure {
        Failure::NotFound(self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    fn tell(&self, failure: &Failure) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = failure.to_string();
    }
}

/// A search for servers.
pub(crate) enum Search {
    Cluster {
        client: Box<ClusterClient>,
        patience: Duration,
    },
    Sentinel {
        settings: Box<Settings>,
        /// Their name for the master.
        master: String,
        sentinels: Vec<ConnectionManager>,
        /// Whom they named last.
        named: Option<Named>,
    },
}

impl Search {
    /// `None` for one server, which is where it is.
    pub(crate) fn new(settings: &Settings) -> Result<Option<Self>, OpenError> {
        Ok(Some(match &settings.servers {
            Servers::One(_) => return Ok(None),
            Servers::Cluster(urls) => Self::Cluster {
                client: Box::new(link::cluster_client(urls, settings)?),
                patience: settings.timeout * CLUSTER_TIMEOUTS,
            },
            Servers::Sentinel(sentinels) => {
                let login = (sentinels.username.as_deref(), sentinels.password.as_deref());
                let manager = |url: &String| link::manager(link::server(url)?, login, &sentinels.tls, settings.timeout);
                Self::Sentinel {
                    settings: Box::new(settings.clone()),
                    master: sentinels.master.clone(),
                    sentinels: sentinels.addresses.iter().map(manager).collect::<Result<_, _>>()?,
                    named: None,
                }
            }
        }))
    }

    /// Other servers than were found last, if there are.
    pub(crate) async fn look(&mut self) -> Result<Option<Link>, Failure> {
        match self {
            Self::Cluster { client, patience } => {
                let link = tokio::time::timeout(*patience, Link::cluster(client)).await;
                link.unwrap_or(Err(Failure::Late)).map(Some)
            }
            Self::Sentinel { settings, master, sentinels, named } => {
                let found = master_of(sentinels, master, named.as_ref()).await?;
                let former = named.replace(found.clone()).map(|former| former.at);
                if former.as_ref() == Some(&found.at) {
                    return Ok(None);
                }
                let (host, port) = found.at;
                if let Some((former_host, former_port)) = former {
                    tracing::warn!("the master of Redis is `{host}:{port}` in place of `{former_host}:{former_port}`");
                }
                let address = match &settings.servers {
                    Servers::Sentinel(sentinels) if sentinels.master_has_tls => {
                        ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None }
                    }
                    _ => ConnectionAddr::Tcp(host, port),
                };
                let link = address.into_connection_info().map_err(OpenError::Settings);
                match link.and_then(|address| Link::one(address, settings)) {
                    Ok(link) => Ok(Some(link)),
                    Err(error) => {
                        *named = None;
                        Err(Failure::NotFound(error.to_string()))
                    }
                }
            }
        }
    }

    /// Waits until it is worth another look.
    async fn rest(&self, wanted: &Notify) {
        match self {
            Self::Cluster { .. } => {
                tokio::time::sleep(CLUSTER_PAUSE).await;
                wanted.notified().await;
            }
            Self::Sentinel { .. } => {
                tokio::time::sleep(PAUSE).await;
                let _ = tokio::time::timeout(LOOK - PAUSE, wanted.notified()).await;
            }
        }
    }
}

/// A master as a sentinel names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    at: (String, u16),
    /// The number of the failover by which it was made one.
    epoch: u64,
}

/// Whom the sentinels name; all are asked.
async fn master_of(sentinels: &[ConnectionManager], name: &str, before: Option<&Named>) -> Result<Named, Failure> {
    let mut asked = JoinSet::new();
    for sentinel in sentinels {
        let (mut sentinel, mut command) = (sentinel.clone(), redis::cmd("SENTINEL"));
        command.arg("MASTER").arg(name);
        asked.spawn(async move {
            let answer = command.query_async::<HashMap<String, String>>(&mut sentinel);
            tokio::time::timeout(SENTINEL, answer).await
        });
    }
    let (mut answers, mut trouble) = (Vec::new(), "they do not answer".to_owned());
    while let Some(answer) = asked.join_next().await {
        match answer {
            Ok(Ok(Ok(master))) => answers.extend(named(&master)),
            Ok(Ok(Err(error))) => trouble = error.to_string(),
            _ => {}
        }
    }
    let none = || Failure::NotFound(format!("no sentinel of Redis names the master `{name}`: {trouble}"));
    latest(answers, sentinels.len(), before).ok_or_else(none)
}

fn named(master: &HashMap<String, String>) -> Option<Named> {
    let number = |field| master.get(field).and_then(|text| text.parse::<u64>().ok());
    let port = u16::try_from(number("port")?).ok()?;
    Some(Named { at: (master.get("ip")?.clone(), port), epoch: number("config-epoch").unwrap_or(0) })
}

/// Whom to believe: a sentinel that was cut off for a while names the former master,
/// and so the latest failover counts. If no more than half of those `listed` answer,
/// none of them may know of the one that was known before.
fn latest(answers: Vec<Named>, listed: usize, before: Option<&Named>) -> Option<Named> {
    let are_few = answers.len() * 2 <= listed;
    let latest = answers.into_iter().max_by_key(|named| named.epoch)?;
    match before {
        Some(before) if are_few && before.epoch > latest.epoch => Some(before.clone()),
        _ => Some(latest),
    }
}

/// Goes on searching for as long as it is there.
pub(crate) struct Follower {
    wanted: Arc<Notify>,
    task: JoinHandle<()>,
}

impl Follower {
    /// Puts what it finds into `links`; `found` if they are this search's already.
    pub(crate) fn start(mut search: Search, links: Arc<Links>, mut found: bool) -> Self {
        let wanted = Arc::new(Notify::new());
        let task = tokio::spawn({
            let wanted = wanted.clone();
            async move {
                loop {
                    if found {
                        search.rest(&wanted).await;
                    }
                    match search.look().await {
                        Ok(other) => {
                            found = true;
                            if let Some(link) = other {
                                links.set(link);
                            }
                        }
                        Err(failure) => {
                            links.tell(&failure);
                            found = false;
                            tokio::time::sleep(PAUSE).await;
                        }
                    }
                }
            }
        });
        Self { wanted, task }
    }

    /// Looks soon.
    pub(crate) fn wake(&self) {
        self.wanted.notify_one();
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_failover_counts() {
        let named = |port, epoch| Named { at: ("a".to_owned(), port), epoch };
        let port =
            |answers: &[Named], before: Option<&Named>| latest(answers.to_vec(), 3, before).map(|named| named.at.1);
        assert_eq!(port(&[named(1, 4), named(2, 5), named(1, 4)], None), Some(2));
        assert_eq!(port(&[named(1, 4), named(2, 5)], Some(&named(1, 4))), Some(2));
        assert_eq!(port(&[named(1, 4)], Some(&named(2, 5))), Some(2), "one alone may have been cut off");
        assert_eq!(port(&[named(3, 6)], Some(&named(2, 5))), Some(3));
        // They were set up from scratch.
        assert_eq!(port(&[named(1, 0), named(1, 0)], Some(&named(2, 5))), Some(1));
        assert_eq!(port(&[], Some(&named(2, 5))), None);
    }
}
