//! Reads a body that the chain needs, as far as it may.

use crate::body::GuardedBody;
use barmkin_host::{Body as Seen, BodyNeed, BodyRoom};
use bytes::Bytes;
use http_body::{Body, Frame};
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

/// A body as the gate sees it, and as it can be forwarded.
pub(crate) struct Collected<B: Body> {
    pub(crate) seen: Seen,
    pub(crate) forward: GuardedBody<B>,
}

impl<B: Body> Collected<B> {
    fn new(seen: Seen, forward: GuardedBody<B>) -> Self {
        Self { seen, forward }
    }
}

/// Reads `body` if it is needed, and no further than it takes to see that it
/// is too large, or that there is no room for it.
pub(crate) async fn collect<B>(mut body: B, need: BodyNeed, mut room: BodyRoom) -> Collected<B>
where
    B: Body<Data = Bytes> + Unpin,
{
    let BodyNeed::Whole { max_bytes } = need else {
        return Collected::new(Seen::NotCarried, GuardedBody::streamed(body));
    };
    if body.size_hint().lower() > max_bytes as u64 {
        return Collected::new(Seen::TooLarge, GuardedBody::streamed(body));
    }
    let expected = body.size_hint().exact().and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(max_bytes);
    loop {
        let data = match next(&mut body, &room).await {
            Next::Data(data) => data,
            Next::BrokenOff(error) => {
                return Collected::new(Seen::Truncated, GuardedBody::broken(room.into_bytes(), error));
            }
            Next::Evicted => return Collected::new(Seen::NoRoom, GuardedBody::begun(room.into_bytes(), None, body)),
            Next::End => {
                let whole = room.into_bytes();
                return Collected::new(Seen::Whole(whole.clone()), GuardedBody::whole(whole));
            }
        };
        let seen = match room.len() + data.len() {
            length if length > max_bytes => Seen::TooLarge,
            _ if room.append_in_turn(&data, expected).await.is_err() => Seen::NoRoom,
            _ => continue,
        };
        return Collected::new(seen, GuardedBody::begun(room.into_bytes(), Some(data), body));
    }
}

enum Next<E> {
    Data(Bytes),
    BrokenOff(E),
    End,
    /// Others need the room.
    Evicted,
}

async fn next<B: Body<Data = Bytes> + Unpin>(body: &mut B, room: &BodyRoom) -> Next<B::Error> {
    poll_fn(|context| {
        loop {
            match Pin::new(&mut *body).poll_frame(context).map(|frame| frame.map(|frame| frame.map(Frame::into_data))) {
                Poll::Ready(Some(Ok(Ok(data)))) => return Poll::Ready(Next::Data(data)),
                // Trailers are never inputs.
                Poll::Ready(Some(Ok(Err(_)))) => {}
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Next::BrokenOff(error)),
                Poll::Ready(None) => return Poll::Ready(Next::End),
                Poll::Pending => return room.poll_evicted(context).map(|()| Next::Evicted),
            }
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::collect;
    use barmkin_host::limits::BODIES_BYTES_MAX;
    use barmkin_host::{Body as Seen, BodyNeed, BodyRoom};
    use bytes::Bytes;
    use http_body::{Body, Frame, SizeHint};
    use http_body_util::BodyExt;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    /// Gives its chunks, the first one last; `None` is where it breaks off.
    struct Chunks(Vec<Option<&'static str>>);

    impl Body for Chunks {
        type Data = Bytes;
        type Error = &'static str;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
            let next = self.0.pop();
            Poll::Ready(next.map(|chunk| chunk.map(|chunk| Frame::data(chunk.into())).ok_or("broken off")))
        }

        fn size_hint(&self) -> SizeHint {
            SizeHint::default()
        }
    }

    const NEED: BodyNeed = BodyNeed::Whole { max_bytes: 4 };

    #[tokio::test]
    async fn the_limit_is_the_last_that_passes() {
        let at = collect(Chunks(vec![Some("cd"), Some("ab")]), NEED, BodyRoom::default()).await;
        assert!(matches!(at.seen, Seen::Whole(bytes) if bytes == "abcd"));
        let past = collect(Chunks(vec![Some("f"), Some("e"), Some("cd"), Some("ab")]), NEED, BodyRoom::default()).await;
        assert!(matches!(past.seen, Seen::TooLarge));
        let forward = past.forward.collect().await.unwrap().to_bytes();
        assert_eq!(forward, "abcdef", "an observing route forwards all of it");
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_never_passes_for_a_whole() {
        let mut broken = collect(Chunks(vec![None, Some("ab")]), NEED, BodyRoom::default()).await;
        assert!(matches!(broken.seen, Seen::Truncated));
        assert!(!broken.forward.is_end_stream() && broken.forward.size_hint().exact().is_none());
        assert_eq!(broken.forward.frame().await.unwrap().unwrap().into_data().unwrap(), "ab");
        assert_eq!(broken.forward.frame().await.unwrap().unwrap_err(), "broken off");
        assert!(broken.forward.frame().await.is_none());
    }

    #[tokio::test]
    async fn a_body_without_room_is_not_held() {
        let mut room = BodyRoom::default();
        room.append(&vec![0; BODIES_BYTES_MAX], BODIES_BYTES_MAX).unwrap();
        let need = BodyNeed::Whole { max_bytes: BODIES_BYTES_MAX + 4 };
        let seen = collect(Chunks(vec![Some("cd"), Some("ab")]), need, room).await.seen;
        assert!(matches!(seen, Seen::NoRoom));
    }

    #[tokio::test]
    async fn a_body_that_nobody_needs_is_not_read() {
        let streamed = collect(Chunks(vec![Some("ab")]), BodyNeed::None, BodyRoom::default()).await;
        assert!(matches!(streamed.seen, Seen::NotCarried));
        assert_eq!(streamed.forward.collect().await.unwrap().to_bytes(), "ab");
    }
}
