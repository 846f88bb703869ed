//! The tower layer on a hyper server at 70 % of what it can serve.

use super::clock;
use super::load::Load;
use crate::fixture::{Counting, chains_of_four, engine};
use crate::process::{Child, pin_thread};
use crate::timed::median;
use anyhow::{Context, Result};
use barmkin_host::{MemoryStore, Services};
use barmkin_tower::{BarmkinLayer, GuardedBody, Options};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;
use tower::{Layer, ServiceExt, service_fn};

/// How much of what the server can serve it is given.
const UTILIZATION: f64 = 0.7;

/// How often it is found out anew what that is: on a shared machine it changes,
/// and what was 70 % can be more than all.
const ROUNDS: u32 = 9;

/// What requests took in the server, in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub struct Latency {
    /// The median.
    pub p50: f64,
    /// Of a hundred, one takes longer.
    pub p99: f64,
}

/// Finds out what the server can serve, and then how long its requests take
/// when it is given 70 % of it: from the request that hyper hands to the layer
/// to the response that it gets back. The server has one core, the load the
/// other. Medians of the rounds that `lasting` is divided into.
///
/// # Errors
/// When the machine has no two cores, or the server ends.
pub fn latency(lasting: Duration) -> Result<Latency> {
    let mut server = Child::of_this_program(&["child", "http"])?;
    let address: SocketAddr = server.hear()?.parse()?;
    // The thread that loads is this one, for as long as this takes.
    std::thread::scope(|scope| {
        let load = scope.spawn(|| -> Result<Latency> {
            pin_thread(1)?;
            let mut load = Load::connect(address, 16)?;
            load.closed(2_000)?;
            let rounds: Result<Vec<_>> =
                (0..ROUNDS).map(|_| round(&mut server, &mut load, address, lasting / ROUNDS)).collect();
            let (mut p50, mut p99): (Vec<_>, Vec<_>) = rounds?.into_iter().unzip();
            Ok(Latency { p50: median(&mut p50), p99: median(&mut p99) })
        });
        load.join().map_err(|_| anyhow::anyhow!("the load panicked"))?
    })
}

/// The median and the slowest hundredth at 70 % of what the server can serve now.
fn round(server: &mut Child, load: &mut Load, address: SocketAddr, lasting: Duration) -> Result<(f64, f64)> {
    let requests = 5_000;
    load.reconnect(address, 16)?;
    let took = load.closed(requests)?;
    load.reconnect(address, 128)?;
    server.tell("forget")?;
    #[expect(clippy::cast_precision_loss, reason = "some thousands")]
    load.open(UTILIZATION * requests as f64 / took.as_secs_f64(), lasting)?;
    server.tell("report")?;
    let report = server.hear()?;
    let (p50, p99) = report.split_once(' ').context("two numbers")?;
    Ok((p50.parse()?, p99.parse()?))
}

type Samples = Arc<Mutex<Vec<Duration>>>;

/// The child: the server.
///
/// # Errors
/// When it cannot listen.
pub fn serve_http() -> Result<()> {
    let samples = Samples::default();
    std::thread::spawn({
        let samples = samples.clone();
        move || report(&samples)
    });
    pin_thread(0)?;
    let mut services = Services::new(MemoryStore::default());
    services.metrics = Arc::new(Counting::default());
    let gate = Arc::new(chains_of_four(engine(), services, 1)?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let guarded = BarmkinLayer::new(gate, Options::default()).layer(service_fn(answer));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        println!("{}", listener.local_addr()?);
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let (guarded, samples) = (guarded.clone(), samples.clone());
            let service = hyper::service::service_fn(move |request: Request<Incoming>| {
                let (guarded, samples) = (guarded.clone(), samples.clone());
                async move {
                    let began = clock::now();
                    let response = guarded.oneshot(request).await;
                    samples.lock().unwrap_or_else(PoisonError::into_inner).push(began.elapsed());
                    response
                }
            });
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    })
}

async fn answer(_: Request<GuardedBody<Incoming>>) -> Result<Response<Empty<Bytes>>, Infallible> {
    Ok(Response::default())
}

/// Does what it is told. When nobody tells it any more, the server ends.
fn report(samples: &Samples) {
    for line in std::io::stdin().lines().map_while(Result::ok) {
        let mut samples = samples.lock().unwrap_or_else(PoisonError::into_inner);
        if line == "report" {
            samples.sort_unstable();
            let at = |of_hundred: usize| samples.get(samples.len() * of_hundred / 100).map_or(0, Duration::as_nanos);
            println!("{} {}", at(50), at(99));
        }
        samples.clear();
    }
    std::process::exit(0);
}
