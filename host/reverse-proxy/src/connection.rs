//! A connection to an upstream, and how a request goes over it.

use crate::Outgoing;
use crate::dial::{Dialed, Duplex};
use barmkin_host::limits::HEADERS_BYTES_MAX;
use barmkin_tower::GuardedBody;
use http::header::{CONTENT_LENGTH, HOST, HeaderValue, TE, TRANSFER_ENCODING};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Request, Response, Uri, Version};
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::error::Error;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Requests at once on one connection of HTTP/2, where the upstream lets there be
/// as many: some that last must not have the others wait for a connection's end.
pub(crate) const STREAMS_MAX: usize = 100;

/// Bytes of an answer that are held for a client that is slow. A connection holds
/// as many for each of its requests, so that no client keeps others waiting.
const STREAM_BYTES: u32 = 128 * 1024;

/// How often a connection of HTTP/2 that is waited for is asked whether there is
/// still somebody, and how long it has to say so.
const PING_EVERY: Duration = Duration::from_secs(10);

/// Bytes of fields of a request, as HTTP/2 counts them: nginx takes 32 KiB, Node.js,
/// hyper-h2 and others 64 KiB.
const FIELDS_OF_TWO_MAX: usize = 64 * 1024 - 1;

/// Names of the pseudo-fields, their method and scheme, and 32 for each.
const PSEUDO_FIELDS_BYTES: usize = 256;

/// Whither a request goes, whatever is spoken there.
pub(crate) struct Target {
    pub(crate) path: PathAndQuery,
    /// The host that was decided about.
    pub(crate) host: HeaderValue,
    /// Whether it came over TLS.
    pub(crate) scheme: Scheme,
    /// Whether the client takes trailers.
    pub(crate) trailers: bool,
    /// Whether it is to change the protocol, which HTTP/1.1 can.
    pub(crate) upgrades: bool,
}

/// Where a connection comes from, and for how long it is for further requests.
#[derive(Clone, Copy)]
pub(crate) struct Origin {
    /// The index of its address.
    pub(crate) address: usize,
    /// Changes of the certificates before it.
    pub(crate) changes: u64,
    /// Another address is preferred from then on.
    pub(crate) until: Option<Instant>,
}

/// A connection on which there is room for a request.
pub(crate) enum Connection {
    One(http1::SendRequest<Outgoing>, Origin),
    Two(StreamPlace),
}

/// A connection of HTTP/2, and how many requests there are on it.
pub(crate) struct Multiplexed {
    sender: http2::SendRequest<Outgoing>,
    pub(crate) origin: Origin,
    /// It knows the most that the upstream lets there be.
    task: Arc<Mutex<Driven>>,
    in_use: AtomicUsize,
    /// It refused a request: others are not for it.
    has_refused: AtomicBool,
    rests_since: Mutex<Instant>,
}

/// None when it has ended: what is left of it would take requests that nobody sends.
type Driven = Option<Pin<Box<Task>>>;

type Task = http2::Connection<TokioIo<Box<dyn Duplex>>, Outgoing, TokioExecutor>;

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Requests at once that the upstream lets there be; none when it has ended.
fn streams_max(task: &Mutex<Driven>) -> usize {
    lock(task).as_ref().map_or(0, |task| task.current_max_send_streams())
}

/// Room for one request on it, until this is dropped.
pub(crate) struct StreamPlace(pub(crate) Arc<Multiplexed>);

/// The outcome of sending a request.
pub(crate) enum Sent {
    /// An answer has begun. The connection of HTTP/1.1 is free after it.
    Answered(Response<Incoming>, Again),
    /// Nothing of it was taken: it can be sent elsewhere.
    NotTaken(Box<Request<Outgoing>>),
}

/// The part of a connection that is left when an answer has begun.
pub(crate) enum Again {
    /// To be used again when the answer has ended.
    One(http1::SendRequest<Outgoing>, Origin),
    /// To be kept for as long as the answer goes on.
    Two(StreamPlace),
}

impl StreamPlace {
    pub(crate) fn take(connection: &Arc<Multiplexed>) -> Option<Self> {
        let most = streams_max(&connection.task).min(STREAMS_MAX);
        let more = |in_use| (in_use < most).then_some(in_use + 1);
        connection.in_use.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        Some(Self(connection.clone()))
    }
}

impl Drop for StreamPlace {
    fn drop(&mut self) {
        *lock(&self.0.rests_since) = Instant::now();
        self.0.in_use.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Multiplexed {
    /// Whether it takes no further requests.
    pub(crate) fn is_closed(&self) -> bool {
        self.has_refused.load(Ordering::Relaxed) || self.sender.is_closed()
    }

    /// For how long there has been no request on it.
    pub(crate) fn rested(&self) -> Duration {
        if self.in_use.load(Ordering::Relaxed) > 0 {
            return Duration::ZERO;
        }
        lock(&self.rests_since).elapsed()
    }
}

impl Connection {
    /// Begins to speak on what was dialed.
    ///
    /// # Errors
    /// When the upstream ends it.
    pub(crate) async fn begin(dialed: Dialed, origin: Origin) -> io::Result<Self> {
        let stream = TokioIo::new(dialed.stream);
        if dialed.http2 {
            return Self::begin_two(stream, origin).await;
        }
        let (mut sender, connection) = http1::Builder::new().handshake(stream).await.map_err(io::Error::other)?;
        tokio::spawn(async move {
            if let Err(error) = connection.with_upgrades().await {
                tracing::debug!(%error, "a connection to an upstream ended early");
            }
        });
        sender.ready().await.map_err(io::Error::other)?;
        Ok(Self::One(sender, origin))
    }

    /// It begins when the upstream has said how many requests there may be: more than
    /// that would wait for one another.
    async fn begin_two(stream: TokioIo<Box<dyn Duplex>>, origin: Origin) -> io::Result<Self> {
        let streams = u32::try_from(STREAMS_MAX).unwrap_or(u32::MAX);
        let (sender, connection) = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .keep_alive_interval(PING_EVERY)
            .keep_alive_timeout(PING_EVERY)
            // None, until it says how many.
            .initial_max_send_streams(0)
            .initial_stream_window_size(STREAM_BYTES)
            .initial_connection_window_size(STREAM_BYTES * streams)
            .max_header_list_size(u32::try_from(2 * HEADERS_BYTES_MAX).unwrap_or(u32::MAX))
            .handshake(stream)
            .await
            .map_err(io::Error::other)?;
        let task = Arc::new(Mutex::new(Some(Box::pin(connection))));
        let driven = task.clone();
        tokio::spawn(async move {
            let ended = poll_fn(|context| match lock(&driven).as_mut() {
                Some(task) => task.as_mut().poll(context),
                None => Poll::Ready(Ok(())),
            });
            if let Err(error) = ended.await {
                tracing::debug!(%error, "a connection to an upstream ended early");
            }
            lock(&driven).take();
        });
        // hyper tells nobody when it has come, which is with the first bytes.
        let mut pause = Duration::from_millis(1);
        while streams_max(&task) == 0 {
            if sender.is_closed() {
                return Err(io::Error::new(io::ErrorKind::ConnectionAborted, "the server did not begin HTTP/2"));
            }
            sleep(pause).await;
            pause = (2 * pause).min(Duration::from_millis(50));
        }
        let rests_since = Mutex::new(Instant::now());
        let connection = Multiplexed {
            sender,
            origin,
            task,
            in_use: AtomicUsize::new(1),
            has_refused: AtomicBool::new(false),
            rests_since,
        };
        Ok(Self::Two(StreamPlace(Arc::new(connection))))
    }

    pub(crate) fn origin(&self) -> Origin {
        match self {
            Self::One(_, origin) => *origin,
            Self::Two(place) => place.0.origin,
        }
    }

    /// Sends `request` to `target`.
    ///
    /// # Errors
    /// When something of it may have been taken, and there is no answer.
    pub(crate) async fn send(self, mut request: Request<Outgoing>, target: &Target) -> hyper::Result<Sent> {
        match self {
            Self::One(mut sender, origin) => {
                shape_one(&mut request, target);
                match sender.try_send_request(request).await {
                    Ok(response) => Ok(Sent::Answered(response, Again::One(sender, origin))),
                    Err(error) => not_taken(error),
                }
            }
            Self::Two(place) => {
                shape_two(&mut request, target);
                let copy = http::request::Builder::new().body(());
                // What has a body is not sent twice: it may have been read in part.
                let copy = copy.ok().filter(|_| hyper::body::Body::is_end_stream(request.body())).map(|mut copy| {
                    request.method().clone_into(copy.method_mut());
                    request.uri().clone_into(copy.uri_mut());
                    request.headers().clone_into(copy.headers_mut());
                    *copy.version_mut() = request.version();
                    copy
                });
                match place.0.sender.clone().try_send_request(request).await {
                    Ok(response) => Ok(Sent::Answered(response, Again::Two(place))),
                    Err(error) => match copy {
                        Some(copy) if is_refused(error.error()) => {
                            place.0.has_refused.store(true, Ordering::Relaxed);
                            Ok(Sent::NotTaken(Box::new(copy.map(|()| GuardedBody::empty()))))
                        }
                        _ => not_taken(error),
                    },
                }
            }
        }
    }
}

/// hyper gives a request back when it has sent nothing of it.
fn not_taken(mut error: TrySendError<Request<Outgoing>>) -> hyper::Result<Sent> {
    match error.take_message() {
        Some(request) => Ok(Sent::NotTaken(Box::new(request))),
        None => Err(error.into_error()),
    }
}

/// The upstream says that it has not looked at the request (RFC 9113, section 8.7).
fn is_refused(error: &hyper::Error) -> bool {
    let reason = error.source().and_then(|error| error.downcast_ref::<h2::Error>()).and_then(h2::Error::reason);
    reason == Some(h2::Reason::REFUSED_STREAM)
}

fn shape_one(request: &mut Request<Outgoing>, target: &Target) {
    let mut parts = http::uri::Parts::default();
    parts.path_and_query = Some(target.path.clone());
    // INVARIANT (target): a path alone makes an address.
    *request.uri_mut() = Uri::from_parts(parts).unwrap_or_default();
    *request.version_mut() = Version::HTTP_11;
    request.headers_mut().insert(HOST, target.host.clone());
    request.headers_mut().remove(TE);
    let body = request.body();
    let has_length = hyper::body::Body::size_hint(body).exact().is_some();
    // hyper sends no body with a GET whose length nobody said.
    if !has_length && !hyper::body::Body::is_end_stream(body) {
        request.headers_mut().insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
    say_length_once(request);
}

/// A length that was said twice, or with zeros before it, is said once and plainly.
fn say_length_once(request: &mut Request<Outgoing>) {
    let length = hyper::body::Body::size_hint(request.body()).exact();
    if let (Some(length), true) = (length, request.headers().contains_key(CONTENT_LENGTH)) {
        request.headers_mut().insert(CONTENT_LENGTH, length.into());
    }
}

/// Whether the fields of a request are more than servers of HTTP/2 commonly take,
/// counted as they count (RFC 9113, section 6.5.2): some end the connection, with
/// the requests of others on it.
pub(crate) fn is_too_large_for_two(request: &Request<Outgoing>, target: &Target) -> bool {
    let fields: usize = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 32).sum();
    fields + target.path.as_str().len() + target.host.len() + PSEUDO_FIELDS_BYTES > FIELDS_OF_TWO_MAX
}

fn shape_two(request: &mut Request<Outgoing>, target: &Target) {
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(target.scheme.clone());
    parts.authority = Authority::try_from(target.host.as_bytes()).ok();
    parts.path_and_query = Some(target.path.clone());
    // Where the host is none that HTTP/2 can name, it is sent as a field.
    match Uri::from_parts(parts) {
        Ok(uri) => {
            *request.uri_mut() = uri;
            request.headers_mut().remove(HOST);
        }
        Err(_) => {
            shape_one(request, target);
        }
    }
    say_length_once(request);
    request.headers_mut().remove(TRANSFER_ENCODING);
    *request.version_mut() = Version::HTTP_2;
    if target.trailers {
        request.headers_mut().insert(TE, HeaderValue::from_static("trailers"));
    }
}

#[cfg(test)]
mod tests {
    use super::{Target, shape_one, shape_two};
    use crate::Outgoing;
    use http::header::HeaderValue;
    use http::uri::Scheme;
    use http::{HeaderMap, Request, Version};

    fn target(path: &str) -> Target {
        Target {
            path: path.parse().unwrap(),
            host: HeaderValue::from_static("app.example:81"),
            scheme: Scheme::HTTPS,
            trailers: true,
            upgrades: false,
        }
    }

    #[test]
    fn the_target_is_kept_byte_for_byte_however_often_it_is_tried() {
        for path in ["/a%2e/%7E?x=%zz&&", "//a/../b", "/?"] {
            let mut request = Request::new(Outgoing::empty());
            for _ in 0..2 {
                shape_two(&mut request, &target(path));
                assert_eq!(request.uri().to_string(), format!("https://app.example:81{path}"));
                assert_eq!(request.version(), Version::HTTP_2);
                let mut expected = HeaderMap::new();
                expected.insert("te", HeaderValue::from_static("trailers"));
                assert_eq!(*request.headers(), expected);
                shape_one(&mut request, &target(path));
                assert_eq!(request.uri().to_string(), path);
                assert_eq!(request.version(), Version::HTTP_11);
                let mut expected = HeaderMap::new();
                expected.insert("host", HeaderValue::from_static("app.example:81"));
                assert_eq!(*request.headers(), expected);
            }
        }
    }
}
