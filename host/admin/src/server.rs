//! Answers operators, and anybody who asks how the gate is.

use crate::control::{Answered, By, Command, Control, Health, Nonces, Outcome};
use crate::query;
use barmkin_shares::{Client, Holding, Shares};
use barmkin_tls::{Accepted, Opening, Shortage, Socket, Stream, Watch, Watched};
use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HOST, HeaderValue, ORIGIN};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Connections at once: a few scrapers and operators. The slowest of the client
/// that has most gives way to others; an arrival that finds none to give way is
/// closed.
const CONNECTIONS_MAX: usize = 32;

/// The wait for connections that give way to be gone, when many arrive at once.
const PLACE_WITHIN: Duration = Duration::from_millis(100);

/// For commands that are under way when the gate stops.
const DRAIN: Duration = Duration::from_secs(10);

/// How long it waits for those who ask.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// For the header of a request.
    pub header_read: Duration,
    /// For an answer that does not move while part of it waits to be sent.
    pub stall: Duration,
}

impl Default for Timeouts {
    /// Operators are near, and places are few: 5 s and 10 s.
    fn default() -> Self {
        Self { header_read: Duration::from_secs(5), stall: Duration::from_secs(10) }
    }
}

/// Answers operators on `socket` until `shutdown`. Who reaches it may command: a port
/// must be one of this machine, or ask for client certificates; the permissions of a
/// Unix socket say who may.
pub async fn serve(
    socket: impl Into<Socket>,
    timeouts: Timeouts,
    control: Arc<dyn Control>,
    shutdown: impl Future<Output = ()>,
) {
    listen(socket.into(), timeouts, &Audience::Operators(control), shutdown).await;
}

/// Tells anybody who reaches `socket` whether the gate lives and is ready, and what it
/// counted, until `shutdown`.
pub async fn serve_health(
    socket: impl Into<Socket>,
    timeouts: Timeouts,
    health: Arc<dyn Health>,
    shutdown: impl Future<Output = ()>,
) {
    listen(socket.into(), timeouts, &Audience::Anybody(health), shutdown).await;
}

/// Those who ask, by what they may have.
#[derive(Clone)]
enum Audience {
    Operators(Arc<dyn Control>),
    Anybody(Arc<dyn Health>),
}

async fn listen(socket: Socket, timeouts: Timeouts, audience: &Audience, shutdown: impl Future<Output = ()>) {
    let Socket { listener, opening } = socket;
    let places = Shares::new(CONNECTIONS_MAX);
    let mut connections = JoinSet::new();
    let mut shortage = Shortage::default();
    let mut shutdown = std::pin::pin!(shutdown);
    let mut keep_fresh = std::pin::pin!(opening.keep_fresh());
    loop {
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            () = &mut keep_fresh => continue,
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let client = Client::from(peer.ip());
                let place = timeout(PLACE_WITHIN, places.take_in_turn(Some([client]), 1)).await;
                let Ok(Some(place)) = place else { continue };
                let (audience, opening, place) = (audience.clone(), opening.clone(), Arc::new(Place(place)));
                connections.spawn(async move {
                    tokio::select! {
                        () = serve_one(stream, peer, &opening, timeouts, place.clone(), audience) => {}
                        () = place.0.evicted() => tracing::debug!("a connection for operators had to give way"),
                    }
                });
            }
            Err(error) => shortage.met(&error, |count| places.relieve(count)).await,
        }
    }
    drop(listener);
    let all_end = async { while connections.join_next().await.is_some() {} };
    // The outcome of a command that its operator cannot hear of is in the log.
    let _ = timeout(DRAIN, all_end).await;
}

async fn serve_one(
    stream: Accepted,
    peer: SocketAddr,
    opening: &Opening,
    timeouts: Timeouts,
    place: Arc<Place>,
    audience: Audience,
) {
    match begin(stream, peer, opening).await {
        Ok((stream, by)) => {
            if let By::Client { .. } = by {
                // It has proved who it is, which those that crowd it out cannot.
                place.0.keep();
            }
            let stream = Watched::new(stream, timeouts.stall, place.clone());
            connection(stream, timeouts.header_read, by, place, audience).await;
        }
        Err(error) => tracing::debug!(%error, "a connection for operators did not begin"),
    }
}

struct Place(Holding<Client>);

impl Watch for Place {
    fn read(&self, bytes: usize) {
        self.0.moved(bytes);
    }

    fn wrote(&self, bytes: usize) {
        self.0.moved(bytes);
    }
}

/// Finds out who asks.
async fn begin(stream: Accepted, peer: SocketAddr, opening: &Opening) -> io::Result<(Stream, By)> {
    let process = stream.process().transpose()?;
    let (stream, address) = opening.begin(stream, peer, |_| {}).await?;
    let by = match process {
        Some(process) => By::Process { uid: process.uid(), pid: process.pid() },
        None if stream.is_tls() => By::Client { name: stream.client_name(), address },
        None => By::Peer(address),
    };
    Ok((stream, by))
}

async fn connection(stream: Watched<Stream>, header_read: Duration, by: By, place: Arc<Place>, audience: Audience) {
    let service = service_fn(|request| {
        let (audience, by, place) = (audience.clone(), by.clone(), place.clone());
        async move {
            // A command ends, and what asks for it must hear how: not if it does
            // not read.
            place.0.keep();
            let answer = match &audience {
                Audience::Operators(control) => answer(&request, by, &**control).await,
                Audience::Anybody(health) => tell(&request, &**health),
            };
            place.0.resume();
            Ok::<_, Infallible>(answer)
        }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(header_read)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = served.await {
        tracing::debug!(%error, "a connection for operators ended early");
    }
}

async fn answer<B>(request: &Request<B>, by: By, control: &dyn Control) -> Response<Full<Bytes>> {
    let headers = request.headers();
    let from_a_page = match by {
        By::Peer(_) => is_from_a_browser(headers) || !is_named_here(headers),
        By::Client { .. } => is_from_a_browser(headers),
        // Browsers do not reach Unix sockets, and send no signals.
        By::Process { .. } | By::FileChange | By::Signal => false,
    };
    if from_a_page {
        return text(StatusCode::FORBIDDEN, "requests from web pages are refused\n");
    }
    match (request.method().clone(), request.uri().path()) {
        (Method::GET, "/status") => json(StatusCode::OK, &control.status()),
        (Method::POST, "/reload") => answered(&control.command(Command::Reload, by).await),
        (Method::POST, "/rollback") => match query::rollback_to(request.uri().query()) {
            Some(to) => answered(&control.command(Command::Rollback { to }, by).await),
            None => text(StatusCode::BAD_REQUEST, "write `to=` and the number of a generation\n"),
        },
        (Method::GET, "/nonces") => match query::space(request.uri().query()) {
            Some(space) => answered(&control.nonces(Nonces::List { space }, by).await),
            None => text(StatusCode::BAD_REQUEST, "write `space=` and the name of a nonce space\n"),
        },
        (Method::POST, "/nonces/forget") => match query::nonce(request.uri().query()) {
            Some((space, digest)) => answered(&control.nonces(Nonces::Forget { space, digest }, by).await),
            None => text(StatusCode::BAD_REQUEST, "write `space=`, the name of a nonce space, and `digest=`\n"),
        },
        (_, "/status" | "/nonces") => not_allowed("GET"),
        (_, "/reload" | "/rollback" | "/nonces/forget") => not_allowed("POST"),
        _ => tell(request, control),
    }
}

/// The part of the answers that is for anybody.
fn tell<B, H: Health + ?Sized>(request: &Request<B>, health: &H) -> Response<Full<Bytes>> {
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/healthz") => text(StatusCode::OK, "ok\n"),
        (&Method::GET, "/readyz") if health.is_ready() => text(StatusCode::OK, "ready\n"),
        (&Method::GET, "/readyz") => text(StatusCode::SERVICE_UNAVAILABLE, "not ready\n"),
        (&Method::GET, "/metrics") => {
            let mut response = text(StatusCode::OK, health.metrics());
            let content_type = prometheus_client::encoding::prometheus_text::CONTENT_TYPE;
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
            response
        }
        (_, "/healthz" | "/readyz" | "/metrics") => not_allowed("GET"),
        _ => text(StatusCode::NOT_FOUND, "there is nothing at this path\n"),
    }
}

/// Any web page can send requests to a port of the machine it is viewed on, and
/// with them the certificate of the user who views it.
fn is_from_a_browser(headers: &HeaderMap) -> bool {
    headers.contains_key(ORIGIN) || headers.contains_key("sec-fetch-site")
}

/// A name that a web page controls can be made to mean 127.0.0.1.
fn is_named_here(headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name).trim_start_matches('[').trim_end_matches(']');
    name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn answered(answered: &Answered) -> Response<Full<Bytes>> {
    let status = match answered.outcome {
        Outcome::Done => StatusCode::OK,
        Outcome::NoSuchGeneration => StatusCode::CONFLICT,
        Outcome::NoSuchNonce => StatusCode::NOT_FOUND,
        Outcome::Failed => StatusCode::INTERNAL_SERVER_ERROR,
    };
    json(status, &answered.body)
}

fn json(status: StatusCode, value: &serde_json::Value) -> Response<Full<Bytes>> {
    let mut response = text(status, format!("{value:#}\n"));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn not_allowed(allowed: &'static str) -> Response<Full<Bytes>> {
    let mut response = text(StatusCode::METHOD_NOT_ALLOWED, format!("use {allowed}\n"));
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    response
}

fn text(status: StatusCode, text: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(text.into()));
    *response.status_mut() = status;
    let fields = response.headers_mut();
    fields.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    fields.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
