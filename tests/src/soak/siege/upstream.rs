//! The server behind the gate: it answers, sends more than anybody reads, sends
//! events, and changes the protocol.

use crate::harness::Server;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Either, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::time::sleep;

/// Bytes of an answer that no buffers take.
const LARGE: usize = 8 * 1024 * 1024;

/// The longest wait of a client that is not an attacker.
const PATIENCE: Duration = Duration::from_secs(120);

pub(super) fn start() -> Server {
    Server::start(accept)
}

async fn accept(listener: TcpListener) {
    let large = Bytes::from(vec![b'a'; LARGE]);
    while let Ok((stream, _)) = listener.accept().await {
        let large = large.clone();
        let service = service_fn(move |request| answer(request, large.clone()));
        let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        tokio::spawn(connection.with_upgrades());
    }
}

type Body = Either<Full<Bytes>, StreamBody<Silence>>;

async fn answer(mut request: Request<Incoming>, large: Bytes) -> Result<Response<Body>, Infallible> {
    let response = match request.uri().path() {
        "/large" => Response::new(Either::Left(Full::new(large))),
        "/events" => {
            let mut response = Response::new(Either::Right(StreamBody::new(Silence)));
            response.headers_mut().insert("content-type", http::HeaderValue::from_static("text/event-stream"));
            response
        }
        "/tunnel" => {
            let upgraded = hyper::upgrade::on(&mut request);
            tokio::spawn(async move {
                let Ok(_tunnel) = upgraded.await else { return };
                sleep(PATIENCE).await;
            });
            let mut response = Response::new(Either::Left(Full::default()));
            *response.status_mut() = http::StatusCode::SWITCHING_PROTOCOLS;
            response.headers_mut().insert("connection", http::HeaderValue::from_static("upgrade"));
            response.headers_mut().insert("upgrade", http::HeaderValue::from_static("websocket"));
            response
        }
        _ => {
            let length = request.body_mut().collect().await.map_or(0, |body| body.to_bytes().len());
            Response::new(Either::Left(Full::from(format!("{length} bytes\n"))))
        }
    };
    Ok(response)
}

/// Events that do not come.
struct Silence;

impl tokio_stream::Stream for Silence {
    type Item = Result<Frame<Bytes>, Infallible>;

    fn poll_next(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        std::task::Poll::Pending
    }
}
