//! Steady load, and who decided what.

use super::attempts::{Expected, KEY};
use barmkin_envoy::{Probe, Probed};
use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

/// Connections that ask, and how often each does: a part of what two cores can
/// decide, so that what is slow shows as what fails.
const ASKERS: usize = 4;
const EVERY: Duration = Duration::from_millis(5);

/// Longer than any verdict takes: a request that waits longer has failed.
const PATIENCE: Duration = Duration::from_secs(10);

/// Load that goes on.
pub(super) struct Load {
    askers: JoinSet<Answers>,
    stop: watch::Sender<bool>,
}

/// The answers that came.
#[derive(Debug, Default)]
pub(super) struct Answers {
    pub(super) requests: usize,
    pub(super) failed: usize,
    by_generation: HashMap<String, HashSet<Expected>>,
}

impl Load {
    pub(super) async fn start(address: SocketAddr) -> anyhow::Result<Self> {
        let (stop, stopped) = watch::channel(false);
        let mut askers = JoinSet::new();
        for _ in 0..ASKERS {
            askers.spawn(ask(Probe::connect(address).await?, stopped.clone()));
        }
        Ok(Self { askers, stop })
    }

    pub(super) async fn stop(self) -> Answers {
        self.stop.send_replace(true);
        self.askers.join_all().await.into_iter().fold(Answers::default(), Answers::and)
    }
}

async fn ask(probe: Probe, stopped: watch::Receiver<bool>) -> Answers {
    let mut answers = Answers::default();
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !*stopped.borrow() {
        ticks.tick().await;
        let probed = tokio::time::timeout(PATIENCE, probe.get("/probe", &[("x-api-key", KEY)])).await;
        answers.requests += 1;
        match probed {
            Ok(Ok(Probed { generation, reason, principal })) => {
                answers.by_generation.entry(generation).or_default().insert(Expected { reason, principal });
            }
            Ok(Err(_)) | Err(_) => answers.failed += 1,
        }
    }
    answers
}

impl Answers {
    /// All that each generation answered.
    pub(super) fn by_generation(&self) -> impl Iterator<Item = (&String, &HashSet<Expected>)> {
        self.by_generation.iter()
    }

    fn and(mut self, other: Self) -> Self {
        self.requests += other.requests;
        self.failed += other.failed;
        for (generation, answers) in other.by_generation {
            self.by_generation.entry(generation).or_default().extend(answers);
        }
        self
    }
}
