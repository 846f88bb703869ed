//! How a gate stops: within the ten seconds that Docker gives, and as Kubernetes
//! expects of what it sends requests to.

use std::io::{self, IsTerminal};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
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

/// The Unix sockets of a gate, which go with it.
#[derive(Default)]
pub(crate) struct Sockets(Vec<(PathBuf, (u64, u64))>);

impl Sockets {
    /// Has the socket at `path` removed in the end, if it is still this one: another
    /// gate may listen there by then.
    pub(crate) fn add(&mut self, path: &Path) {
        self.0.extend(identity(path).map(|identity| (path.to_owned(), identity)));
    }
}

impl Drop for Sockets {
    fn drop(&mut self) {
        for (path, own) in &self.0 {
            if identity(path) == Some(*own) {
                // It may be gone already.
                let _ = std::fs::remove_file(path);
            }
        }
    }
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    let metadata = std::fs::symlink_metadata(path).ok().filter(|found| found.file_type().is_socket())?;
    Some((metadata.dev(), metadata.ino()))
}
