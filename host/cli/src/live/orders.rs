//! The thread that changes what serves, and how it is told to.

use super::Live;
use super::watch::Watch;
use barmkin_admin::{Answered, By, Command, Outcome};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// Orders that wait. A reload takes a second at worst; who asks more often is
/// told to wait.
const WAITING_MAX: usize = 16;

/// After a change: files that belong together come one after the other.
const QUIET: Duration = Duration::from_millis(100);

/// The longest that one waits for quiet: somebody may never stop to write.
const QUIET_WITHIN: Duration = Duration::from_secs(2);

/// How often everything is looked at although nothing is known to have
/// changed: not every file system tells.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// Below everything else on the machine, but not starved by it.
const NICENESS: i32 = 10;

/// How the thread is told what to do. It ends with the process.
#[derive(Clone)]
pub(crate) struct Orders(SyncSender<Order>);

enum Order {
    Look,
    Do { command: Command, by: By, reply: oneshot::Sender<Answered> },
}

impl Orders {
    /// Starts the thread for `live`.
    pub(crate) fn start(live: Live) -> io::Result<Self> {
        let (orders, receiver) = sync_channel(WAITING_MAX);
        let (ready, is_ready) = sync_channel(1);
        let changed = Arc::new(AtomicBool::new(false));
        let wake = {
            let (orders, changed) = (orders.clone(), changed.clone());
            move || {
                // Events come by the hundred: one order to look is enough, and
                // a thread whose queue is full looks at the flag soon.
                if !changed.swap(true, Ordering::AcqRel) {
                    let _ = orders.try_send(Order::Look);
                }
            }
        };
        let run = move || {
            lower_priority();
            let mut watch = Watch::start(wake);
            watch.follow(live.watched.clone());
            let _ = ready.send(());
            Thread { live, watch, changed, receiver }.run();
        };
        std::thread::Builder::new().name("barmkin-reload".to_owned()).spawn(run)?;
        // From here on no change is missed.
        is_ready.recv().map_err(io::Error::other)?;
        Ok(Self(orders))
    }

    /// Does what an operator asks.
    pub(crate) async fn give(&self, command: Command, by: By) -> Answered {
        let (reply, answer) = oneshot::channel();
        let failed = |problem: &str| Answered {
            outcome: Outcome::Failed,
            body: serde_json::json!({ "outcome": "not-done", "problem": problem }),
        };
        if self.0.try_send(Order::Do { command, by, reply }).is_err() {
            return failed("too many orders wait already: try again later");
        }
        answer.await.unwrap_or_else(|_| failed("the order was not carried out"))
    }
}

struct Thread {
    live: Live,
    watch: Watch,
    changed: Arc<AtomicBool>,
    receiver: Receiver<Order>,
}

impl Thread {
    fn run(mut self) {
        loop {
            match self.receiver.recv_timeout(LOOK_EVERY) {
                Ok(Order::Do { command, by, reply }) => self.carry_out(command, &by, reply),
                Ok(Order::Look) => {}
                Err(RecvTimeoutError::Timeout) => self.changed.store(true, Ordering::Release),
                Err(RecvTimeoutError::Disconnected) => return,
            }
            if self.changed.load(Ordering::Acquire) {
                self.wait_for_quiet();
                self.live.reload(&By::FileChange, &mut self.watch);
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
            if let Ok(Order::Do { command, by, reply }) = self.receiver.recv_timeout(QUIET) {
                self.carry_out(command, &by, reply);
            }
        }
    }

    fn carry_out(&mut self, command: Command, by: &By, reply: oneshot::Sender<Answered>) {
        let answered = match command {
            Command::Reload => self.live.reload(by, &mut self.watch),
            Command::Rollback { to } => self.live.roll_back(to, by),
        };
        // Who asked may be gone; what came of it is in the log.
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
