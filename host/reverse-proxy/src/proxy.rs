//! A request's way to the upstream and back.

use crate::connection::Target;
use crate::failure::Failure;
use crate::fields;
use crate::forwarded;
use crate::options::Options;
use crate::patience::{IdleTimeout, Progress, Stall, StallTimeout};
use crate::pool::{Begun, Pool};
use crate::tunnel;
use crate::upgrade::{self, RequestedUpgrade, UpgradeRefused};
use crate::upstream::Http;
use crate::{ClientBody, Outgoing};
use barmkin_host::REQUEST_ID_FIELD;
use barmkin_tower::server::Place;
use barmkin_tower::{CameToNothing, Lasting, Permitted, Secured};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, HeaderValue, UPGRADE};
use http::uri::{PathAndQuery, Scheme};
use http::{Request, Response, StatusCode, Version};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use tokio::task::JoinSet;
use tokio::time::timeout_at;

type Answer = Response<Either<Full<Bytes>, IdleTimeout<Incoming>>>;

/// The way to the upstream and back.
pub(crate) struct Proxy {
    options: Options,
    surroundings: barmkin_tower::Options,
    pool: Arc<Pool>,
    /// Those that routes name.
    pools: BTreeMap<String, Arc<Pool>>,
}

/// The client takes trailers.
#[derive(Clone, Copy, Debug)]
struct TakesTrailers;

impl Proxy {
    pub(crate) fn new(options: Options) -> Self {
        let connect = options.timeouts.connect;
        let named = options.upstreams.iter();
        Self {
            surroundings: options.surroundings(),
            pool: Pool::new(options.upstream.clone(), connect),
            pools: named.map(|(name, upstream)| (name.clone(), Pool::new(upstream.clone(), connect))).collect(),
            options,
        }
    }

    /// Takes over what changes in the files of upstreams, until it is dropped.
    pub(crate) async fn keep_fresh(&self) {
        let mut all = JoinSet::new();
        for tls in self.pools.values().chain([&self.pool]).filter_map(|pool| pool.tls()) {
            let files = tls.files.clone();
            all.spawn(async move { files.keep_fresh().await });
        }
        while all.join_next().await.is_some() {}
        std::future::pending().await
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
        if fields::takes_trailers(&parts.headers) {
            parts.extensions.insert(TakesTrailers);
        }
        fields::strip_for_gate(&mut parts.headers);
        let progress = Progress::default();
        parts.extensions.insert(progress.clone());
        let timeouts = &self.options.timeouts;
        let in_turns = parts.version == Version::HTTP_2;
        let after_it_began = if in_turns { timeouts.tunnel_idle } else { timeouts.body_read };
        let stall = Stall { before_the_answer: timeouts.body_read, after_it_began };
        let place = parts.extensions.get::<Place>().map(Place::downgrade);
        Ok(Request::from_parts(parts, StallTimeout::new(body, stall, timeouts.body_whole, progress, place)))
    }

    /// Behind the gate: asks the upstream.
    pub(crate) async fn forward(self: Arc<Self>, request: Request<Outgoing>) -> Result<Answer, Infallible> {
        let request_id = request.headers().get(REQUEST_ID_FIELD).cloned();
        let named = request.extensions().get::<Permitted>().and_then(Permitted::upstream);
        let pool = match named {
            None => Some(self.pool.clone()),
            Some(name) => self.pools.get(name).cloned(),
        };
        let named = named.map(str::to_owned);
        let answered = match &pool {
            Some(pool) => self.ask(pool, request).await,
            None => Err(Failure::Unreachable),
        };
        Ok(answered.unwrap_or_else(|failure| {
            let upstream = pool.as_ref().map_or(named.as_deref().unwrap_or_default(), |pool| pool.name());
            tracing::warn!(upstream, ?failure, "an allowed request came to nothing");
            let mut response = failure.response(request_id).map(|body| Either::Left(Full::new(body)));
            response.extensions_mut().insert(CameToNothing);
            response
        }))
    }

    async fn ask(&self, pool: &Arc<Pool>, mut request: Request<Outgoing>) -> Result<Answer, Failure> {
        let progress = request.extensions_mut().remove::<Progress>().unwrap_or_default();
        // Kept for the client, and not for a request that it has left.
        let place = request.extensions_mut().remove::<Place>().map(|place| place.downgrade());
        let lasting = request.extensions_mut().remove::<Lasting>();
        let wanted = request.extensions_mut().remove::<RequestedUpgrade>();
        let client_side = hyper::upgrade::on(&mut request);
        // The gate refuses a request whose `connection` names a field that
        // anybody read or that it has set: what goes now was no input.
        fields::strip(request.headers_mut());
        if wanted.is_some() && pool.upstream.http == Http::Two {
            return Err(Failure::UpgradeRefused);
        }
        let target = self.address(pool, &mut request, wanted.is_some())?;
        if let Some(RequestedUpgrade(protocol)) = &wanted {
            fields::set_protocol(request.headers_mut(), protocol.clone());
        }
        let Begun { mut response, place: held } = self.await_response(pool, request, &target, &progress).await?;
        progress.answer();
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
        Ok(response.map(|body| Either::Right(IdleTimeout::new(body, self.options.timeouts.tunnel_idle, held))))
    }

    /// Tells the upstream where the request came from, and says where it goes.
    fn address(&self, pool: &Pool, request: &mut Request<Outgoing>, upgrades: bool) -> Result<Target, Failure> {
        let peer = request.extensions().get::<SocketAddr>().map(SocketAddr::ip);
        let trusted = self.surroundings.trusts(request.extensions());
        let tls = request.extensions().get::<Secured>().is_some();
        let asked = std::mem::take(request.uri_mut());
        forwarded::tell(request.headers_mut(), peer, trusted, tls, &asked);
        // HTTP/1.0 may have no host field, and HTTP/2 has none: the host that was
        // decided about, where there is one.
        let host = request.headers().get(HOST).cloned();
        let host = host.or_else(|| HeaderValue::from_str(asked.authority()?.as_str()).ok());
        Ok(Target {
            path: asked.path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/")),
            host: host.or_else(|| pool.upstream.host()).ok_or(Failure::Broken)?,
            scheme: if pool.tls().is_some() { Scheme::HTTPS } else { Scheme::HTTP },
            trailers: request.extensions_mut().remove::<TakesTrailers>().is_some(),
            upgrades,
        })
    }

    /// The upstream's time runs from when the request's body last moved.
    async fn await_response(
        &self,
        pool: &Arc<Pool>,
        request: Request<Outgoing>,
        target: &Target,
        progress: &Progress,
    ) -> Result<Begun, Failure> {
        progress.stream();
        let mut response = pin!(pool.send(request, target));
        loop {
            let moved = progress.moved();
            match timeout_at(moved + self.options.timeouts.response_header, response.as_mut()).await {
                Ok(Ok(response)) => return Ok(response),
                Ok(Err(_)) if progress.has_failed() => return Err(Failure::BodyTruncated),
                Ok(Err(failure)) => return Err(failure),
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
