//! The life of one connection.

use super::Bounds;
use super::answered::UnderWay;
use super::place::{ConnectionSlot, Phase, Place};
use super::spoken::Spoken;
use crate::secured::Secured;
use crate::turned_away::TurnedAway;
use barmkin_shares::Client;
use barmkin_tls::{Accepted, Opening, Stream, Watched};
use bytes::Bytes;
use http::header::{CONNECTION, COOKIE, HeaderValue};
use http::{HeaderMap, Request, Response, StatusCode, Version};
use http_body::Body;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use tokio::sync::watch;
use tokio::time::sleep_until;
use tower::{Service, ServiceExt};

/// A connection that was accepted, and how it is to begin.
pub(super) struct Arrived {
    pub(super) stream: Accepted,
    pub(super) peer: SocketAddr,
    pub(super) opening: Opening,
    pub(super) bounds: Arc<Bounds>,
}

/// Serves a connection until it ends, is too slow, or has to give way.
pub(super) async fn connection<S, R>(arrived: Arrived, place: Place, service: S, mut draining: watch::Receiver<()>)
where
    S: Service<Request<Incoming>, Response = Response<R>, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send,
    R: Body<Data = Bytes> + Send + Unpin + 'static,
    R::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let Arrived { stream, peer, opening, bounds } = arrived;
    let slot = place.slot().clone();
    let told = |from: SocketAddr| {
        if !bounds.is_proxy(from.ip()) {
            slot.comes_from(Client::from(from.ip()));
        }
    };
    let begun = tokio::select! {
        begun = opening.begin(stream, peer, told) => begun,
        () = place.evicted() => return,
        _ = draining.changed() => return,
    };
    let (stream, from) = match begun {
        Ok(begun) => begun,
        Err(error) => return tracing::debug!(%peer, %error, "a connection did not begin"),
    };
    slot.begin();
    let tell = Tell::of(from, &stream);
    let spoken = Spoken::on(&stream, &bounds);
    let service = service_fn(move |mut request: Request<Incoming>| {
        tell.apply(&mut request);
        let (place, service) = (place.clone(), service.clone());
        let is_stream = request.version() == Version::HTTP_2;
        // One at a time: it is under way from here on, before it is polled.
        let alone = (!is_stream).then(|| UnderWay::begin(place.slot().clone()));
        async move {
            let under_way = match alone {
                None => {
                    let under_way = UnderWay::begin_stream(place.slot().clone());
                    join_cookies(request.headers_mut());
                    if let Some(place) = place.of_stream().await {
                        under_way.has(&place);
                        request.extensions_mut().insert(place);
                    } else {
                        request.extensions_mut().insert(TurnedAway);
                    }
                    under_way
                }
                Some(under_way) => {
                    request.extensions_mut().insert(place);
                    under_way.turn().await;
                    under_way
                }
            };
            let Ok(mut response) = service.oneshot(request).await;
            if under_way.outlives() && response.status() != StatusCode::SWITCHING_PROTOCOLS {
                // Its place among the others is another's by now.
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, Infallible>(response.map(|body| under_way.answer(body)))
        }
    });
    let stream = Watched::new(stream, bounds.stall, slot.clone());
    let mut connection = spoken.serve(TokioIo::new(stream), service, &bounds);
    let mut late = pin!(late(&slot, &bounds));
    let mut stopping = pin!(draining.changed());
    let mut is_stopping = false;
    let ended = poll_fn(|context| {
        if !is_stopping && stopping.as_mut().poll(context).is_ready() {
            is_stopping = true;
            connection.as_mut().graceful_shutdown();
        }
        if let Poll::Ready(ended) = connection.as_mut().poll(context) {
            return Poll::Ready(Some(ended));
        }
        if slot.is_resetting() {
            return Poll::Ready(None);
        }
        // After the connection, in which the place may have been changed.
        let gives_way = slot.poll_evicted(context).is_ready();
        if !gives_way && late.as_mut().poll(context).is_pending() {
            return Poll::Pending;
        }
        // Between two requests this closes it in order; else it is cut off.
        connection.as_mut().graceful_shutdown();
        Poll::Ready(match connection.as_mut().poll(context) {
            Poll::Ready(ended) => Some(ended),
            Poll::Pending => None,
        })
    });
    match ended.await {
        Some(Ok(())) => {}
        Some(Err(error)) => tracing::debug!(%peer, %error, "a connection ended early"),
        None => tracing::debug!(%peer, "a connection was too slow, or had to give way"),
    }
}

/// Waits until a header or a rest takes too long. There is one timer for a
/// connection, and it is set rarely: never for later than the first moment at
/// which something that begins now could be late.
async fn late(slot: &ConnectionSlot, bounds: &Bounds) {
    let shortest = bounds.header_read.min(bounds.idle);
    loop {
        let now = tokio::time::Instant::now();
        let due = match slot.phase() {
            (Phase::Header, since) => since + bounds.header_read,
            (Phase::Rest, since) => since + bounds.idle,
            (Phase::Request, _) => now + shortest,
        };
        if due <= now {
            return;
        }
        sleep_until(due.min(now + shortest)).await;
    }
}

/// Fields that HTTP/2 lets a client take apart, and nobody behind would put together
/// (RFC 9113, section 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    if headers.get_all(COOKIE).iter().nth(1).is_none() {
        return;
    }
    let parts: Vec<_> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if let Ok(whole) = HeaderValue::from_bytes(&parts.join(&b"; "[..])) {
        headers.insert(COOKIE, whole);
    }
}

/// The facts of a connection that each of its requests is told.
pub(super) struct Tell {
    from: SocketAddr,
    secured: Option<Secured>,
}

impl Tell {
    pub(super) fn of(from: SocketAddr, stream: &Stream) -> Self {
        Self { from, secured: stream.is_tls().then(|| Secured { client: stream.client_name() }) }
    }

    pub(super) fn apply<B>(&self, request: &mut Request<B>) {
        let extensions = request.extensions_mut();
        extensions.insert(self.from);
        if let Some(secured) = self.secured.clone() {
            extensions.insert(secured);
        }
    }
}
