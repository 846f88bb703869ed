//! The body that the inner service gets.

use barmkin_host::BodyRoom;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

/// A request body behind the gate: as it streams in, or from memory where the
/// gate had to read it.
///
/// A body that was read whole has lost its trailers, which no policy saw.
pub struct GuardedBody<B: Body> {
    read: Bytes,
    rest: Rest<B>,
    /// What is held keeps its room until it is forwarded.
    _room: Option<BodyRoom>,
}

/// What follows the part of a body that was read.
enum Rest<B: Body> {
    /// Nothing: that was the whole.
    Nothing,
    /// As it streams in.
    Streamed(B),
    /// It broke off.
    Broken(B::Error),
}

impl<B: Body> fmt::Debug for GuardedBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardedBody").field("read", &self.read.len()).finish_non_exhaustive()
    }
}

impl<B: Body> GuardedBody<B> {
    /// Nobody has read of it.
    pub(crate) fn streamed(body: B) -> Self {
        Self { read: Bytes::new(), rest: Rest::Streamed(body), _room: None }
    }

    /// It was read to its end.
    pub(crate) fn whole(bytes: Bytes, room: BodyRoom) -> Self {
        Self { read: bytes, rest: Rest::Nothing, _room: Some(room) }
    }

    /// It was read in part.
    pub(crate) fn begun(read: Bytes, rest: B) -> Self {
        Self { read, rest: Rest::Streamed(rest), _room: None }
    }

    /// It broke off when this much of it was read: whoever reads on learns that.
    pub(crate) fn broken(read: Bytes, error: B::Error, room: BodyRoom) -> Self {
        Self { read, rest: Rest::Broken(error), _room: Some(room) }
    }
}

/// No part of it is pinned in place.
impl<B: Body + Unpin> Unpin for GuardedBody<B> {}

impl<B: Body<Data = Bytes> + Unpin> Body for GuardedBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let read = std::mem::take(&mut self.read);
        if !read.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(read))));
        }
        match std::mem::replace(&mut self.rest, Rest::Nothing) {
            Rest::Nothing => Poll::Ready(None),
            Rest::Broken(error) => Poll::Ready(Some(Err(error))),
            Rest::Streamed(mut rest) => {
                let polled = Pin::new(&mut rest).poll_frame(context);
                self.rest = Rest::Streamed(rest);
                polled
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.read.is_empty()
            && match &self.rest {
                Rest::Nothing => true,
                Rest::Streamed(rest) => rest.is_end_stream(),
                Rest::Broken(_) => false,
            }
    }

    fn size_hint(&self) -> SizeHint {
        let read = self.read.len() as u64;
        let rest = match &self.rest {
            Rest::Nothing => SizeHint::with_exact(0),
            Rest::Streamed(rest) => rest.size_hint(),
            Rest::Broken(_) => SizeHint::default(),
        };
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower().saturating_add(read));
        if let Some(upper) = rest.upper().and_then(|upper| upper.checked_add(read)) {
            hint.set_upper(upper);
        }
        hint
    }
}

#[cfg(test)]
mod tests {
    use super::GuardedBody;
    use barmkin_host::BodyRoom;
    use bytes::Bytes;
    use http_body::Body;
    use http_body_util::{BodyExt, Full};

    #[tokio::test]
    async fn what_was_read_comes_first_and_counts() {
        let body = GuardedBody::begun(Bytes::from_static(b"read "), Full::new(Bytes::from_static(b"rest")));
        assert_eq!(body.size_hint().exact(), Some(9));
        assert!(!body.is_end_stream());
        assert_eq!(body.collect().await.unwrap().to_bytes(), "read rest");
    }

    #[test]
    fn an_empty_whole_body_has_ended() {
        let body = GuardedBody::<Full<Bytes>>::whole(Bytes::new(), BodyRoom::default());
        assert!(body.is_end_stream());
        assert_eq!(body.size_hint().exact(), Some(0));
    }
}
