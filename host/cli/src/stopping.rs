//! How a gate stops: within the ten seconds that Docker gives, and as Kubernetes
//! expects of what it sends requests to.

use std::io::{self, IsTerminal};
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::sleep;

/// For what is under way when the listeners have closed.
pub(crate) const UNDER_WAY: Duration = Duration::from_secs(4);

/// For what was cut off to give back what it took: a store answers sooner.
pub(crate) const SETTLING: Duration = Duration::from_millis(300);

/// How it is told to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// In order: requests under way may end.
    InOrder,
    /// At once: somebody waits at a terminal, or has asked before.
    AtOnce,
}

/// The signals that tell it so.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    pub(crate) async fn first(&mut self) -> Stop {
        tokio::select! {
            _ = self.interrupt.recv() => if io::stdin().is_terminal() { Stop::AtOnce } else { Stop::InOrder },
            _ = self.terminate.recv() => Stop::InOrder,
        }
    }

    /// A further one, whichever it is.
    async fn another(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    /// Lets `time` pass, unless there is a further signal.
    pub(crate) async fn after(&mut self, time: Duration) -> Stop {
        tokio::select! {
            () = sleep(time) => Stop::InOrder,
            () = self.another() => Stop::AtOnce,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{SETTLING, UNDER_WAY};
    use std::time::Duration;

    /// The time a gate takes to stop, with nothing set.
    fn all() -> Duration {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("barmkin.toml");
        std::fs::write(&file, "version = 1\n[admin]\naddress = \"unix:admin.sock\"\n").unwrap();
        let config = crate::load::File::from(file).config(barmkin_config::Secrets::Read).unwrap();
        config.fixed().drain() + UNDER_WAY + SETTLING
    }

    #[test]
    fn a_gate_stops_before_whoever_waits_loses_patience() {
        let unit = include_str!("../../../packaging/barmkin.service");
        let stop = unit.lines().find_map(|line| line.strip_prefix("TimeoutStopSec=")?.strip_suffix('s')).unwrap();
        assert!(all() + Duration::from_secs(2) < Duration::from_secs(stop.parse().unwrap()), "{:?}", all());
        // Docker, by default.
        assert!(all() < Duration::from_secs(10), "{:?}", all());
    }
}
