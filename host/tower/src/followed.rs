//! Follows an allowed request to its end, also where its client has gone.

use crate::finishing::Finishing;
use crate::lasting::{CameToNothing, Lasting};
use barmkin_host::{Settlement, limits::LEASE_RENEWED_EVERY};
use bytes::Bytes;
use http::{Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

/// One request that is followed.
struct Followed {
    settlement: Settlement,
    renewal: Interval,
    finishing: Finishing,
    /// Its client has gone: if this is dropped too, that is the end.
    is_left: bool,
}

impl Followed {
    /// Renews leases when it is time.
    fn poll_renewal(&mut self, context: &mut Context<'_>) {
        while self.settlement.has_claims() && self.renewal.poll_tick(context).is_ready() {
            self.settlement.renew();
        }
    }
}

type Answering<R, E> = Pin<Box<dyn Future<Output = Result<Response<FollowedBody<R>>, E>> + Send>>;

type Settling = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Waits for the response of an inner service. Dropped before it has come, that
/// goes on to its end.
pub(crate) struct Follower<R, E>
where
    R: Body<Data = Bytes> + Send + 'static,
    E: Send + 'static,
{
    answer: Option<Answering<R, E>>,
    finishing: Finishing,
}

impl<R, E> Follower<R, E>
where
    R: Body<Data = Bytes> + Send + 'static,
    E: Send + 'static,
{
    pub(crate) fn new<F>(call: F, settlement: Settlement, lasting: Lasting, finishing: Finishing) -> Self
    where
        F: Future<Output = Result<Response<R>, E>> + Send + 'static,
    {
        let mut renewal = interval_at(Instant::now() + LEASE_RENEWED_EVERY, LEASE_RENEWED_EVERY);
        renewal.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let followed = Followed { settlement, renewal, finishing: finishing.clone(), is_left: false };
        Self { answer: Some(Box::pin(follow(call, followed, lasting))), finishing }
    }
}

async fn follow<F, R, E>(call: F, mut followed: Followed, lasting: Lasting) -> Result<Response<FollowedBody<R>>, E>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: Body<Data = Bytes> + Send + 'static,
{
    let mut call = std::pin::pin!(call);
    let answered = std::future::poll_fn(|context| {
        followed.poll_renewal(context);
        call.as_mut().poll(context)
    });
    let response = match answered.await {
        Ok(response) => response,
        Err(error) => {
            followed.settlement.failed().await;
            return Err(error);
        }
    };
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        lasting.hold(followed.settlement.split_lasting());
    }
    let status = response.status();
    let (parts, body) = response.into_parts();
    let state = if parts.extensions.get::<CameToNothing>().is_some() {
        followed.settlement.failed().await;
        State::Settled(Box::pin(body))
    } else if body.is_end_stream() || status == StatusCode::SWITCHING_PROTOCOLS {
        followed.settlement.answered(status).await;
        State::Settled(Box::pin(body))
    } else {
        State::Streaming { body: Box::pin(body), status, followed }
    };
    Ok(Response::from_parts(parts, FollowedBody(state)))
}

impl<R, E> Future for Follower<R, E>
where
    R: Body<Data = Bytes> + Send + 'static,
    E: Send + 'static,
{
    type Output = Result<Response<FollowedBody<R>>, E>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(answer) = &mut self.answer else { return Poll::Pending };
        let polled = answer.as_mut().poll(context);
        if polled.is_ready() {
            self.answer = None;
        }
        polled
    }
}

impl<R, E> Drop for Follower<R, E>
where
    R: Body<Data = Bytes> + Send + 'static,
    E: Send + 'static,
{
    fn drop(&mut self) {
        if let Some(answer) = self.answer.take() {
            self.finishing.finish(async move {
                if let Ok(response) = answer.await {
                    response.into_body().run_out().await;
                }
            });
        }
    }
}

/// The body of a response whose end is awaited: that of the inner service, and
/// what waited is settled before its last frame is given on. Dropped before that,
/// it is read to its end where a delivery depends on it.
pub struct FollowedBody<R: Body<Data = Bytes> + Send + 'static>(State<R>);

enum State<R: Body<Data = Bytes>> {
    Streaming {
        body: Pin<Box<R>>,
        status: StatusCode,
        followed: Followed,
    },
    /// With the last frame, if it is not out.
    Ending(Settling, Option<Frame<Bytes>>),
    Settled(Pin<Box<R>>),
    Ended,
}

impl<R: Body<Data = Bytes> + Send + 'static> FollowedBody<R> {
    /// Reads it to its end.
    async fn run_out(mut self) {
        if let State::Streaming { followed, .. } = &mut self.0 {
            followed.is_left = true;
        }
        while let Some(Ok(_)) = std::future::poll_fn(|context| Pin::new(&mut self).poll_frame(context)).await {}
    }
}

impl<R: Body<Data = Bytes> + Send + 'static> Body for FollowedBody<R> {
    type Data = Bytes;
    type Error = R::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, R::Error>>> {
        loop {
            match &mut self.0 {
                State::Streaming { body, followed, .. } => {
                    followed.poll_renewal(context);
                    let last = match ready!(body.as_mut().poll_frame(context)) {
                        Some(Ok(frame)) if !body.is_end_stream() => return Poll::Ready(Some(Ok(frame))),
                        Some(Ok(frame)) => Some(frame),
                        None => None,
                        Some(Err(error)) => {
                            if let State::Streaming { followed, .. } = std::mem::replace(&mut self.0, State::Ended) {
                                // It broke off. That begins at once, and needs nobody who waits.
                                drop(followed.settlement.failed());
                            }
                            return Poll::Ready(Some(Err(error)));
                        }
                    };
                    if let State::Streaming { status, followed, .. } = std::mem::replace(&mut self.0, State::Ended) {
                        self.0 = State::Ending(Box::pin(followed.settlement.answered(status)), last);
                    }
                }
                State::Ending(settling, last) => {
                    ready!(settling.as_mut().poll(context));
                    let last = last.take();
                    self.0 = State::Ended;
                    return Poll::Ready(last.map(Ok));
                }
                State::Settled(body) => return body.as_mut().poll_frame(context),
                State::Ended => return Poll::Ready(None),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            State::Streaming { .. } | State::Ending(..) => false,
            State::Settled(body) => body.is_end_stream(),
            State::Ended => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            State::Streaming { body, .. } | State::Settled(body) => body.size_hint(),
            State::Ending(_, last) => {
                let left = last.as_ref().and_then(Frame::data_ref).map_or(0, Bytes::len);
                SizeHint::with_exact(left as u64)
            }
            State::Ended => SizeHint::with_exact(0),
        }
    }
}

impl<R: Body<Data = Bytes> + Send + 'static> Drop for FollowedBody<R> {
    fn drop(&mut self) {
        let State::Streaming { body, status, mut followed } = std::mem::replace(&mut self.0, State::Ended) else {
            return;
        };
        if !status.is_success() {
            // Its end changes nothing.
            drop(followed.settlement.answered(status));
        } else if followed.settlement.has_claims() && !followed.is_left {
            followed.is_left = true;
            let finishing = followed.finishing.clone();
            let rest = Self(State::Streaming { body, status, followed });
            finishing.finish(rest.run_out());
        }
    }
}
