//! gRPC by tonic through the gate: single calls, and streams both ways.

use crate::certificates::{Ca, Folder, client};
use crate::peers::{Front, https, plain, server, trusting};
use crate::routes::open;
use barmkin_reverse_proxy::{Http, Options};
use barmkin_tls::{HTTP, ServerTls};
use bytes::{Buf, BufMut, Bytes};
use http::uri::PathAndQuery;
use hyper::service::service_fn as hyper_service;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rustls::pki_types::ServerName;
use rustls::version::TLS13;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt};
use tonic::body::Body;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Response, Status, Streaming};
use tower::service_fn;

/// Messages are bytes.
#[derive(Clone, Copy, Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}

/// Sends back what it gets; `stop` ends it with an error.
async fn echo(request: http::Request<hyper::body::Incoming>) -> Result<http::Response<Body>, Infallible> {
    let checked = |message: Bytes| match &message[..] {
        b"stop" => Err(Status::with_metadata(Code::Aborted, "as told", metadata())),
        _ => Ok(message),
    };
    let mut grpc = tonic::server::Grpc::new(Raw);
    Ok(if request.uri().path().ends_with("/single") {
        let single = service_fn(|request: Request<Bytes>| async { checked(request.into_inner()).map(Response::new) });
        grpc.unary(single, request).await
    } else {
        let streams = service_fn(|request: Request<Streaming<Bytes>>| async {
            let answers = request.into_inner().map(move |message| checked(message?));
            Ok::<_, Status>(Response::new(Box::pin(answers) as std::pin::Pin<Box<dyn Stream<Item = _> + Send>>))
        });
        grpc.streaming(streams, request).await
    })
}

fn metadata() -> tonic::metadata::MetadataMap {
    let mut metadata = tonic::metadata::MetadataMap::new();
    metadata.insert("x-detail", "1".parse().unwrap());
    metadata
}

async fn upstream(tls: Option<TlsAcceptor>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let tls = tls.clone();
            tokio::spawn(async move {
                let http = auto::Builder::new(TokioExecutor::new()).http2_only();
                match tls {
                    None => drop(http.serve_connection(TokioIo::new(stream), hyper_service(echo)).await),
                    Some(tls) => {
                        let stream = tls.accept(stream).await.unwrap();
                        drop(http.serve_connection(TokioIo::new(stream), hyper_service(echo)).await);
                    }
                }
            });
        }
    });
    address
}

async fn ready(channel: Channel) -> tonic::client::Grpc<Channel> {
    let mut grpc = tonic::client::Grpc::new(channel);
    grpc.ready().await.unwrap();
    grpc
}

async fn talk(channel: Channel) {
    let mut grpc = ready(channel.clone()).await;
    let path = PathAndQuery::from_static("/test.Echo/single");
    let answer = grpc.unary(Request::new(Bytes::from("a message")), path.clone(), Raw).await.unwrap();
    assert_eq!(answer.into_inner(), "a message");
    let mut grpc = ready(channel.clone()).await;
    let failed = grpc.unary(Request::new(Bytes::from("stop")), path, Raw).await.unwrap_err();
    assert_eq!((failed.code(), failed.message()), (Code::Aborted, "as told"));

    let mut grpc = ready(channel).await;
    let (say, said) = mpsc::channel(1);
    let path = PathAndQuery::from_static("/test.Echo/streams");
    say.send(Bytes::from("first")).await.unwrap();
    let answers = grpc.streaming(Request::new(ReceiverStream::new(said)), path, Raw).await.unwrap();
    let mut answers = answers.into_inner();
    assert_eq!(answers.message().await.unwrap().unwrap(), "first");
    // Longer than a client of HTTP/1.1 may be silent here.
    tokio::time::sleep(Duration::from_millis(500)).await;
    for index in 0..20 {
        // Each is sent when the one before is back.
        let message = Bytes::from(vec![index; 100_000]);
        say.send(message.clone()).await.unwrap();
        assert_eq!(answers.message().await.unwrap().unwrap(), message);
    }
    say.send(Bytes::from("stop")).await.unwrap();
    let failed = answers.message().await.unwrap_err();
    assert_eq!((failed.code(), failed.message()), (Code::Aborted, "as told"));
    assert_eq!(failed.metadata().get("x-detail").unwrap(), "1");
}

fn options(upstream: barmkin_reverse_proxy::Upstream) -> Options {
    let mut options = Options::new(upstream);
    options.timeouts.body_read = Duration::from_millis(300);
    options
}

#[tokio::test]
async fn it_passes_without_tls() {
    let address = upstream(None).await;
    let mut options = options(plain(&[address], Http::Two));
    options.bounds.cleartext_http2 = true;
    let front = Front::serve(open(&[("/", None)]), options, None).await;
    let endpoint = Endpoint::from_shared(format!("http://{}", front.address)).unwrap();
    talk(endpoint.connect().await.unwrap()).await;
}

#[tokio::test]
async fn it_passes_with_tls_on_both_sides() {
    let (ca, folder) = (Ca::new(), Folder::new());
    let address = upstream(Some(TlsAcceptor::from(Arc::new(server(&ca.server(), None))))).await;
    let tls = ServerTls::load(folder.files(&ca.server(), None), HTTP).unwrap();
    let options = options(https(address, Http::Auto, trusting(&folder, &ca)));
    let front = Front::serve(open(&[("/", None)]), options, Some(tls)).await;
    let mut config = client(&ca, None, &TLS13);
    config.alpn_protocols = vec![b"h2".to_vec()];
    let (connector, address) = (TlsConnector::from(Arc::new(config)), front.address);
    let connect = service_fn(move |_: http::Uri| {
        let connector = connector.clone();
        async move {
            let stream = TcpStream::connect(address).await?;
            let stream = connector.connect(ServerName::try_from("localhost").unwrap(), stream).await?;
            Ok::<_, std::io::Error>(TokioIo::new(stream))
        }
    });
    talk(Endpoint::from_static("http://localhost").connect_with_connector(connect).await.unwrap()).await;
}
