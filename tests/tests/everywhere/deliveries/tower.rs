//! A server of somebody's own, with the gate as a layer: it asks the upstream with
//! a client of its own, and waits for it for a bounded time.

use barmkin_config::{Config, LoadOptions};
use barmkin_host::{Clock, Engine, EngineSettings, Gate, MemoryStore, Services, SystemClock};
use barmkin_tests::harness::Server;
use barmkin_tower::server::{self, Bounds};
use barmkin_tower::{BarmkinLayer, GuardedBody, Options};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Either, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tower::Layer;
use tower::util::service_fn;

const WAITS: Duration = Duration::from_millis(1_500);

type Answer = Response<Either<Incoming, Full<Bytes>>>;

pub(crate) fn serve(gate: Arc<Gate>, upstream: SocketAddr) -> Server {
    Server::start(|listener| {
        let forward = service_fn(move |request| async move { Ok::<_, Infallible>(forward(request, upstream).await) });
        let guarded = BarmkinLayer::new(gate, Options::default()).layer(forward);
        server::serve(listener, guarded, Bounds::default(), std::future::pending())
    })
}

pub(crate) fn gate(rules: &Path) -> Arc<Gate> {
    let config = Config::load(rules, &LoadOptions::at(SystemClock.now())).unwrap_or_else(|report| panic!("{report}"));
    let engine = Engine::new(&EngineSettings::default()).unwrap();
    Arc::new(Gate::new(config.build(&engine, Services::new(MemoryStore::default())).unwrap()))
}

async fn forward(request: Request<GuardedBody<Incoming>>, upstream: SocketAddr) -> Answer {
    match tokio::time::timeout(WAITS, ask(request, upstream)).await {
        Ok(Some(response)) => response.map(Either::Left),
        Ok(None) => status(StatusCode::BAD_GATEWAY),
        Err(_) => status(StatusCode::GATEWAY_TIMEOUT),
    }
}

async fn ask(request: Request<GuardedBody<Incoming>>, upstream: SocketAddr) -> Option<Response<Incoming>> {
    let stream = tokio::net::TcpStream::connect(upstream).await.ok()?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.ok()?;
    tokio::spawn(connection);
    let (parts, body) = request.into_parts();
    let body = body.collect().await.ok()?.to_bytes();
    sender.send_request(Request::from_parts(parts, Full::new(body))).await.ok()
}

fn status(status: StatusCode) -> Answer {
    let mut response = Response::new(Either::Right(Full::default()));
    *response.status_mut() = status;
    response
}
