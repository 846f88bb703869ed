//! The layer, and the service it makes.

use crate::body::GuardedBody;
use crate::collect::collect;
use crate::finishing::Finishing;
use crate::followed::{FollowedBody, Follower};
use crate::lasting::Lasting;
use crate::options::Options;
use crate::permitted::Permitted;
use crate::turned_away::TurnedAway;
use barmkin_host::{Gate, Head, Verdict};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, HeaderValue};
use http::{Request, Response, StatusCode, Uri};
use http_body::Body;
use http_body_util::{Either, Full};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tower::{Layer, Service};

/// Guards a service with a gate.
#[derive(Clone)]
pub struct BarmkinLayer {
    gate: Arc<Gate>,
    options: Arc<Options>,
    finishing: Finishing,
}

impl BarmkinLayer {
    /// A layer that asks `gate`.
    pub fn new(gate: Arc<Gate>, options: Options) -> Self {
        Self { gate, finishing: Finishing::new(options.finish_within), options: Arc::new(options) }
    }

    /// Waits until the requests have ended that went on without their clients: for
    /// servers that stop.
    pub async fn ended(&self) {
        self.finishing.ended().await;
    }

    /// Ends them now: their deliveries are free again.
    pub fn cut_off(&self) {
        self.finishing.cut_off();
    }
}

impl<S> Layer<S> for BarmkinLayer {
    type Service = BarmkinService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        BarmkinService { layer: self.clone(), inner }
    }
}

/// A service behind a gate.
#[derive(Clone)]
pub struct BarmkinService<S> {
    layer: BarmkinLayer,
    inner: S,
}

/// The body of a response of the gate (left) or of the inner service (right),
/// which is followed to its end where something waits for that.
pub type AnswerBody<R> = Either<Full<Bytes>, Either<R, FollowedBody<R>>>;

type Answer<R> = Response<AnswerBody<R>>;

impl<S, B, R> Service<Request<B>> for BarmkinService<S>
where
    S: Service<Request<GuardedBody<B>>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send,
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Send,
    R: Body<Data = Bytes> + Send + 'static,
{
    type Response = Answer<R>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The one that was found ready goes, its clone stays.
        let next = self.inner.clone();
        let ready = std::mem::replace(&mut self.inner, next);
        Box::pin(guard(self.layer.clone(), ready, request))
    }
}

async fn guard<S, B, R>(layer: BarmkinLayer, mut inner: S, request: Request<B>) -> Result<Answer<R>, S::Error>
where
    S: Service<Request<GuardedBody<B>>, Response = Response<R>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    B: Body<Data = Bytes> + Unpin,
    R: Body<Data = Bytes> + Send + 'static,
{
    let (mut parts, body) = request.into_parts();
    let client = layer.options.client(&parts.extensions, &parts.headers);
    #[cfg(feature = "server")]
    if let Some(place) = parts.extensions.get::<crate::server::Place>() {
        place.counts_for(client.address);
    }
    let address = client.address;
    let intake = layer.gate.intake(Head::take(&mut parts, client));
    let (verdict, forward) = if parts.extensions.get::<TurnedAway>().is_some() {
        (intake.overloaded(), None)
    } else {
        let body = collect(body, intake.body_need(), layer.gate.body_room(&intake)).await;
        (layer.gate.decide(intake, body.seen).await, Some(body.forward))
    };
    let permit = match verdict {
        Verdict::Allow(permit) => permit,
        Verdict::Deny(denial) => return Ok(denial.response().map(|body| Either::Left(Full::new(body)))),
    };
    let Some(body) = forward else {
        return Ok(turned_away().map(Either::Left));
    };
    parts.extensions.insert(Permitted::of(&permit));
    let removes = !permit.removed_query_parameters().is_empty();
    let (head, settlement) = permit.into_forwarded();
    parts.headers = head.headers;
    if removes {
        // A part of a target is one: were it not, nothing would be forwarded.
        let Some(uri) = with_target(&parts.uri, &head.target) else { return Ok(turned_away().map(Either::Left)) };
        parts.uri = uri;
    }
    if !settlement.is_pending() {
        let response = inner.call(Request::from_parts(parts, body)).await?;
        return Ok(response.map(|body| Either::Right(Either::Left(body))));
    }
    let lasting = Lasting::default();
    parts.extensions.insert(lasting.clone());
    let call = inner.call(Request::from_parts(parts, body));
    let response = Follower::new(call, settlement, lasting, layer.finishing.of(address)).await?;
    Ok(response.map(|body| Either::Right(Either::Right(body))))
}

/// `uri` with another path and query.
fn with_target(uri: &Uri, target: &str) -> Option<Uri> {
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(target.parse().ok()?);
    Uri::from_parts(parts).ok()
}

/// The answer to a request that has no place among the connections, and cannot be
/// forwarded either.
fn turned_away() -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
