//! The tower layer on a hyper server at 70 % of what it can serve.

use super::clock;
use super::load::Load;
use crate::fixture::{Counting, chains_of_four, engine};
use crate::process::{Child, pin_thread};
use crate::timed::median;
use anyhow::{Context, Result};
use barmkin_host::{MemoryStore, Services};
use barmkin_tower::{BarmkinLayer, Options};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Empty;
use hyper::body::{Body, Incoming};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;
use tower::{BoxError, Layer, Service, ServiceExt, service_fn};

/// How much of what the server can serve it is given.
const UTILIZATION: f64 = 0.7;

/// How often that is measured again: on a shared machine it changes, and what was
/// 70 % can be more than all.
const ROUNDS: u32 = 9;

/// The time that requests took in the server, in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub struct Latency {
    /// The median.
    pub p50: f64,
    /// Of a hundred, one takes longer.
    pub p99: f64,
    /// The same of as many requests a second, where the layer does nothing.
    pub p99_empty: f64,
}

/// Finds out what the server can serve, and then how long its requests take
/// when it is given 70 % of it: from the request that hyper hands to the layer
/// to the response that it gets back. Another server with a layer that does
/// nothing takes turns with it. The servers have one core, the load the other.
/// Medians of the rounds that `lasting` is divided into.
///
/// # Errors
/// When the machine has no two cores, or a server ends.
pub fn latency(lasting: Duration) -> Result<Latency> {
    // The thread that loads is this one, for as long as this takes.
    std::thread::scope(|scope| {
        let load = scope.spawn(|| -> Result<Latency> {
            pin_thread(1)?;
            let mut gate = Served::start(&["child", "http"])?;
            let mut empty = Served::start(&["child", "http", "--empty"])?;
            let rounds: Result<Vec<_>> = (0..ROUNDS).map(|_| round(&mut gate, &mut empty, lasting / ROUNDS)).collect();
            let rounds = rounds?;
            let median_of = |number: fn(&Latency) -> f64| median(&mut rounds.iter().map(number).collect::<Vec<_>>());
            Ok(Latency {
                p50: median_of(|it| it.p50),
                p99: median_of(|it| it.p99),
                p99_empty: median_of(|it| it.p99_empty),
            })
        });
        load.join().map_err(|_| anyhow::anyhow!("the load panicked"))?
    })
}

/// The median and the slowest hundredth at 70 % of what the server can serve now.
fn round(gate: &mut Served, empty: &mut Served, lasting: Duration) -> Result<Latency> {
    let requests = 5_000;
    gate.load.reconnect(gate.address, 16)?;
    let took = gate.load.closed(requests)?;
    #[expect(clippy::cast_precision_loss, reason = "some thousands")]
    let per_second = UTILIZATION * requests as f64 / took.as_secs_f64();
    let (p50, p99) = gate.percentiles(per_second, lasting)?;
    let (_, p99_empty) = empty.percentiles(per_second, lasting)?;
    Ok(Latency { p50, p99, p99_empty })
}

/// A server, and the load that it gets.
struct Served {
    server: Child,
    address: SocketAddr,
    load: Load,
}

impl Served {
    fn start(arguments: &[&str]) -> Result<Self> {
        let mut server = Child::of_this_program(arguments)?;
        let address = server.hear()?.parse()?;
        let mut load = Load::connect(address, 16)?;
        load.closed(2_000)?;
        Ok(Self { server, address, load })
    }

    fn percentiles(&mut self, per_second: f64, lasting: Duration) -> Result<(f64, f64)> {
        self.load.reconnect(self.address, 128)?;
        self.server.tell("forget")?;
        self.load.open(per_second, lasting)?;
        self.server.tell("report")?;
        let report = self.server.hear()?;
        let (p50, p99) = report.split_once(' ').context("two numbers")?;
        Ok((p50.parse()?, p99.parse()?))
    }
}

type Samples = Arc<Mutex<Vec<Duration>>>;

/// The child: a server, with the gate or with a layer that does nothing.
///
/// # Errors
/// When it cannot listen.
pub fn serve_http(empty: bool) -> Result<()> {
    let samples = Samples::default();
    std::thread::spawn({
        let samples = samples.clone();
        move || report(&samples)
    });
    pin_thread(0)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    if empty {
        return runtime.block_on(serve(service_fn(answer), samples));
    }
    let mut services = Services::new(MemoryStore::default());
    services.metrics = Arc::new(Counting::default());
    let gate = Arc::new(chains_of_four(engine(), services, 1)?);
    runtime.block_on(serve(BarmkinLayer::new(gate, Options::default()).layer(service_fn(answer)), samples))
}

async fn serve<S, B>(service: S, samples: Samples) -> Result<()>
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible, Future: Send> + Clone + Send + 'static,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    println!("{}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (service, samples) = (service.clone(), samples.clone());
        let timed = hyper::service::service_fn(move |request: Request<Incoming>| {
            let (service, samples) = (service.clone(), samples.clone());
            async move {
                let began = clock::now();
                let response = service.oneshot(request).await;
                samples.lock().unwrap_or_else(PoisonError::into_inner).push(began.elapsed());
                response
            }
        });
        tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), timed));
    }
}

async fn answer<B>(_: Request<B>) -> Result<Response<Empty<Bytes>>, Infallible> {
    Ok(Response::default())
}

/// Does as it is told. When its input ends, so does the server.
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
