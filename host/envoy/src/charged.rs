//! Messages on their way in: a check is decided when all of it has come, and what
//! has come of it until then is held.

use crate::check::until_it_is_sent;
use crate::incoming::Caller;
use barmkin_host::{BodyRoom, Gate};
use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body::{Body, Frame};
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use tonic::Status;
use tonic::codegen::Service;
use tonic::server::NamedService;

/// A service whose requests' messages are charged while they come in.
#[derive(Clone)]
pub(crate) struct Charging<S> {
    pub(crate) service: S,
    pub(crate) gate: Arc<Gate>,
}

/// There was no room for a check's message: among the extensions of one that
/// stands for it, since its answer is a denial and not a gRPC error.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NoRoom;

/// An empty message, in gRPC's framing.
const NOTHING: &[u8] = &[0; 5];

const CHECK: &str = "/envoy.service.auth.v3.Authorization/Check";

impl<S: NamedService> NamedService for Charging<S> {
    const NAME: &'static str = S::NAME;
}

impl<S, B> Service<Request<B>> for Charging<S>
where
    S: Service<Request<Charged<B>>, Response = Response<tonic::body::Body>> + Clone + Send + 'static,
    S::Error: Send,
    S::Future: Send,
    B: Send + 'static,
{
    type Response = Response<tonic::body::Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let mut service = self.service.clone();
        let caller = request.extensions().get::<Caller>().map(Caller::address);
        let account = Arc::new(Account { gate: self.gate.clone(), caller, is_full: AtomicBool::new(false) });
        let answer = service.call(request.map(|body| Charged::of(Message::Comes(body), account.clone())));
        Box::pin(async move {
            let answer = answer.await;
            if !account.is_full.load(Ordering::Relaxed) {
                return answer.map(until_it_is_sent);
            }
            let mut instead = Request::new(Charged::of(Message::Is(Bytes::from_static(NOTHING)), account));
            *instead.uri_mut() = Uri::from_static(CHECK);
            instead.extensions_mut().insert(NoRoom);
            service.call(instead).await
        })
    }
}

/// By whom a message is held.
struct Account {
    gate: Arc<Gate>,
    caller: Option<IpAddr>,
    /// There was no room for it.
    is_full: AtomicBool,
}

/// The body of a call. Most come whole at once, and are then charged when they are
/// decided: this charges those that keep one waiting.
pub(crate) struct Charged<B> {
    message: Message<B>,
    account: Arc<Account>,
    /// Bytes that are not charged yet.
    has_come: usize,
    room: Option<BodyRoom>,
}

enum Message<B> {
    Comes(B),
    Is(Bytes),
}

impl<B> Charged<B> {
    fn of(message: Message<B>, account: Arc<Account>) -> Self {
        Self { message, account, has_come: 0, room: None }
    }

    /// Charges what has come, and says whether it may stay.
    fn charge(&mut self, context: &mut Context<'_>) -> Result<(), Status> {
        let room = self.room.get_or_insert_with(|| self.account.gate.caller_room(self.account.caller));
        let has_come = std::mem::take(&mut self.has_come);
        if (has_come == 0 || room.count(has_come).is_ok()) && room.poll_evicted(context).is_pending() {
            return Ok(());
        }
        self.account.is_full.store(true, Ordering::Relaxed);
        Err(Status::resource_exhausted("there is no room for a check"))
    }
}

impl<B> Body for Charged<B>
where
    B: Body<Data = Bytes, Error = Status> + Unpin,
{
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let body = match &mut self.message {
            Message::Comes(body) => body,
            Message::Is(bytes) => {
                let bytes = std::mem::take(bytes);
                return Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))));
            }
        };
        let polled = Pin::new(body).poll_frame(context);
        let keeps_waiting = polled.is_pending();
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            self.has_come += frame.data_ref().map_or(0, Bytes::len);
        }
        if keeps_waiting || self.room.is_some() {
            self.charge(context)?;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        match &self.message {
            Message::Comes(body) => body.is_end_stream(),
            Message::Is(bytes) => bytes.is_empty(),
        }
    }
}
