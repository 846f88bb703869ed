//! A request's way to the upstream and back.

use crate::failure::Failure;
use crate::fields;
use crate::forwarded;
use crate::options::Options;
use crate::patience::{IdleTimeout, Progress, StallTimeout};
use crate::tunnel;
use crate::upgrade::{self, RequestedUpgrade, UpgradeRefused};
use barmkin_host::REQUEST_ID_FIELD;
use barmkin_tower::server::Place;
use barmkin_tower::{CameToNothing, GuardedBody, Lasting, Secured};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, HeaderValue, UPGRADE};
use http::{Request, Response, StatusCode, Version};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout_at;

/// How long a connection to the upstream is kept for the next request: less
/// than the five seconds after which common servers close it, since a request
/// that meets the closing is lost.
const IDLE: Duration = Duration::from_secs(4);

type ClientBody = StallTimeout<Incoming>;
type Answer = Response<Either<Full<Bytes>, IdleTimeout<Incoming>>>;

/// The way to the upstream and back.
pub(crate) struct Proxy {
    options: Options,
    surroundings: barmkin_tower::Options,
    client: Client<HttpConnector, GuardedBody<ClientBody>>,
}

impl Proxy {
    pub(crate) fn new(options: Options) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(options.timeouts.connect));
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .set_host(false)
            .build(connector);
        Self { surroundings: options.surroundings(), options, client }
    }

    /// Before the gate: takes off what concerns the client's connection.
    ///
    /// # Errors
    /// When the client asks for a protocol that it may not have.
    pub(crate) fn receive(&self, request: Request<Incoming>) -> Result<Request<ClientBody>, UpgradeRefused> {
        let (mut parts, body) = request.into_parts();
        let requested = upgrade::requested(&parts.method, parts.version, &parts.headers, &self.options.upgrades)?;
        if let Some(requested) = requested {
            parts.extensions.insert(requested);
        }
        fields::strip_for_gate(&mut parts.headers);
        let progress = Progress::default();
        parts.extensions.insert(progress.clone());
        let timeouts = &self.options.timeouts;
        Ok(Request::from_parts(parts, StallTimeout::new(body, timeouts.body_read, timeouts.body_whole, progress)))
    }

    /// Behind the gate: asks the upstream.
    pub(crate) async fn forward(
        self: Arc<Self>,
        request: Request<GuardedBody<ClientBody>>,
    ) -> Result<Answer, Infallible> {
        let request_id = request.headers().get(REQUEST_ID_FIELD).cloned();
        Ok(self.ask(request).await.unwrap_or_else(|failure| {
            tracing::warn!(upstream = %self.options.upstream, ?failure, "an allowed request came to nothing");
            let mut response = failure.response(request_id).map(|body| Either::Left(Full::new(body)));
            response.extensions_mut().insert(CameToNothing);
            response
        }))
    }

    async fn ask(&self, mut request: Request<GuardedBody<ClientBody>>) -> Result<Answer, Failure> {
        let progress = request.extensions_mut().remove::<Progress>().unwrap_or_default();
        // Kept for the client, and not for a request that it has left.
        let place = request.extensions_mut().remove::<Place>().map(|place| place.downgrade());
        let lasting = request.extensions_mut().remove::<Lasting>();
        let wanted = request.extensions_mut().remove::<RequestedUpgrade>();
        let client_side = hyper::upgrade::on(&mut request);
        // The gate refuses a request whose `connection` names a field that
        // anybody read or that it has set: what goes now was no input.
        fields::strip(request.headers_mut());
        self.address(&mut request);
        if let Some(RequestedUpgrade(protocol)) = &wanted {
            fields::set_protocol(request.headers_mut(), protocol.clone());
        }
        let mut response = self.await_response(request, &progress).await?;
        let place = place.and_then(|place| place.upgrade());
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            let (Some(RequestedUpgrade(protocol)), Some(place)) = (wanted, place) else { return Err(Failure::Broken) };
            self.switch(&mut response, client_side, protocol.as_bytes(), place, lasting)?;
        } else {
            if is_event_stream(&response) && place.is_some_and(|place| !place.outlive()) {
                return Err(Failure::NoPlace);
            }
            fields::strip(response.headers_mut());
        }
        *response.version_mut() = Version::HTTP_11;
        Ok(response.map(|body| Either::Right(IdleTimeout::new(body, self.options.timeouts.tunnel_idle))))
    }

    fn address(&self, request: &mut Request<GuardedBody<ClientBody>>) {
        let peer = request.extensions().get::<SocketAddr>().map(SocketAddr::ip);
        let trusted = self.surroundings.trusts(request.extensions());
        let tls = request.extensions().get::<Secured>().is_some();
        let asked = std::mem::take(request.uri_mut());
        forwarded::tell(request.headers_mut(), peer, trusted, tls, &asked);
        if !request.headers().contains_key(HOST) {
            // HTTP/1.0: the host that was decided about, where there is one.
            let asked = asked.authority().and_then(|authority| HeaderValue::from_str(authority.as_str()).ok());
            if let Some(host) = asked.or_else(|| self.options.upstream.host()) {
                request.headers_mut().insert(HOST, host);
            }
        }
        *request.uri_mut() = self.options.upstream.address_of(&asked);
        *request.version_mut() = Version::HTTP_11;
    }

    /// The upstream's time runs from when the request's body last moved.
    async fn await_response(
        &self,
        request: Request<GuardedBody<ClientBody>>,
        progress: &Progress,
    ) -> Result<Response<Incoming>, Failure> {
        progress.stream();
        let mut response = pin!(self.client.request(request));
        loop {
            let moved = progress.moved();
            match timeout_at(moved + self.options.timeouts.response_header, response.as_mut()).await {
                Ok(Ok(response)) => return Ok(response),
                Ok(Err(error)) => return Err(Failure::of(&error)),
                Err(_) if progress.moved() > moved => {}
                // The client's own time runs.
                Err(_) if progress.is_awaited() => progress.touch(),
                Err(_) => return Err(Failure::Late),
            }
        }
    }

    /// Both sides change to the protocol that the client asked for.
    fn switch(
        &self,
        response: &mut Response<Incoming>,
        client_side: OnUpgrade,
        wanted: &[u8],
        place: Place,
        lasting: Option<Lasting>,
    ) -> Result<(), Failure> {
        let agreed = response.headers().get(UPGRADE).cloned().ok_or(Failure::Broken)?;
        if !wanted.eq_ignore_ascii_case(agreed.as_bytes()) {
            return Err(Failure::Broken);
        }
        fields::strip(response.headers_mut());
        fields::set_protocol(response.headers_mut(), agreed);
        if !place.outlive() {
            return Err(Failure::NoPlace);
        }
        tunnel::join(client_side, hyper::upgrade::on(response), place, lasting, self.options.timeouts.tunnel_idle);
        Ok(())
    }
}

/// Events may be hours apart, and a client's connection is then one that no
/// request needs.
fn is_event_stream<B>(response: &Response<B>) -> bool {
    let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = content_type.split(';').next().unwrap_or_default();
    kind.trim().eq_ignore_ascii_case("text/event-stream")
}
