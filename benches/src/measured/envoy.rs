//! The gate's cost to an Envoy, over an ext_authz service that does nothing.

use super::load::Load;
use crate::fixture::{chains_of_four, engine};
use crate::process::{Child, CpuTime};
use crate::timed::median;
use anyhow::Result;
use barmkin_envoy::Options;
use barmkin_host::{MemoryStore, Services};
use barmkin_tests::harness::{Envoy, Gate, Server};
use bytes::Bytes;
use envoy_types::ext_authz::v3::pb::{
    Authorization, AuthorizationServer, CheckRequest, CheckResponse, HttpResponse, OkHttpResponse,
};
use envoy_types::pb::google::rpc;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::future::pending;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::{Request, Response, Status};

/// Clients of an Envoy that have a request under way at the same time.
const CONNECTIONS: usize = 16;

/// As the gate's server has it: the body, and 16 MiB for all else.
const MESSAGE_BYTES_MAX: usize = Envoy::BODY_BYTES_MAX as usize + 16 * 1024 * 1024;

/// CPU time of an Envoy and its gate for a request, over that of another Envoy
/// and a service that allows everything, and the four of which these are made.
/// Both have the same upstream, and take turns.
///
/// # Errors
/// When one of them does not start, or a request does not pass.
pub fn envoy(program: &Path, rounds: usize, requests: usize) -> Result<[(&'static str, f64); 5]> {
    let upstream = Server::start(serve_upstream);
    let folder = tempfile::tempdir()?;
    let pair = |role: &str| Pair::start(program, role, &folder.path().join(role), &upstream);
    let (mut gate, mut nothing) = (pair("gate")?, pair("allow-all")?);
    for pair in [&mut gate, &mut nothing] {
        pair.cpu_time_of(requests)?;
    }
    let mut samples: [Vec<f64>; 6] = Default::default();
    for _ in 0..rounds {
        let (with_gate, with_nothing) = (gate.cpu_time_of(requests)?, nothing.cpu_time_of(requests)?);
        let both = [with_gate, with_nothing].into_iter().flat_map(|[service, envoy]| [service, envoy, service + envoy]);
        samples.iter_mut().zip(both).for_each(|(samples, sample)| samples.push(sample));
    }
    let [gate, envoy_of_gate, with_gate, allow_all, envoy_of_allow_all, with_nothing] =
        samples.map(|mut samples| median(&mut samples));
    Ok([
        ("envoy_authz_cpu_over_trivial", with_gate / with_nothing),
        ("envoy_authz_gate", gate),
        ("envoy_authz_gate_envoy", envoy_of_gate),
        ("envoy_authz_trivial", allow_all),
        ("envoy_authz_trivial_envoy", envoy_of_allow_all),
    ])
}

/// An Envoy and whom it asks.
struct Pair {
    service: Child,
    envoy: Envoy,
    load: Load,
}

impl Pair {
    fn start(program: &Path, role: &str, socket: &Path, upstream: &Server) -> Result<Self> {
        let mut service = Child::of_this_program(&["child", role, &socket.to_string_lossy()])?;
        service.hear()?;
        let envoy = Envoy::start(program, &Gate::Unix(socket), upstream.address());
        let load = Load::connect(envoy.address(), CONNECTIONS)?;
        Ok(Self { service, envoy, load })
    }

    /// The CPU time for a request of the service, and of the Envoy, in
    /// nanoseconds: the average of `requests`.
    fn cpu_time_of(&mut self, requests: usize) -> Result<[f64; 2]> {
        let now = || Ok::<_, anyhow::Error>([CpuTime::of(self.service.id())?, CpuTime::of(self.envoy.process_id())?]);
        let before = now()?;
        self.load.closed(requests)?;
        let [service, envoy] = now()?;
        let [service_before, envoy_before] = before;
        #[expect(clippy::cast_precision_loss, reason = "some thousands")]
        let each = |took: Duration| took.as_secs_f64() * 1e9 / requests as f64;
        Ok([each(service.since(&service_before)), each(envoy.since(&envoy_before))])
    }
}

async fn serve_upstream(listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        let service = service_fn(|request: http::Request<Incoming>| async {
            // A body that breaks off shows in the answer that the load misses.
            let _ = request.into_body().collect().await;
            Ok::<_, Infallible>(http::Response::new(Empty::<Bytes>::new()))
        });
        tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

/// The child that is the gate, as `barmkin serve` would be it.
///
/// # Errors
/// When it cannot listen.
pub fn serve_gate(socket: &Path) -> Result<()> {
    let gate = Arc::new(chains_of_four(engine(), Services::new(MemoryStore::default()), 1)?);
    let options = Options { body_bytes_max: Some(Envoy::BODY_BYTES_MAX as usize), ..Options::default() };
    Runtime::new()?.block_on(async {
        let listener = bind(socket)?;
        Ok(barmkin_envoy::serve(listener, gate, options, pending()).await?)
    })
}

/// The child that allows everything, with the settings of the gate's server.
///
/// # Errors
/// When it cannot listen.
pub fn serve_all(socket: &Path) -> Result<()> {
    Runtime::new()?.block_on(async {
        let incoming = UnixListenerStream::new(bind(socket)?);
        let service = AuthorizationServer::new(AllowAll).max_decoding_message_size(MESSAGE_BYTES_MAX);
        Ok(tonic::transport::Server::builder().add_service(service).serve_with_incoming(incoming).await?)
    })
}

fn bind(socket: &Path) -> Result<tokio::net::UnixListener> {
    let listener = tokio::net::UnixListener::bind(socket)?;
    std::thread::spawn(end_with_input);
    println!("ready");
    Ok(listener)
}

/// Ends this process when its parent is gone.
fn end_with_input() {
    for _ in std::io::stdin().lines().map_while(Result::ok) {}
    std::process::exit(0);
}

struct AllowAll;

#[tonic::async_trait]
impl Authorization for AllowAll {
    async fn check(&self, _: Request<CheckRequest>) -> Result<Response<CheckResponse>, Status> {
        Ok(Response::new(CheckResponse {
            status: Some(rpc::Status::default()),
            http_response: Some(HttpResponse::OkResponse(OkHttpResponse::default())),
            dynamic_metadata: None,
        }))
    }
}
