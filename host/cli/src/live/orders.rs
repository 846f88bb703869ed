//! The operators' commands, and the thread that carries out those that must not
//! wait for a load.

use super::loader::Loader;
use super::{Live, Turn};
use barmkin_admin::{Answered, By, Command, Outcome};
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use tokio::sync::oneshot;

/// Rollbacks that wait for one another.
const WAITING_MAX: usize = 16;

/// How what serves is told to change.
#[derive(Clone)]
pub(crate) struct Orders {
    live: Arc<Live>,
    loader: Loader,
    rollbacks: SyncSender<Rollback>,
}

struct Rollback {
    to: Option<u64>,
    by: By,
    turn: Turn,
    reply: oneshot::Sender<Answered>,
}

impl Orders {
    /// Starts the threads that change what serves.
    pub(crate) fn start(live: Live) -> io::Result<Self> {
        let live = Arc::new(live);
        let loader = Loader::start(&live)?;
        let (rollbacks, waiting) = sync_channel::<Rollback>(WAITING_MAX);
        let carries_out = live.clone();
        let run = move || {
            for Rollback { to, by, turn, reply } in waiting {
                // The client may be gone; the outcome is in the log.
                let _ = reply.send(carries_out.roll_back(to, &by, turn));
            }
        };
        std::thread::Builder::new().name("barmkin-orders".to_owned()).spawn(run)?;
        Ok(Self { live, loader, rollbacks })
    }

    /// Does what an operator asks.
    pub(crate) async fn give(&self, command: Command, by: By) -> Answered {
        let (reply, answer) = oneshot::channel();
        let turn = self.live.turn();
        let is_taken = match command {
            Command::Reload => self.loader.give(by, turn, reply),
            Command::Rollback { to } => self.rollbacks.try_send(Rollback { to, by, turn, reply }).is_ok(),
        };
        if !is_taken {
            return failed("too many orders wait already: try again later");
        }
        answer.await.unwrap_or_else(|_| failed("the order was not carried out"))
    }
}

fn failed(problem: &str) -> Answered {
    Answered { outcome: Outcome::Failed, body: serde_json::json!({ "outcome": "not-done", "problem": problem }) }
}
