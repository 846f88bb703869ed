//! Connects to an upstream.

use crate::upstream::{Address, Http, Tls, Upstream};
use barmkin_tls::{HTTP, HTTP1, HTTP2};
use http::Uri;
use http::uri::{Authority, PathAndQuery, Scheme};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use std::error::Error;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::Semaphore;
use tower::{Service, ServiceExt};

/// Names of one upstream that are looked up at a time. The system may take half a
/// minute for one, and its threads are for others too.
const LOOKUPS_MAX: usize = 4;

/// Addresses of one name that are tried.
const OF_A_NAME_MAX: usize = 8;

/// Bytes both ways.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// A connection to an upstream, on which nothing was said so far.
pub(crate) struct Dialed {
    pub(crate) stream: Box<dyn Duplex>,
    /// Whether it speaks HTTP/2.
    pub(crate) http2: bool,
    /// Changes of the certificates before it.
    pub(crate) changes: u64,
}

/// Connects to an upstream.
pub(crate) struct Dialer {
    tcp: HttpConnector<Resolver>,
}

impl Dialer {
    /// One that shares `within` among the addresses of a name.
    pub(crate) fn new(within: Duration) -> Self {
        let mut tcp = HttpConnector::new_with_resolver(Resolver(Arc::new(Semaphore::new(LOOKUPS_MAX))));
        tcp.set_connect_timeout(Some(within));
        tcp.set_nodelay(true);
        tcp.enforce_http(false);
        Self { tcp }
    }

    /// Connects to `address` of `upstream`, and shakes hands.
    ///
    /// # Errors
    /// Whatever the system, or TLS, says.
    pub(crate) async fn dial(&self, upstream: &Upstream, address: &Address, one_only: bool) -> io::Result<Dialed> {
        let http2 = upstream.http == Http::Two;
        match address {
            Address::Unix(path) => Ok(Dialed { stream: Box::new(UnixStream::connect(path).await?), http2, changes: 0 }),
            Address::Http(authority) => {
                let stream = self.connect(Scheme::HTTP, authority).await?;
                Ok(Dialed { stream: Box::new(stream), http2, changes: 0 })
            }
            Address::Https(authority) => {
                let Some(tls) = &upstream.tls else { return Err(io::ErrorKind::Unsupported.into()) };
                let stream = self.connect(Scheme::HTTPS, authority).await?;
                secure(tls, upstream.http, authority, stream, one_only).await
            }
        }
    }

    async fn connect(&self, scheme: Scheme, authority: &Authority) -> io::Result<TcpStream> {
        let uri =
            Uri::builder().scheme(scheme).authority(authority.clone()).path_and_query(PathAndQuery::from_static("/"));
        let connected = self.tcp.clone().oneshot(uri.build().map_err(io::Error::other)?).await;
        connected.map(hyper_util::rt::TokioIo::into_inner).map_err(|error| {
            let kind = std::iter::successors(error.source(), |&error| error.source())
                .find_map(|error| error.downcast_ref::<io::Error>());
            io::Error::new(kind.map_or(io::ErrorKind::Other, io::Error::kind), error)
        })
    }
}

async fn secure(tls: &Tls, http: Http, authority: &Authority, stream: TcpStream, one_only: bool) -> io::Result<Dialed> {
    let host = authority.host();
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let name = tls.name.as_deref().unwrap_or(host);
    let offer = match http {
        Http::Two => HTTP2,
        Http::Auto if !one_only => HTTP,
        Http::One | Http::Auto => HTTP1,
    };
    // Before the handshake: what changes during it, is for the next one.
    let changes = tls.files.changes();
    let stream = tls.files.connect(name, stream, offer).await?;
    let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    if http == Http::Two && !http2 {
        return Err(io::Error::new(io::ErrorKind::Unsupported, "the server does not speak HTTP/2"));
    }
    Ok(Dialed { stream: Box::new(stream), http2, changes })
}

/// The system's own resolver, on threads for what blocks.
#[derive(Clone)]
struct Resolver(Arc<Semaphore>);

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let lookups = self.0.clone();
        Box::pin(async move {
            let turn = lookups.acquire_owned().await.map_err(io::Error::other)?;
            let looked_up = tokio::task::spawn_blocking(move || {
                // Kept until the system has answered, though nobody may wait for it.
                let _turn = turn;
                let found: Vec<_> = (name.as_str(), 0).to_socket_addrs()?.take(OF_A_NAME_MAX).collect();
                Ok(found.into_iter())
            });
            looked_up.await.map_err(io::Error::other)?
        })
    }
}
