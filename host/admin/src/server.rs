//! Answers operators.

use crate::control::{Answered, By, Command, Control, Nonces, Outcome};
use crate::query;
use barmkin_shares::{Client, Holding, Shares};
use barmkin_tls::{Opening, Shortage, Socket, Watch, Watched};
use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HOST, HeaderValue, ORIGIN};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixListener, UnixStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Connections at once: a few scrapers and operators. The slowest of the one
/// that has most gives way to others; a connection for which nobody does is
/// closed.
const CONNECTIONS_MAX: usize = 32;

/// For those that give way to be gone, where many arrive at once.
const PLACE_WITHIN: Duration = Duration::from_millis(100);

/// For commands that are under way when the gate stops.
const DRAIN: Duration = Duration::from_secs(10);

/// A socket that listens for operators.
pub enum Listener {
    /// A port. Who reaches it may command: it must be one of this machine, or
    /// ask for client certificates.
    Tcp(Socket),
    /// A Unix socket: its permissions say who may.
    Unix(UnixListener),
}

/// How long it waits for those who ask.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// For the header of a request.
    pub header_read: Duration,
    /// For an answer of which nothing goes while some waits to be sent.
    pub stall: Duration,
}

impl Default for Timeouts {
    /// Those who ask are near, and places are few: 5 s and 10 s.
    fn default() -> Self {
        Self { header_read: Duration::from_secs(5), stall: Duration::from_secs(10) }
    }
}

/// Answers operators on `listener` until `shutdown`.
pub async fn serve(
    listener: Listener,
    timeouts: Timeouts,
    control: Arc<dyn Control>,
    shutdown: impl Future<Output = ()>,
) {
    let places = Shares::new(CONNECTIONS_MAX);
    let mut connections = JoinSet::new();
    let mut shortage = Shortage::default();
    let mut shutdown = std::pin::pin!(shutdown);
    let opening = match &listener {
        Listener::Tcp(socket) => socket.opening.clone(),
        Listener::Unix(_) => Opening::default(),
    };
    let mut keep_fresh = std::pin::pin!(opening.keep_fresh());
    loop {
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            () = &mut keep_fresh => continue,
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
            accepted = accept(&listener) => accepted,
        };
        match accepted {
            Ok(accepted) => {
                let place = timeout(PLACE_WITHIN, places.take_in_turn(Some([accepted.client()]), 1)).await;
                let Ok(Some(place)) = place else { continue };
                let (control, opening, place) = (control.clone(), opening.clone(), Arc::new(Place(place)));
                connections.spawn(async move {
                    tokio::select! {
                        () = serve_one(accepted, &opening, timeouts, place.clone(), control) => {}
                        () = place.0.evicted() => tracing::debug!("an operator's connection had to give way"),
                    }
                });
            }
            Err(error) => shortage.met(&error, |count| places.relieve(count)).await,
        }
    }
    drop(listener);
    let all_end = async { while connections.join_next().await.is_some() {} };
    // What an operator asked for and cannot hear of is in the log.
    let _ = timeout(DRAIN, all_end).await;
}

async fn serve_one(
    accepted: Accepted,
    opening: &Opening,
    timeouts: Timeouts,
    place: Arc<Place>,
    control: Arc<dyn Control>,
) {
    match begin(accepted, opening).await {
        Ok((stream, by)) => {
            if let By::Client { .. } = by {
                // It has proved who it is, which those that crowd it out cannot.
                place.0.keep();
            }
            let stream = Watched::new(stream, timeouts.stall, place.clone());
            connection(stream, timeouts.header_read, by, place, control).await;
        }
        Err(error) => tracing::debug!(%error, "an operator's connection did not begin"),
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

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

enum Accepted {
    Tcp(TcpStream, SocketAddr),
    Unix(UnixStream),
}

impl Accepted {
    /// All users of this machine are one.
    fn client(&self) -> Client {
        match self {
            Self::Tcp(_, peer) => peer.ip().into(),
            Self::Unix(_) => Client::from(IpAddr::from(Ipv4Addr::LOCALHOST)),
        }
    }
}

async fn accept(listener: &Listener) -> io::Result<Accepted> {
    match listener {
        Listener::Tcp(socket) => socket.listener.accept().await.map(|(stream, peer)| Accepted::Tcp(stream, peer)),
        Listener::Unix(listener) => listener.accept().await.map(|(stream, _)| Accepted::Unix(stream)),
    }
}

/// Finds out who asks.
async fn begin(accepted: Accepted, opening: &Opening) -> io::Result<(Box<dyn Stream>, By)> {
    match accepted {
        Accepted::Tcp(stream, peer) => {
            let (stream, address) = opening.begin(stream, peer, |_| {}).await?;
            let by =
                if stream.is_tls() { By::Client { name: stream.client_name(), address } } else { By::Peer(address) };
            Ok((Box::new(stream), by))
        }
        Accepted::Unix(stream) => {
            let peer = stream.peer_cred()?;
            Ok((Box::new(stream), By::Process { uid: peer.uid(), pid: peer.pid() }))
        }
    }
}

async fn connection(
    stream: Watched<Box<dyn Stream>>,
    header_read: Duration,
    by: By,
    place: Arc<Place>,
    control: Arc<dyn Control>,
) {
    let service = service_fn(|request| {
        let (control, by, place) = (control.clone(), by.clone(), place.clone());
        async move {
            // A command ends, and what asks for it must hear how: not if it does
            // not read.
            place.0.keep();
            let answer = answer(&request, by, &*control).await;
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
        tracing::debug!(%error, "an operator's connection ended early");
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
        return text(StatusCode::FORBIDDEN, "this is not for web pages\n");
    }
    match (request.method().clone(), request.uri().path()) {
        (Method::GET, "/healthz") => text(StatusCode::OK, "ok\n"),
        (Method::GET, "/readyz") if control.is_ready() => text(StatusCode::OK, "ready\n"),
        (Method::GET, "/readyz") => text(StatusCode::SERVICE_UNAVAILABLE, "not ready\n"),
        (Method::GET, "/status") => json(StatusCode::OK, &control.status()),
        (Method::GET, "/metrics") => {
            let mut response = text(StatusCode::OK, control.metrics());
            let content_type = prometheus_client::encoding::prometheus_text::CONTENT_TYPE;
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
            response
        }
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
        (_, "/healthz" | "/readyz" | "/status" | "/metrics" | "/nonces") => not_allowed("GET"),
        (_, "/reload" | "/rollback" | "/nonces/forget") => not_allowed("POST"),
        _ => text(StatusCode::NOT_FOUND, "there is no such thing here\n"),
    }
}

/// Any web page can send requests to a port of the machine it is looked at on,
/// and with them the certificate of whoever looks at it.
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
