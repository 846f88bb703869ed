//! The body that the inner service gets.

use barmkin_host::BodyRoom;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll};

/// A request body behind the gate: as it streams in, or from memory where the
/// gate had to read it.
///
/// A body that was read whole has lost its trailers, which no policy saw.
#[derive(Debug)]
pub struct GuardedBody<B> {
    read: Bytes,
    rest: Option<B>,
    /// What is held keeps its room until it is forwarded.
    _room: Option<BodyRoom>,
}

impl<B> GuardedBody<B> {
    /// Nobody has read of it.
    pub(crate) fn streamed(body: B) -> Self {
        Self { read: Bytes::new(), rest: Some(body), _room: None }
    }

    /// It was read to its end.
    pub(crate) fn whole(bytes: Bytes, room: BodyRoom) -> Self {
        Self { read: bytes, rest: None, _room: Some(room) }
    }

    /// It was read in part.
    pub(crate) fn begun(read: Bytes, rest: B) -> Self {
        Self { read, rest: Some(rest), _room: None }
    }
}

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
        match &mut self.rest {
            Some(rest) => Pin::new(rest).poll_frame(context),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.read.is_empty() && self.rest.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let read = self.read.len() as u64;
        let rest = self.rest.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint);
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
