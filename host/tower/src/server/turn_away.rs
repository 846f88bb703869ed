//! The fate of connections that there is no place for: one answer each,
//! and not for many at once.

use super::connection::{Arrived, Tell};
use super::spoken::{Served, Spoken, http1};
use crate::turned_away::TurnedAway;
use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy, sink};
use tokio::sync::Notify;
use tokio::time::timeout;
use tower::{Service, ServiceExt};

/// Connections at once that are told that there is no place for them; further
/// ones are closed. An answer takes a round trip or two: at 100 ms these are
/// some hundred a second, for one in 64 more than the places that there are by
/// default.
pub const TURNED_AWAY_MAX: usize = 64;

/// For all of it: a handshake, a header, an answer, and the client's closing.
/// A slower client keeps others from being told.
pub const TURNED_AWAY_WITHIN: Duration = Duration::from_secs(5);

/// Bytes of a request that were under way when it was refused.
const UNREAD_BYTES_MAX: u64 = 1024 * 1024;

/// Has `service` refuse the one request of a connection.
pub(super) async fn turn_away<S, R>(arrived: Arrived, service: S)
where
    S: Service<Request<Incoming>, Response = Response<R>, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send,
    R: Body<Data = Bytes> + Send + 'static,
    R::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let Arrived { stream, peer, opening, bounds } = arrived;
    let answer = async {
        let (stream, from) = opening.begin(stream, peer, |_| {}).await?;
        let tell = Tell::of(from, &stream);
        let spoken = Spoken::on(&stream, &bounds);
        let answered = Arc::new(Notify::new());
        let tells = answered.clone();
        let service = service_fn(move |mut request: Request<Incoming>| {
            tell.apply(&mut request);
            request.extensions_mut().insert(TurnedAway);
            tells.notify_one();
            service.clone().oneshot(request)
        });
        if spoken != Spoken::One {
            return turn_away_http2(spoken.serve(TokioIo::new(stream), service, &bounds), &answered).await;
        }
        let served = http1().keep_alive(false).serve_connection(TokioIo::new(stream), service);
        let mut stream = served.without_shutdown().await.map_err(io::Error::other)?.io.into_inner();
        // Closed while a part of the request is unread it would be reset, and
        // the answer be lost on the way.
        stream.shutdown().await?;
        copy(&mut stream.take(UNREAD_BYTES_MAX), &mut sink()).await
    };
    match timeout(TURNED_AWAY_WITHIN, answer).await {
        Ok(Ok(_)) => tracing::debug!(%peer, "a connection past the bound was turned away"),
        Ok(Err(error)) => tracing::debug!(%peer, %error, "a connection past the bound ended early"),
        Err(_) => tracing::debug!(%peer, "a connection past the bound was cut off"),
    }
}

/// Closing in order has the client read its answer first.
async fn turn_away_http2(mut served: Pin<Box<dyn Served>>, answered: &Notify) -> io::Result<u64> {
    let mut first = pin!(answered.notified());
    let mut is_closing = false;
    poll_fn(|context| {
        let ended = served.as_mut().poll(context);
        if ended.is_ready() || is_closing || first.as_mut().poll(context).is_pending() {
            return ended;
        }
        is_closing = true;
        served.as_mut().graceful_shutdown();
        served.as_mut().poll(context)
    })
    .await
    .map_err(io::Error::other)?;
    Ok(0)
}
