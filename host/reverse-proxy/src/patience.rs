//! A client's body that must not stall.

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Sleep, sleep};

/// A body that fails when its next part does not come in time, and tells that
/// it moves.
pub(crate) struct Patient<B> {
    body: B,
    limit: Duration,
    waiting: Option<Pin<Box<Sleep>>>,
    progress: Progress,
}

/// Whether a body moved.
#[derive(Clone, Debug, Default)]
pub(crate) struct Progress(Arc<AtomicBool>);

impl Progress {
    /// Whether it moved since the last time this was asked.
    pub(crate) fn take(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }
}

/// Why a client's body ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    #[error("the client did not send the rest of its body in time")]
    Stalled,
    #[error("the client's body broke off")]
    BrokenOff(#[source] hyper::Error),
}

impl<B> Patient<B> {
    pub(crate) fn new(body: B, limit: Duration, progress: Progress) -> Self {
        Self { body, limit, waiting: None, progress }
    }
}

impl<B: Body<Data = Bytes, Error = hyper::Error> + Unpin> Body for Patient<B> {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            self.waiting = None;
            self.progress.0.store(true, Ordering::Relaxed);
            return Poll::Ready(frame.map(|frame| frame.map_err(BodyError::BrokenOff)));
        }
        let limit = self.limit;
        ready!(self.waiting.get_or_insert_with(|| Box::pin(sleep(limit))).as_mut().poll(context));
        Poll::Ready(Some(Err(BodyError::Stalled)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
