//! The body that the inner service gets.

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

/// A request body behind the gate: as it streams in, or from memory where the
/// gate had to read it.
///
/// It has no trailers: they come after the verdict, no policy saw them, and an upstream
/// could take a field in them for one of the gate's (RFC 9110, section 6.5.1).
pub struct GuardedBody<B: Body> {
    /// The part that is held, which keeps its room until it is forwarded.
    read: Bytes,
    /// A part that there was no room for.
    next: Bytes,
    rest: Rest<B>,
}

/// The rest of a body, after the part that was read.
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
    /// No body.
    pub fn empty() -> Self {
        Self::whole(Bytes::new())
    }

    /// Nobody has read of it.
    pub(crate) fn streamed(body: B) -> Self {
        Self { read: Bytes::new(), next: Bytes::new(), rest: Rest::Streamed(body) }
    }

    /// It was read to its end.
    pub(crate) fn whole(bytes: Bytes) -> Self {
        Self { read: bytes, next: Bytes::new(), rest: Rest::Nothing }
    }

    /// It was read in part.
    pub(crate) fn begun(read: Bytes, next: Option<Bytes>, rest: B) -> Self {
        Self { read, next: next.unwrap_or_default(), rest: Rest::Streamed(rest) }
    }

    /// It broke off when this much of it was read: reading on gives the error.
    pub(crate) fn broken(read: Bytes, error: B::Error) -> Self {
        Self { read, next: Bytes::new(), rest: Rest::Broken(error) }
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
        let next = std::mem::take(&mut self.next);
        let read = std::mem::replace(&mut self.read, next);
        if !read.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(read))));
        }
        let next = std::mem::take(&mut self.read);
        if !next.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(next))));
        }
        match std::mem::replace(&mut self.rest, Rest::Nothing) {
            Rest::Nothing => Poll::Ready(None),
            Rest::Broken(error) => Poll::Ready(Some(Err(error))),
            Rest::Streamed(mut rest) => {
                let polled = Pin::new(&mut rest).poll_frame(context);
                if matches!(&polled, Poll::Ready(Some(Ok(frame))) if frame.is_trailers()) {
                    return Poll::Ready(None);
                }
                self.rest = Rest::Streamed(rest);
                polled
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.read.is_empty()
            && self.next.is_empty()
            && match &self.rest {
                Rest::Nothing => true,
                Rest::Streamed(rest) => rest.is_end_stream(),
                Rest::Broken(_) => false,
            }
    }

    fn size_hint(&self) -> SizeHint {
        let read = self.read.len() as u64 + self.next.len() as u64;
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
    use bytes::Bytes;
    use http_body::Body;
    use http_body_util::{BodyExt, Full};

    #[tokio::test]
    async fn what_was_read_comes_first_and_counts() {
        let body = GuardedBody::begun("read ".into(), Some("further ".into()), Full::new(Bytes::from_static(b"rest")));
        assert_eq!(body.size_hint().exact(), Some(17));
        assert!(!body.is_end_stream());
        assert_eq!(body.collect().await.unwrap().to_bytes(), "read further rest");
    }

    #[tokio::test]
    async fn nothing_comes_after_the_verdict_but_the_body() {
        let trailers = async { Some(Ok(http::HeaderMap::from_iter([(http::header::COOKIE, "a=b".parse().unwrap())]))) };
        let body = GuardedBody::streamed(Box::pin(Full::new(Bytes::from_static(b"all")).with_trailers(trailers)));
        let collected = body.collect().await.unwrap();
        assert!(collected.trailers().is_none());
        assert_eq!(collected.to_bytes(), "all");
    }

    #[test]
    fn an_empty_whole_body_has_ended() {
        let body = GuardedBody::<Full<Bytes>>::whole(Bytes::new());
        assert!(body.is_end_stream());
        assert_eq!(body.size_hint().exact(), Some(0));
    }
}
