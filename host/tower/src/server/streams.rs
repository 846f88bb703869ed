//! Requests of HTTP/2: each a task of its own, which ends when its place is needed
//! or nobody reads its answer.

use super::place::ConnectionSlot;
use hyper::rt::Executor;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Sleep, sleep};

tokio::task_local! {
    /// Set for the task of each stream.
    static CURRENT: Arc<Stream>;
}

/// The state that the task of a stream and its answer share.
#[derive(Debug, Default)]
pub(super) struct Stream {
    slot: OnceLock<Arc<ConnectionSlot>>,
    /// A part of the answer was given, and no further one is asked for: the client
    /// has no room for it.
    is_full: AtomicBool,
}

impl Stream {
    /// That of the task that runs.
    pub(super) fn current() -> Arc<Self> {
        CURRENT.try_with(Arc::clone).unwrap_or_default()
    }

    /// Its place is `slot`.
    pub(super) fn has(&self, slot: Arc<ConnectionSlot>) {
        // It gets one only.
        let _ = self.slot.set(slot);
    }

    /// The next part of its answer is asked for.
    pub(super) fn is_asked(&self) {
        self.is_full.store(false, Ordering::Relaxed);
    }

    /// It was given `bytes` of its answer.
    pub(super) fn has_given(&self, bytes: usize) {
        self.is_full.store(true, Ordering::Relaxed);
        if let Some(slot) = self.slot.get() {
            slot.moved(bytes);
        }
    }

    fn poll_evicted(&self, context: &mut Context<'_>) -> Poll<()> {
        self.slot.get().map_or(Poll::Pending, |slot| slot.poll_evicted(context))
    }
}

/// Runs the streams of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct StreamExecutor {
    /// For an answer that nobody reads.
    pub(super) stall: Duration,
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for StreamExecutor {
    fn execute(&self, future: F) {
        let (stream, stall) = (Arc::<Stream>::default(), self.stall);
        tokio::spawn(CURRENT.scope(stream.clone(), async move {
            let mut future = pin!(future);
            let mut full: Option<Pin<Box<Sleep>>> = None;
            poll_fn(|context| {
                if future.as_mut().poll(context).is_ready() {
                    return Poll::Ready(());
                }
                if stream.poll_evicted(context).is_ready() {
                    tracing::debug!("a request of HTTP/2 had to give way");
                    return Poll::Ready(());
                }
                if !stream.is_full.load(Ordering::Relaxed) {
                    full = None;
                    return Poll::Pending;
                }
                full.get_or_insert_with(|| Box::pin(sleep(stall))).as_mut().poll(context)
            })
            .await;
        }));
    }
}
