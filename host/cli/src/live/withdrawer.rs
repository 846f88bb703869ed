//! The thread that withdraws secrets. It reads and grants, and compiles
//! nothing, so that a secret that leaked is gone within a second whatever else
//! is being loaded.

use super::Live;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

/// How long a change has to be taken as a whole before it is looked through
/// for secrets that are gone: most are rotations, which take a moment, and
/// where the old secret goes as the new one comes.
const GRACE: Duration = Duration::from_millis(300);

/// How often the files are looked at although the file system told of nothing:
/// networks and some mounts do not.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How the thread is told to look. It ends with the process.
#[derive(Clone)]
pub(super) struct Withdrawer(SyncSender<()>);

impl Withdrawer {
    /// Starts the thread. It calls `notice` when a file changed and nothing
    /// told of it.
    pub(super) fn start(live: Arc<Live>, notice: impl Fn() + Send + 'static) -> io::Result<Self> {
        let (tell, told) = sync_channel(1);
        let run = move || Thread { live, notice, told }.run();
        std::thread::Builder::new().name("barmkin-withdraw".to_owned()).spawn(run)?;
        Ok(Self(tell))
    }

    /// Says that something may have changed.
    pub(super) fn look(&self) {
        // If it is full, it is told already.
        let _ = self.0.try_send(());
    }
}

struct Thread<N> {
    live: Arc<Live>,
    notice: N,
    told: Receiver<()>,
}

impl<N: Fn()> Thread<N> {
    fn run(self) {
        let mut stamp = self.stamp();
        loop {
            let is_told = match self.told.recv_timeout(LOOK_EVERY) {
                Ok(()) => true,
                Err(RecvTimeoutError::Timeout) => false,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            // Before it looks: what changes while it does is seen next time.
            let now = self.stamp();
            if now != stamp && !is_told {
                (self.notice)();
            }
            if now != stamp || is_told {
                std::thread::sleep(GRACE);
                self.live.withdraw();
            }
            stamp = now;
        }
    }

    fn stamp(&self) -> u64 {
        let files = self.live.state().files.clone();
        files.stamp()
    }
}
