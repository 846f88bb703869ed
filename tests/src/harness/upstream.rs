//! The server behind the gate: it answers 200, and remembers what arrived.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// A request that came through.
#[derive(Clone, Debug)]
pub struct Received {
    /// Its method.
    pub method: String,
    /// Its target.
    pub target: String,
    /// Its fields.
    pub fields: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

/// Answers requests, and remembers them.
#[derive(Clone, Debug, Default)]
pub struct Recorder(Arc<Mutex<Vec<Received>>>);

impl Recorder {
    /// Answers one request with 200 and [`Upstream::MARK`].
    ///
    /// # Errors
    /// Never.
    pub async fn answer<B: Body>(self, request: Request<B>) -> Result<Response<Full<Bytes>>, Infallible> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        let received =
            Received { method: head.method.to_string(), target: head.uri.to_string(), fields: head.headers, body };
        self.0.lock().expect("nobody panics with the lock").push(received);
        let mut response = Response::new(Full::from("from the upstream\n"));
        response.headers_mut().insert(Upstream::MARK, HeaderValue::from_static("reached"));
        Ok(response)
    }

    /// The requests that have arrived since the last call.
    pub fn take(&self) -> Vec<Received> {
        std::mem::take(&mut self.0.lock().expect("nobody panics with the lock"))
    }
}

/// A running upstream.
pub struct Upstream {
    server: Server,
    recorder: Recorder,
}

impl Upstream {
    /// The response field by which a test knows that the answer is this
    /// server's own.
    pub const MARK: &str = "x-upstream";

    /// Starts one.
    pub fn start() -> Self {
        let recorder = Recorder::default();
        let server = Server::start(|listener| accept(listener, recorder.clone()));
        Self { server, recorder }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// The requests that have arrived since the last call.
    pub fn take_received(&self) -> Vec<Received> {
        self.recorder.take()
    }
}

async fn accept(listener: TcpListener, recorder: Recorder) {
    while let Ok((stream, _)) = listener.accept().await {
        let recorder = recorder.clone();
        let service = service_fn(move |request| recorder.clone().answer(request));
        // A client that goes away does not concern this server.
        tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

/// A server in this process, on a thread and a port of its own.
pub struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Runs what `serve` makes of a listener, until it is dropped.
    pub fn start<F>(serve: impl FnOnce(TcpListener) -> F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).expect("a free port");
        let address = listener.local_addr().expect("the address of a listener");
        let (stop, stopped) = oneshot::channel();
        let served = serve(listener);
        let until_stopped = async move {
            tokio::select! {
                () = served => {}
                _ = stopped => {}
            }
        };
        let thread = std::thread::spawn(move || runtime.block_on(until_stopped));
        Self { address, stop: Some(stop), thread: Some(thread) }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the server shows in the test that missed its answer.
            let _ = thread.join();
        }
    }
}
