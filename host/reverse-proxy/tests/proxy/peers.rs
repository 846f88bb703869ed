//! Clients and upstreams that speak either version of HTTP, with TLS or without.

use crate::certificates::{Ca, Folder, Identity};
use crate::gate;
use crate::routes::open;
use barmkin_reverse_proxy::{Address, Http, Options, Socket, Tls, Upstream, UpstreamTls, serve};
use barmkin_tls::{HTTP, LeastVersion, ServerTls, Trust, UpstreamFiles};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Version};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio_rustls::TlsAcceptor;
use tokio_stream::StreamExt;

pub(crate) type AnyBody = UnsyncBoxBody<Bytes, io::Error>;

/// A request that reached an upstream.
pub(crate) struct Seen {
    pub(crate) version: Version,
    pub(crate) target: String,
    pub(crate) fields: HeaderMap,
    pub(crate) body: Bytes,
}

/// An upstream that answers by the last part of the path, and remembers.
pub(crate) struct Behind {
    pub(crate) address: SocketAddr,
    pub(crate) seen: mpsc::UnboundedReceiver<Seen>,
    pub(crate) connections: Arc<AtomicUsize>,
    /// Lets requests for `/wait` be answered, and those for `/breaks` break off.
    pub(crate) go_on: Arc<Semaphore>,
}

/// Bytes of the answer to `/large`: no window takes them.
pub(crate) const LARGE: usize = 4 * 1024 * 1024;

#[derive(Clone)]
struct Answering {
    tell: mpsc::UnboundedSender<Seen>,
    connections: Arc<AtomicUsize>,
    go_on: Arc<Semaphore>,
    streams: u32,
}

impl Behind {
    pub(crate) async fn start() -> Self {
        Self::with(None, 200).await
    }

    pub(crate) async fn secure(config: ServerConfig) -> Self {
        Self::with(Some(config), 200).await
    }

    /// With this many `streams` at once on a connection.
    pub(crate) async fn with(tls: Option<ServerConfig>, streams: u32) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (behind, answering) = Self::at(address, streams);
        let tls = tls.map(|config| TlsAcceptor::from(Arc::new(config)));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (tls, answering) = (tls.clone(), answering.clone());
                tokio::spawn(async move {
                    match tls {
                        None => answering.serve(stream).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                answering.serve(stream).await;
                            }
                        }
                    }
                });
            }
        });
        behind
    }

    pub(crate) fn on_socket(listener: UnixListener) -> Self {
        let (behind, answering) = Self::at("0.0.0.0:0".parse().unwrap(), 200);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let answering = answering.clone();
                tokio::spawn(async move { answering.serve(stream).await });
            }
        });
        behind
    }

    fn at(address: SocketAddr, streams: u32) -> (Self, Answering) {
        let (tell, seen) = mpsc::unbounded_channel();
        let (connections, go_on) = (Arc::<AtomicUsize>::default(), Arc::new(Semaphore::new(0)));
        let answering = Answering { tell, connections: connections.clone(), go_on: go_on.clone(), streams };
        (Self { address, seen, connections, go_on }, answering)
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

impl Answering {
    async fn serve(self, stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) {
        self.connections.fetch_add(1, Ordering::Relaxed);
        let mut http = auto::Builder::new(TokioExecutor::new());
        http.http2().max_concurrent_streams(self.streams);
        let service = service_fn(move |request| self.clone().answer(request));
        let _ = http.serve_connection_with_upgrades(TokioIo::new(stream), service).await;
    }

    async fn answer(self, request: Request<Incoming>) -> Result<Response<AnyBody>, Infallible> {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path().to_owned();
        let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        let target = parts.uri.to_string();
        let _ = self.tell.send(Seen { version: parts.version, target, fields: parts.headers, body });
        let body = match path.rsplit('/').next().unwrap() {
            "forever" => std::future::pending().await,
            "wait" => {
                self.go_on.acquire().await.unwrap().forget();
                whole("ok")
            }
            "large" => whole(vec![b'a'; LARGE]),
            "breaks" => {
                let part = tokio_stream::once(Ok(Frame::data("a part".into())));
                let go_on = self.go_on.clone();
                let broken = async move {
                    go_on.acquire().await.unwrap().forget();
                    Err(io::ErrorKind::Other.into())
                };
                StreamBody::new(part.chain(futures_of(broken))).boxed_unsync()
            }
            "trailers" => {
                let trailer = (HeaderName::from_static("x-checksum"), HeaderValue::from_static("1"));
                let trailers = HeaderMap::from_iter([trailer]);
                frames(vec![Ok(Frame::data("a part".into())), Ok(Frame::trailers(trailers))])
            }
            _ => whole("ok"),
        };
        Ok(Response::new(body))
    }
}

/// A stream of what `future` gives.
fn futures_of<T: Send + 'static>(
    future: impl Future<Output = T> + Send + 'static,
) -> tokio_stream::wrappers::ReceiverStream<T> {
    let (give, given) = mpsc::channel(1);
    tokio::spawn(async move { drop(give.send(future.await).await) });
    given.into()
}

fn frames(frames: Vec<io::Result<Frame<Bytes>>>) -> AnyBody {
    StreamBody::new(tokio_stream::iter(frames)).boxed_unsync()
}

pub(crate) fn whole(bytes: impl Into<Bytes>) -> AnyBody {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// A proxy, behind which everything is open. It speaks HTTP/2 without TLS.
pub(crate) struct Front {
    pub(crate) address: SocketAddr,
    _stop: oneshot::Sender<()>,
}

impl Front {
    pub(crate) async fn before(behind: &Behind) -> Self {
        Self::with(plain(&[behind.address], Http::Auto), |_| {}).await
    }

    pub(crate) async fn with(upstream: Upstream, adjust: impl FnOnce(&mut Options)) -> Self {
        let mut options = Options::new(upstream);
        options.bounds.cleartext_http2 = true;
        adjust(&mut options);
        Self::serve(open(&[("/", None)]), options, None).await
    }

    /// With [`gate::gate`] in it.
    pub(crate) async fn guarded(upstream: Upstream) -> Self {
        let mut options = Options::new(upstream);
        options.bounds.cleartext_http2 = true;
        Self::serve(gate::gate(), options, None).await
    }

    pub(crate) async fn serve(gate: Arc<barmkin_host::Gate>, options: Options, tls: Option<Arc<ServerTls>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let mut socket = Socket::from(listener);
        socket.opening.tls = tls;
        tokio::spawn(serve(socket, gate, options, async { drop(stopped.await) }));
        Self { address, _stop: stop }
    }

    pub(crate) async fn http2(&self) -> http2::SendRequest<AnyBody> {
        http2_on(TcpStream::connect(self.address).await.unwrap()).await
    }

    /// Sends one request of HTTP/1.1, and says its status and the reason in it.
    pub(crate) async fn get(&self, path: &str) -> (StatusCode, Option<String>) {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let request = Request::get(path).header("host", "app").body(whole("")).unwrap();
        let response = sender.send_request(request).await.unwrap();
        let reason = reason_of(&response);
        (response.status(), reason)
    }
}

pub(crate) async fn http2_on(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
) -> http2::SendRequest<AnyBody> {
    let http = http2::Builder::new(TokioExecutor::new());
    let (sender, connection) = http.handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

pub(crate) fn reason_of<B>(response: &Response<B>) -> Option<String> {
    response.headers().get("barmkin-reason").map(|reason| reason.to_str().unwrap().to_owned())
}

pub(crate) fn get(path: &str) -> Request<AnyBody> {
    Request::get(format!("http://app{path}")).body(whole("")).unwrap()
}

pub(crate) fn post(path: &str, body: &'static str) -> Request<AnyBody> {
    Request::post(format!("http://app{path}")).body(whole(body)).unwrap()
}

pub(crate) fn delivery(path: &str, body: &'static str) -> Request<AnyBody> {
    let request = Request::post(format!("http://app{path}")).header("x-hub-signature-256", gate::sign(body.as_bytes()));
    request.body(whole(body)).unwrap()
}

/// Upstreams without TLS.
pub(crate) fn plain(addresses: &[SocketAddr], http: Http) -> Upstream {
    let addresses = addresses.iter().map(|address| format!("http://{address}").parse().unwrap()).collect();
    Upstream::new(addresses, http, None).unwrap()
}

/// One with TLS, known as `localhost`.
pub(crate) fn https(address: SocketAddr, http: Http, files: UpstreamFiles) -> Upstream {
    let address: Address = format!("https://{address}").parse().unwrap();
    let tls = Tls { files: UpstreamTls::load(files).unwrap(), name: Some("localhost".to_owned()) };
    Upstream::new(vec![address], http, Some(tls)).unwrap()
}

pub(crate) fn trusting(folder: &Folder, ca: &Ca) -> UpstreamFiles {
    let roots = Some(folder.write("roots.pem", &ca.pem(), 0o644));
    let trust = Trust::Roots { roots, pins: Vec::new() };
    UpstreamFiles { trust, identity: None, least_version: LeastVersion::default() }
}

/// A server's side, which asks for certificates of `clients`.
pub(crate) fn server(identity: &Identity, clients: Option<&Ca>) -> ServerConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = match clients {
        None => WebPkiClientVerifier::no_client_auth(),
        Some(ca) => {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from_pem_slice(ca.pem().as_bytes()).unwrap()).unwrap();
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build().unwrap()
        }
    };
    let chain = CertificateDer::pem_slice_iter(identity.certificate.as_bytes()).map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)
        .unwrap();
    config.alpn_protocols = HTTP.iter().map(|protocol| protocol.to_vec()).collect();
    config
}
