//! The body of an answer, whose end is the end of its request.

use super::place::{ConnectionSlot, Place};
use super::streams::Stream;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// Bytes of an answer that are given to HTTP/2 at a time: a client that reads fewer in
/// the time for a stall does not read.
const PART_BYTES_MAX: usize = 16 * 1024;

/// The body of an answer. When it is dropped, its connection rests.
pub(super) struct Answered<R: Body> {
    body: R,
    /// The rest of a part that was too large.
    rest: Bytes,
    request: UnderWay,
}

/// A request that is under way.
pub(super) struct UnderWay {
    slot: Arc<ConnectionSlot>,
    was_waiting: bool,
    stream: Option<Arc<Stream>>,
    is_whole: bool,
}

impl UnderWay {
    /// On a connection that has one at a time.
    pub(super) fn begin(slot: Arc<ConnectionSlot>) -> Self {
        let was_waiting = slot.begin_request();
        Self { slot, was_waiting, stream: None, is_whole: false }
    }

    /// One of several on a connection.
    pub(super) fn begin_stream(slot: Arc<ConnectionSlot>) -> Self {
        slot.begin_stream();
        Self { slot, was_waiting: false, stream: Some(Stream::current()), is_whole: false }
    }

    /// Its place among others is `place`.
    pub(super) fn has(&self, place: &Place) {
        if let Some(stream) = &self.stream {
            stream.has(place.slot().clone());
        }
    }

    pub(super) fn answer<R: Body>(mut self, body: R) -> Answered<R> {
        self.is_whole = body.is_end_stream();
        Answered { body, rest: Bytes::new(), request: self }
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
        match &self.stream {
            None => self.slot.end_request(),
            Some(_) => self.slot.end_stream(self.is_whole),
        }
    }
}

impl<R: Body<Data = Bytes> + Unpin> Body for Answered<R> {
    type Data = Bytes;
    type Error = R::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, R::Error>>> {
        let Some(stream) = self.request.stream.clone() else {
            return Pin::new(&mut self.body).poll_frame(context);
        };
        stream.is_asked();
        let frame = if self.rest.is_empty() {
            ready!(Pin::new(&mut self.body).poll_frame(context))
        } else {
            Some(Ok(Frame::data(std::mem::take(&mut self.rest))))
        };
        let frame = match frame.map(|frame| frame.map(Frame::into_data)) {
            Some(Ok(Ok(mut data))) => {
                if data.len() > PART_BYTES_MAX {
                    self.rest = data.split_off(PART_BYTES_MAX);
                }
                stream.has_given(data.len());
                Some(Ok(Frame::data(data)))
            }
            Some(Ok(Err(trailers))) => {
                self.request.is_whole = true;
                return Poll::Ready(Some(Ok(trailers)));
            }
            Some(Err(error)) => return Poll::Ready(Some(Err(error))),
            None => None,
        };
        self.request.is_whole = frame.is_none() || self.is_end_stream();
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (rest, body) = (self.rest.len() as u64, self.body.size_hint());
        let mut hint = SizeHint::new();
        hint.set_lower(body.lower().saturating_add(rest));
        if let Some(upper) = body.upper().and_then(|upper| upper.checked_add(rest)) {
            hint.set_upper(upper);
        }
        hint
    }
}
