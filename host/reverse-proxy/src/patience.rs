//! Bodies that must move: a client's on its way in, an upstream's on its way
//! back.

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep, sleep_until};

/// A client's body: it fails when its next part does not come in time, or,
/// while it is read before the verdict, when all of it does not. It tells that
/// it moves.
pub(crate) struct StallTimeout<B> {
    body: B,
    stall: Duration,
    waiting: Option<Pin<Box<Sleep>>>,
    whole_by: Option<Pin<Box<Sleep>>>,
    progress: Progress,
}

/// How far a client's body is.
#[derive(Clone, Debug)]
pub(crate) struct Progress(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    moved: Instant,
    /// The next part was asked for, and has not come.
    is_awaited: bool,
    /// From here on it goes to the upstream as it comes.
    streams: bool,
}

impl Default for Progress {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(State { moved: Instant::now(), is_awaited: false, streams: false })))
    }
}

impl Progress {
    /// When it moved last.
    pub(crate) fn moved(&self) -> Instant {
        self.with(|state| state.moved)
    }

    /// Whether its next part was asked for and has not come.
    pub(crate) fn is_awaited(&self) -> bool {
        self.with(|state| state.is_awaited)
    }

    /// Counts as if it had moved.
    pub(crate) fn touch(&self) {
        self.with(|state| state.moved = Instant::now());
    }

    /// The verdict is there: what is left of the body is bounded by no time as a
    /// whole, and the upstream's time begins.
    pub(crate) fn stream(&self) {
        self.with(|state| *state = State { moved: Instant::now(), is_awaited: false, streams: true });
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Why a body ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    #[error("the client did not send the next part of its body in time")]
    Stalled,
    #[error("the client did not send all of its body in time")]
    TooSlow,
    #[error("the client's body broke off")]
    BrokenOff(#[source] hyper::Error),
}

impl<B> StallTimeout<B> {
    pub(crate) fn new(body: B, stall: Duration, whole: Duration, progress: Progress) -> Self {
        Self { body, stall, waiting: None, whole_by: Some(Box::pin(sleep(whole))), progress }
    }
}

impl<B: Body<Data = Bytes, Error = hyper::Error> + Unpin> Body for StallTimeout<B> {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.progress.with(|state| state.streams) {
            self.whole_by = None;
        }
        if self.whole_by.as_mut().is_some_and(|whole_by| whole_by.as_mut().poll(context).is_ready()) {
            return Poll::Ready(Some(Err(BodyError::TooSlow)));
        }
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            self.waiting = None;
            self.progress.with(|state| (state.moved, state.is_awaited) = (Instant::now(), false));
            return Poll::Ready(frame.map(|frame| frame.map_err(BodyError::BrokenOff)));
        }
        self.progress.with(|state| state.is_awaited = true);
        let stall = self.stall;
        ready!(self.waiting.get_or_insert_with(|| Box::pin(sleep(stall))).as_mut().poll(context));
        Poll::Ready(Some(Err(BodyError::Stalled)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// An upstream's body: it fails when nothing comes of it for a time, which is
/// long, since nothing waits to be sent.
pub(crate) struct IdleTimeout<B> {
    body: B,
    idle: Duration,
    waiting: Option<Pin<Box<Sleep>>>,
}

/// Why an answer ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AnswerError<E> {
    #[error("the upstream sent nothing for too long")]
    Idle,
    #[error(transparent)]
    Failed(E),
}

impl<B> IdleTimeout<B> {
    pub(crate) fn new(body: B, idle: Duration) -> Self {
        Self { body, idle, waiting: None }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for IdleTimeout<B> {
    type Data = Bytes;
    type Error = AnswerError<B::Error>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            // Set again when it next waits: a timer is not moved for each part.
            self.waiting = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(AnswerError::Failed)));
        }
        let idle = self.idle;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + idle)));
        waiting.as_mut().poll(context).map(|()| Some(Err(AnswerError::Idle)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::{AnswerError, BodyError, IdleTimeout, Progress, StallTimeout};
    use bytes::Bytes;
    use http_body::{Body, Frame};
    use http_body_util::BodyExt;
    use std::pin::Pin;
    use std::task::{Context, Poll, ready};
    use std::time::Duration;
    use tokio::time::{Instant, Interval, interval};

    /// One byte each time, for ever.
    struct Drips(Interval);

    impl Body for Drips {
        type Data = Bytes;
        type Error = hyper::Error;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
            ready!(self.0.poll_tick(context));
            Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"a")))))
        }
    }

    const STALL: Duration = Duration::from_secs(15);
    const WHOLE: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn a_body_that_drips_is_cut_off_before_the_verdict_and_not_after() {
        let began = Instant::now();
        let drips = || Drips(interval(Duration::from_secs(2)));
        let body = StallTimeout::new(drips(), STALL, WHOLE, Progress::default());
        assert!(matches!(body.collect().await, Err(BodyError::TooSlow)));
        assert_eq!(began.elapsed(), WHOLE);
        let progress = Progress::default();
        let mut body = StallTimeout::new(drips(), STALL, WHOLE, progress.clone());
        progress.stream();
        while began.elapsed() < 10 * WHOLE {
            body.frame().await.unwrap().unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_stalls_is_cut_off() {
        let mut body = StallTimeout::new(Drips(interval(2 * STALL)), STALL, 10 * WHOLE, Progress::default());
        body.frame().await.unwrap().unwrap();
        let began = Instant::now();
        assert!(matches!(body.frame().await, Some(Err(BodyError::Stalled))));
        assert_eq!(began.elapsed(), STALL);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_may_be_silent_but_not_for_ever() {
        let mut body = IdleTimeout::new(Drips(interval(2 * WHOLE)), WHOLE);
        body.frame().await.unwrap().unwrap();
        assert!(matches!(body.frame().await, Some(Err(AnswerError::Idle))));
        let mut body = IdleTimeout::new(Drips(interval(WHOLE / 2)), WHOLE);
        for _ in 0..10 {
            body.frame().await.unwrap().unwrap();
        }
    }
}
