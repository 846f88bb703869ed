//! The fate of connections that there is no place for: one answer each,
//! and not for many at once.

use super::connection::{Arrived, Tell, http};
use crate::turned_away::TurnedAway;
use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy, sink};
use tokio::time::timeout;
use tower::{Service, ServiceExt};

/// Connections at once that are told that there is no place for them; further
/// ones are closed. An answer takes a round trip or two: at 100 ms these are
/// some hundred a second, for one in 64 more than the places that there are by
/// default.
pub const TURNED_AWAY_MAX: usize = 64;

/// For all of it: a handshake, a header, an answer, and the client's closing.
/// Whoever is slower keeps others from being told.
pub const TURNED_AWAY_WITHIN: Duration = Duration::from_secs(5);

/// Bytes of a request that were under way when it was refused.
const UNREAD_BYTES_MAX: u64 = 1024 * 1024;

/// Has `service` refuse the one request of a connection.
pub(super) async fn turn_away<S, R>(arrived: Arrived, service: S)
where
    S: Service<Request<Incoming>, Response = Response<R>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    R: Body<Data = Bytes> + Send + 'static,
    R::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let Arrived { stream, peer, opening, .. } = arrived;
    let answer = async {
        let (stream, from) = opening.begin(stream, peer, |_| {}).await?;
        let tell = Tell::of(from, &stream);
        let service = service_fn(move |mut request: Request<Incoming>| {
            tell.apply(&mut request);
            request.extensions_mut().insert(TurnedAway);
            service.clone().oneshot(request)
        });
        let served = http().keep_alive(false).serve_connection(TokioIo::new(stream), service);
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
