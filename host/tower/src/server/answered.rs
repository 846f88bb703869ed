//! The body of an answer, whose end is the end of its request.

use super::place::ConnectionSlot;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// The body of an answer. When it is dropped, its connection rests.
pub(super) struct Answered<R> {
    body: R,
    _request: UnderWay,
}

/// A request that is under way.
pub(super) struct UnderWay {
    slot: Arc<ConnectionSlot>,
    was_waiting: bool,
}

impl UnderWay {
    pub(super) fn begin(slot: Arc<ConnectionSlot>) -> Self {
        let was_waiting = slot.begin_request();
        Self { slot, was_waiting }
    }

    pub(super) fn answer<R>(self, body: R) -> Answered<R> {
        Answered { body, _request: self }
    }

    /// Lets others have their turn, if it came with the one before it: hundreds in
    /// one packet must not keep them waiting for more than one answer.
    pub(super) async fn turn(&self) {
        if self.was_waiting {
            tokio::task::yield_now().await;
        }
    }

    pub(super) fn outlives(&self) -> bool {
        self.slot.outlives()
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.slot.end_request();
    }
}

impl<R: Body<Data = Bytes> + Unpin> Body for Answered<R> {
    type Data = Bytes;
    type Error = R::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, R::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
