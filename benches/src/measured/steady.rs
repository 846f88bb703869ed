//! A gate in its steady state: what requests still ask of the kernel.

use crate::fixture::{Deliveries, chains_of_four};
use crate::process::{Child, Traced, mark, thread_faults};
use anyhow::{Result, ensure};
use barmkin_host::{Body, Engine, EngineSettings, MemoryLimits, MemoryStore, Services};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::available_parallelism;
use std::time::Duration;

/// The most shards that wasmtime divides its pool into.
const SHARDS_MAX: usize = 16;

/// How far the store's clock moves with each request: nonces are remembered
/// for some eleven minutes, so that about a hundred are live.
const STEP: Duration = Duration::from_secs(6);

/// Has the C library copy and clear memory by vectors.
const NO_REPETITIONS: &str =
    "glibc.cpu.x86_rep_movsb_threshold=1000000000:glibc.cpu.x86_rep_stosb_threshold=1000000000";

/// How the pool is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Pool {
    /// As it is here.
    Here,
    /// With as few warm slots for each shard as on a machine with sixteen
    /// cores or more.
    OfSixteenShards,
}

/// The instructions to the child.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Steady {
    /// How the pool is divided.
    #[arg(long)]
    pub pool: Pool,
    /// Routes, each with four policies of its own.
    #[arg(long)]
    pub routes: usize,
    /// Requests that are counted.
    #[arg(long)]
    pub requests: usize,
    /// Requests before.
    #[arg(long)]
    pub warm_up: usize,
    /// Whether a tracer counts, which wants marks; otherwise page faults are
    /// counted here.
    #[arg(long)]
    pub traced: bool,
    /// Whether nothing ever ticks: a thread that is followed step by step
    /// would miss every deadline.
    #[arg(long)]
    pub no_ticker: bool,
}

/// System calls that map memory, and page faults, of a request, with 64
/// policies loaded: of the worse of two pools.
///
/// # Errors
/// When the machine cannot count them.
pub fn steady(requests: usize, warm_up: usize) -> Result<[(&'static str, f64); 2]> {
    let program = std::env::current_exe()?;
    let mut worst = [0.0_f64; 2];
    for pool in [Pool::Here, Pool::OfSixteenShards] {
        let work = |traced| Steady { pool, routes: 16, requests, warm_up, traced, no_ticker: false };
        let calls = Traced::follow(work(true).start(&program)?)?.mapping_calls()?;
        let faults = faults(work(false).start(&program)?)?;
        for (worst, count) in worst.iter_mut().zip([calls, faults]) {
            #[expect(clippy::cast_precision_loss, reason = "counts are small")]
            let per_request = count as f64 / requests as f64;
            *worst = worst.max(per_request);
        }
    }
    let [calls, faults] = worst;
    Ok([("mm_syscalls_per_request", calls), ("page_faults_per_request", faults)])
}

/// Has a child that nobody traces do its work, and gives the page faults that it
/// counts.
///
/// # Errors
/// When it ends before.
pub fn faults(mut child: Child) -> Result<u64> {
    child.hear()?;
    child.tell("")?;
    Ok(child.hear()?.parse()?)
}

impl Steady {
    /// Starts `program`, the bench, as a child that does it once it is told to.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(self, program: &Path) -> Result<Child> {
        let mut command = Command::new(program);
        // Steps through a repeated instruction are as many as its repetitions.
        command.env("GLIBC_TUNABLES", NO_REPETITIONS);
        command.args(["child", "steady", "--pool"]).arg(match self.pool {
            Pool::Here => "here",
            Pool::OfSixteenShards => "of-sixteen-shards",
        });
        command.arg("--routes").arg(self.routes.to_string());
        command.arg("--requests").arg(self.requests.to_string());
        command.arg("--warm-up").arg(self.warm_up.to_string());
        command.args(self.traced.then_some("--traced")).args(self.no_ticker.then_some("--no-ticker"));
        Child::start(&mut command)
    }

    /// Does it: deliveries to all routes in turn, one in ten of them forged,
    /// one in twenty of 64 KiB and the others of 1 KiB.
    ///
    /// # Errors
    /// When the gate cannot be built, or decides wrongly.
    pub fn run(self) -> Result<()> {
        let time = Arc::new(AtomicU64::new(0));
        let services = Services::new(MemoryStore::with_clock(MemoryLimits::default(), {
            let time = time.clone();
            move || STEP.saturating_mul(time.load(Ordering::Relaxed).try_into().unwrap_or(u32::MAX))
        }));
        let gate = chains_of_four(&Engine::new(&self.engine())?, services, self.routes)?;
        let mut deliveries = Deliveries::default();
        let mut requests = |count: usize| -> Result<()> {
            for n in 0..count {
                time.fetch_add(1, Ordering::Relaxed);
                let delivery = deliveries.next_to(n % self.routes, if n % 20 == 10 { 64 * 1024 } else { 1024 });
                let forged = n % 10 == 5;
                let (head, body) = if forged { delivery.forged() } else { delivery }.into_head();
                let verdict = gate.check_now(head, Body::Whole(body))?;
                let expected = forged.then_some("signature-mismatch");
                ensure!(verdict.reason().map(|reason| reason.as_str()) == expected, "{:?}", verdict.steps());
            }
            Ok(())
        };
        println!("ready");
        std::io::stdin().read_line(&mut String::new())?;
        requests(self.warm_up)?;
        if self.traced {
            mark();
            requests(self.requests)?;
            mark();
        } else {
            let before = thread_faults()?;
            requests(self.requests)?;
            println!("{}", thread_faults()? - before);
        }
        Ok(())
    }

    fn engine(self) -> EngineSettings {
        let mut settings = EngineSettings { ticker: !self.no_ticker, ..EngineSettings::default() };
        if self.pool == Pool::OfSixteenShards {
            let shards = available_parallelism().map_or(1, usize::from).min(SHARDS_MAX);
            let share = u32::try_from(SHARDS_MAX / shards).unwrap_or(1);
            settings.warm_slots /= share;
        }
        settings
    }
}
