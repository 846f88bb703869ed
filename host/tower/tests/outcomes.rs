//! A delivery follows its outcome, also where its client has hung up.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod gate;

use barmkin_tower::{BarmkinLayer, CameToNothing, GuardedBody, Options};
use bytes::Bytes;
use gate::sign;
use http::{Request, Response, StatusCode};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::sync::Semaphore;
use tower::util::service_fn;
use tower::{Layer, ServiceExt};

/// How the upstream answers.
#[derive(Clone, Copy, Debug)]
enum Answer {
    Status(u16),
    /// By a status that it could not do anything.
    Nothing,
    /// By no response.
    Error,
    /// When it is let on.
    Later,
    /// Half of its body, and the rest when it is let on.
    Halves,
    /// Half of its body, and no more.
    BreaksOff,
}

struct Upstream {
    seen: AtomicUsize,
    lets_on: Semaphore,
}

/// A body in two parts.
struct Parts {
    answer: Answer,
    sent: u8,
    lets_on: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl Body for Parts {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        if self.sent == 1 {
            match self.answer {
                Answer::BreaksOff => return Poll::Ready(Some(Err("it broke off"))),
                Answer::Halves => {
                    if let Some(lets_on) = &mut self.lets_on {
                        std::task::ready!(lets_on.as_mut().poll(context));
                    }
                }
                _ => {}
            }
        }
        self.sent += 1;
        Poll::Ready((self.sent < 3).then(|| Ok(Frame::data(Bytes::from_static(b"half")))))
    }
}

type Ask = Pin<Box<dyn Future<Output = Result<Response<()>, &'static str>> + Send>>;

struct Setup {
    upstream: Arc<Upstream>,
    layer: BarmkinLayer,
}

impl Setup {
    fn new(finish_within: Duration) -> Self {
        let upstream = Arc::new(Upstream { seen: AtomicUsize::new(0), lets_on: Semaphore::new(0) });
        let options = Options { finish_within, ..Options::default() };
        Self { upstream, layer: BarmkinLayer::new(gate::gate(), options) }
    }

    /// Sends the one delivery, and reads all of the answer.
    fn send(&self, answer: Answer) -> Ask {
        let upstream = self.upstream.clone();
        let service = service_fn(move |_: Request<GuardedBody<Full<Bytes>>>| {
            let upstream = upstream.clone();
            async move {
                upstream.seen.fetch_add(1, Ordering::SeqCst);
                let lets_on = upstream.clone();
                let lets_on = Box::pin(async move { drop(lets_on.lets_on.acquire().await.map(|on| on.forget())) });
                let mut response = Response::new(Parts { answer, sent: 0, lets_on: Some(lets_on) });
                match answer {
                    Answer::Status(status) => *response.status_mut() = StatusCode::from_u16(status).unwrap(),
                    Answer::Nothing => drop(response.extensions_mut().insert(CameToNothing)),
                    Answer::Error => return Err("the upstream is away"),
                    Answer::Later => upstream.lets_on.acquire().await.unwrap().forget(),
                    Answer::Halves | Answer::BreaksOff => {}
                }
                Ok(response)
            }
        });
        let request = Request::post("/retried").header("x-hub-signature-256", sign(b"event")).header("host", "app");
        let asked = self.layer.layer(service).oneshot(request.body(Full::from("event")).unwrap());
        Box::pin(async move {
            let (parts, body) = asked.await?.into_parts();
            let _ = body.collect().await;
            Ok(Response::from_parts(parts, ()))
        })
    }

    /// The answer to the sender when it sends the delivery again.
    async fn again(&self) -> String {
        let response = self.send(Answer::Status(200)).await.unwrap();
        response.headers().get("barmkin-reason").map_or("let in", |reason| reason.to_str().unwrap()).to_owned()
    }

    fn seen(&self) -> usize {
        self.upstream.seen.load(Ordering::SeqCst)
    }

    /// Sends the delivery, and hangs up when it is under way.
    async fn hang_up(&self, answer: Answer) {
        let mut asked = self.send(answer);
        while self.seen() == 0 {
            assert!(asked.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            tokio::task::yield_now().await;
        }
        // As far as it goes without being let on.
        for _ in 0..4 {
            assert!(asked.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        }
        drop(asked);
        assert_eq!(self.again().await, "in-progress", "{answer:?}: it goes on");
    }
}

const LONG: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_delivery_is_used_by_a_whole_success_and_by_nothing_else() {
    for (answer, again, seen) in [
        (Answer::Status(200), "duplicate-acknowledged", 1),
        (Answer::Status(302), "let in", 2),
        (Answer::Status(404), "let in", 2),
        (Answer::Status(429), "let in", 2),
        (Answer::Status(500), "let in", 2),
        (Answer::Nothing, "let in", 2),
        (Answer::Error, "let in", 2),
        (Answer::BreaksOff, "let in", 2),
    ] {
        let setup = Setup::new(LONG);
        let _ = setup.send(answer).await;
        assert_eq!((setup.again().await.as_str(), setup.seen()), (again, seen), "{answer:?}");
        assert_eq!(setup.again().await, "duplicate-acknowledged", "{answer:?}");
    }
}

#[tokio::test]
async fn what_its_client_has_left_goes_on_to_its_end() {
    for answer in [Answer::Later, Answer::Halves] {
        let setup = Setup::new(LONG);
        setup.hang_up(answer).await;
        setup.upstream.lets_on.add_permits(2);
        let mut again = setup.again().await;
        while again == "in-progress" {
            tokio::task::yield_now().await;
            again = setup.again().await;
        }
        assert_eq!((again.as_str(), setup.seen()), ("duplicate-acknowledged", 1), "{answer:?}");
    }
}

#[tokio::test]
async fn what_its_client_has_left_has_so_long() {
    for answer in [Answer::Later, Answer::Halves] {
        let setup = Setup::new(Duration::from_millis(50));
        setup.hang_up(answer).await;
        let mut again = setup.again().await;
        while again == "in-progress" {
            tokio::time::sleep(Duration::from_millis(5)).await;
            again = setup.again().await;
        }
        assert_eq!((again.as_str(), setup.seen()), ("let in", 2), "{answer:?}: nobody saw what came of it");
    }
}
