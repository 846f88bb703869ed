//! The thread that loads what is on disk, and how it is told to.

use super::watch::Watch;
use super::withdrawer::Withdrawer;
use super::{Live, Turn};
use barmkin_admin::{Answered, By};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// Reloads that wait. One takes seconds at worst; further ones are refused until
/// then.
const WAITING_MAX: usize = 16;

/// After a change: files that belong together come one after the other.
const QUIET: Duration = Duration::from_millis(100);

/// The longest wait for quiet: somebody may never stop writing.
const QUIET_WITHIN: Duration = Duration::from_secs(2);

/// How often everything is looked at although nothing is known to have
/// changed: not every file system tells of files that are new.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// Below everything else on the machine, but not starved by it.
const NICENESS: i32 = 10;

/// How the thread is told to load. It ends with the process.
#[derive(Clone)]
pub(super) struct Loader(SyncSender<Order>);

pub(super) enum Order {
    Look,
    Load { by: By, turn: Turn, reply: oneshot::Sender<Answered> },
}

impl Loader {
    /// Starts the thread, and the one that withdraws secrets, since both are
    /// told of the same changes.
    pub(super) fn start(live: &Arc<Live>) -> io::Result<Self> {
        let (orders, receiver) = sync_channel(WAITING_MAX);
        let (ready, is_ready) = sync_channel(1);
        let changed = Arc::new(AtomicBool::new(false));
        let notice = {
            let (orders, changed) = (orders.clone(), changed.clone());
            move || {
                // Events come by the hundred: one order to look is enough, and
                // a thread whose queue is full looks at the flag soon.
                if !changed.swap(true, Ordering::AcqRel) {
                    let _ = orders.try_send(Order::Look);
                }
            }
        };
        let withdrawer = Withdrawer::start(live.clone(), notice.clone())?;
        let live = live.clone();
        let run = move || {
            let tell = withdrawer.clone();
            // Its own thread, which withdrawing waits for, keeps its priority.
            let mut watch = Watch::start(move || {
                tell.look();
                notice();
            });
            lower_priority();
            watch.follow(live.state().files.watched());
            let _ = ready.send(());
            Thread { live, watch, withdrawer, changed, receiver }.run();
        };
        std::thread::Builder::new().name("barmkin-load".to_owned()).spawn(run)?;
        // From here on no change is missed.
        is_ready.recv().map_err(io::Error::other)?;
        Ok(Self(orders))
    }

    /// Loads what is on disk, unless too many wait for that already.
    pub(super) fn give(&self, by: By, turn: Turn, reply: oneshot::Sender<Answered>) -> bool {
        self.0.try_send(Order::Load { by, turn, reply }).is_ok()
    }
}

struct Thread {
    live: Arc<Live>,
    watch: Watch,
    withdrawer: Withdrawer,
    changed: Arc<AtomicBool>,
    receiver: Receiver<Order>,
}

impl Thread {
    fn run(mut self) {
        loop {
            match self.receiver.recv_timeout(LOOK_EVERY) {
                Ok(Order::Load { by, turn, reply }) => self.load(&by, turn, reply),
                Ok(Order::Look) => {}
                Err(RecvTimeoutError::Timeout) => self.changed.store(true, Ordering::Release),
                Err(RecvTimeoutError::Disconnected) => return,
            }
            if self.changed.load(Ordering::Acquire) {
                let turn = self.live.turn();
                self.wait_for_quiet();
                self.live.reload(&By::FileChange, turn, &mut self.watch);
                self.withdrawer.look();
            }
        }
    }

    /// Waits until nothing has happened for a while.
    fn wait_for_quiet(&mut self) {
        #[expect(clippy::disallowed_methods, reason = "for how long to wait; no decision depends on it")]
        let began = Instant::now();
        // What happens after this and before the files are read is looked at
        // once more.
        while self.changed.swap(false, Ordering::AcqRel) && began.elapsed() < QUIET_WITHIN {
            if let Ok(Order::Load { by, turn, reply }) = self.receiver.recv_timeout(QUIET) {
                self.load(&by, turn, reply);
            }
        }
    }

    fn load(&mut self, by: &By, turn: Turn, reply: oneshot::Sender<Answered>) {
        let answered = self.live.reload(by, turn, &mut self.watch);
        self.withdrawer.look();
        // The client may be gone; the outcome is in the log.
        let _ = reply.send(answered);
    }
}

/// From now on, makes what compiles yield to requests: the threads that share
/// the work of the one above. Before there are requests it need not.
pub(crate) fn compile_in_the_background() {
    rayon::broadcast(|_| lower_priority());
}

/// Of this thread, where priorities are of threads.
fn lower_priority() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        tracing::debug!(%error, "the priority could not be lowered");
    }
}
