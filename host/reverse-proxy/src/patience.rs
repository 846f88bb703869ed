//! Bodies that must move: a client's on its way in, an upstream's on its way
//! back.

use crate::connection::StreamPlace;
use barmkin_tower::server::WeakPlace;
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
    stall: Stall,
    waiting: Option<Waiting>,
    whole_by: Option<Pin<Box<Sleep>>>,
    progress: Progress,
    /// Told what moves.
    place: Option<WeakPlace>,
}

/// How long a client may be silent.
#[derive(Clone, Copy)]
pub(crate) struct Stall {
    pub(crate) before_the_answer: Duration,
    pub(crate) after_it_began: Duration,
}

/// A part that was asked for.
struct Waiting {
    since: Instant,
    timer: Pin<Box<Sleep>>,
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
    /// The answer has begun.
    is_answered: bool,
    /// It did not come in time, or broke off.
    has_failed: bool,
}

impl State {
    fn begin(streams: bool) -> Self {
        Self { moved: Instant::now(), is_awaited: false, streams, is_answered: false, has_failed: false }
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(State::begin(false))))
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
        self.with(|state| *state = State::begin(true));
    }

    /// The answer has begun.
    pub(crate) fn answer(&self) {
        self.with(|state| state.is_answered = true);
    }

    /// Whether it did not come in time, or broke off.
    pub(crate) fn has_failed(&self) -> bool {
        self.with(|state| state.has_failed)
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
    pub(crate) fn new(body: B, stall: Stall, whole: Duration, progress: Progress, place: Option<WeakPlace>) -> Self {
        Self { body, stall, waiting: None, whole_by: Some(Box::pin(sleep(whole))), progress, place }
    }

    fn poll_stalled(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let stall = self.stall;
        let waiting = self
            .waiting
            .get_or_insert_with(|| Waiting { since: Instant::now(), timer: Box::pin(sleep(stall.before_the_answer)) });
        loop {
            ready!(waiting.timer.as_mut().poll(context));
            let is_answered = self.progress.with(|state| state.is_answered);
            let due = waiting.since + if is_answered { stall.after_it_began } else { stall.before_the_answer };
            if due <= Instant::now() {
                return Poll::Ready(());
            }
            waiting.timer.as_mut().reset(due);
        }
    }

    fn fail(&self, error: BodyError) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.progress.with(|state| state.has_failed = true);
        Poll::Ready(Some(Err(error)))
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
            return self.fail(BodyError::TooSlow);
        }
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            self.waiting = None;
            self.progress.with(|state| (state.moved, state.is_awaited) = (Instant::now(), false));
            return match frame {
                Some(Err(error)) => self.fail(BodyError::BrokenOff(error)),
                Some(Ok(frame)) => {
                    if let (Some(data), Some(place)) =
                        (frame.data_ref(), self.place.as_ref().and_then(WeakPlace::upgrade))
                    {
                        place.moved(data.len());
                    }
                    Poll::Ready(Some(Ok(frame)))
                }
                None => Poll::Ready(None),
            };
        }
        self.progress.with(|state| state.is_awaited = true);
        ready!(self.poll_stalled(context));
        self.fail(BodyError::Stalled)
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
    /// Kept until it has ended.
    _place: Option<StreamPlace>,
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
    pub(crate) fn new(body: B, idle: Duration, place: Option<StreamPlace>) -> Self {
        Self { body, idle, waiting: None, _place: place }
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
    use super::{AnswerError, BodyError, IdleTimeout, Progress, Stall, StallTimeout};
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
    const STALLS: Stall = Stall { before_the_answer: STALL, after_it_began: Duration::from_secs(100) };
    const WHOLE: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn a_body_that_drips_is_cut_off_before_the_verdict_and_not_after() {
        let began = Instant::now();
        let drips = || Drips(interval(Duration::from_secs(2)));
        let body = StallTimeout::new(drips(), STALLS, WHOLE, Progress::default(), None);
        assert!(matches!(body.collect().await, Err(BodyError::TooSlow)));
        assert_eq!(began.elapsed(), WHOLE);
        let progress = Progress::default();
        let mut body = StallTimeout::new(drips(), STALLS, WHOLE, progress.clone(), None);
        progress.stream();
        while began.elapsed() < 10 * WHOLE {
            body.frame().await.unwrap().unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_stalls_is_cut_off() {
        let progress = Progress::default();
        let drips = Drips(interval(2 * STALL));
        let mut body = StallTimeout::new(drips, STALLS, 10 * WHOLE, progress.clone(), None);
        body.frame().await.unwrap().unwrap();
        let began = Instant::now();
        assert!(matches!(body.frame().await, Some(Err(BodyError::Stalled))));
        assert_eq!(began.elapsed(), STALL);
        assert!(progress.has_failed());
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_speak_in_turns_may_be_silent_for_longer() {
        let progress = Progress::default();
        let drips = Drips(interval(STALLS.after_it_began + STALL));
        let mut body = StallTimeout::new(drips, STALLS, 10 * WHOLE, progress.clone(), None);
        body.frame().await.unwrap().unwrap();
        let began = Instant::now();
        let answer = async {
            tokio::time::sleep(STALL / 2).await;
            progress.answer();
        };
        let (frame, ()) = tokio::join!(body.frame(), answer);
        assert!(matches!(frame, Some(Err(BodyError::Stalled))));
        assert_eq!(began.elapsed(), STALLS.after_it_began);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_may_be_silent_but_not_for_ever() {
        let mut body = IdleTimeout::new(Drips(interval(2 * WHOLE)), WHOLE, None);
        body.frame().await.unwrap().unwrap();
        assert!(matches!(body.frame().await, Some(Err(AnswerError::Idle))));
        let mut body = IdleTimeout::new(Drips(interval(WHOLE / 2)), WHOLE, None);
        for _ in 0..10 {
            body.frame().await.unwrap().unwrap();
        }
    }
}
