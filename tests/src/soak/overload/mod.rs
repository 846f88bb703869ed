//! Twice the load that can be served: what is admitted is decided in time, the
//! rest is told so, and memory stays as it was.

use super::{Scenario, Verdict};
use crate::harness::{Barmkin, ListenerKind};
use crate::rules;
use anyhow::Context;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

/// How long it is overloaded.
const OVERLOADED: [Duration; 2] = [Duration::from_secs(60), Duration::from_secs(5)];

/// How long it is found out what it can serve.
const MEASURED: Duration = Duration::from_secs(3);

/// Connections that keep it busy, and as many as ask for more than that.
const BUSY: u32 = 32;
const TOO_MANY: u32 = 1_500;

/// What an admitted request may wait: Envoy's usual patience with a gate.
const ADMITTED_P99_MAX: Duration = Duration::from_secs(1);

/// Longer than that is no answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// What 1,500 connections may hold, with all their buffers.
const GROWTH_MAX_KIB: u64 = 96 * 1024;

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: gate\r\nx-api-key: reader-key\r\nx-forwarded-method: GET\r\n\
    x-forwarded-uri: /v1/items\r\nx-forwarded-host: api.example.com\r\nx-forwarded-proto: https\r\n\r\n";

#[derive(Default)]
struct Answers {
    /// How long each took.
    admitted: Vec<Duration>,
    overloaded: usize,
    other: usize,
}

pub(super) fn run(short: bool) -> anyhow::Result<Verdict> {
    let overloaded = OVERLOADED[usize::from(short)];
    // A quota that a minute of this would use up says nothing of the load.
    let rules = rules::api().replace(r#""100000/min""#, r#""1000000/s""#);
    let gate = Barmkin::serve(&rules, &rules::SECRETS, &[("gate", ListenerKind::ForwardAuth("caddy"))]);
    let address = gate.address("gate");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(async {
        let busy = load(address, BUSY, None, MEASURED).await?;
        let can_serve = busy.admitted.len() as f64 / MEASURED.as_secs_f64();
        let before = resident_kib(gate.id())?;
        let every = Duration::from_secs_f64(f64::from(TOO_MANY) / (2.0 * can_serve));
        let answers = load(address, TOO_MANY, Some(every), overloaded).await?;
        let after = resident_kib(gate.id())?;
        let recovered = load(address, 1, None, Duration::from_millis(100)).await?;

        let mut verdict = Verdict::of(Scenario::Overload);
        let admitted = answers.admitted.len();
        verdict.note("can_serve_per_s", can_serve.round());
        verdict.note("asked_per_s", ((admitted + answers.overloaded) as f64 / overloaded.as_secs_f64()).round());
        verdict.require("admitted", admitted, admitted > 0, "it must go on serving");
        verdict.require("overloaded", answers.overloaded, answers.overloaded > 0, "it was to be overloaded");
        verdict.require("other_answers", answers.other, answers.other == 0, "a verdict or `overloaded`");
        let p99 = percentile(answers.admitted, 99);
        let p99_holds = p99 <= ADMITTED_P99_MAX;
        verdict.require("admitted_p99_ms", millis(p99), p99_holds, "what is admitted is decided in time");
        verdict.note("undisturbed_p99_ms", millis(percentile(busy.admitted, 99)));
        let growth = after.saturating_sub(before);
        verdict.require("growth_kib", growth, growth <= GROWTH_MAX_KIB, "memory is bounded");
        let recovers = recovered.other == 0 && recovered.overloaded == 0 && !recovered.admitted.is_empty();
        verdict.require("recovers", recovers, recovers, "when it is over, it is over");
        Ok(verdict)
    })
}

/// Asks on so many connections, each again at once or after a while.
async fn load(
    address: SocketAddr,
    connections: u32,
    every: Option<Duration>,
    span: Duration,
) -> anyhow::Result<Answers> {
    let mut askers = JoinSet::new();
    let ends = now() + span;
    for number in 0..connections {
        let stream = TcpStream::connect(address).await.context("the gate takes connections")?;
        stream.set_nodelay(true)?;
        // Not all at the same moment.
        let first = every.map_or(Duration::ZERO, |every| every * number / connections);
        askers.spawn(ask(stream, every, first, ends));
    }
    Ok(askers.join_all().await.into_iter().fold(Answers::default(), |mut all, answers| {
        all.admitted.extend(answers.admitted);
        all.overloaded += answers.overloaded;
        all.other += answers.other;
        all
    }))
}

async fn ask(mut stream: TcpStream, every: Option<Duration>, first: Duration, ends: Instant) -> Answers {
    let mut answers = Answers::default();
    tokio::time::sleep(first).await;
    let mut ticks = interval(every.unwrap_or(Duration::from_micros(1)));
    // What could not be asked in time is asked at once: the load stays.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    while now() < ends {
        if every.is_some() {
            ticks.tick().await;
        }
        let asked = now();
        match tokio::time::timeout(PATIENCE, answer(&mut stream)).await {
            Ok(Ok(head)) if head.starts_with("http/1.1 200 ") => answers.admitted.push(asked.elapsed()),
            Ok(Ok(head)) if head.contains("\r\nbarmkin-reason: overloaded\r\n") => answers.overloaded += 1,
            _ => {
                answers.other += 1;
                break;
            }
        }
    }
    answers
}

/// Sends a request, and reads its answer: the head of it, in lower case.
async fn answer(stream: &mut TcpStream) -> std::io::Result<String> {
    stream.write_all(REQUEST).await?;
    let mut read = Vec::with_capacity(1_024);
    let head = loop {
        if let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        if stream.read_buf(&mut read).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    };
    let text = String::from_utf8_lossy(&read[..head]).to_ascii_lowercase();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
    let mut rest = vec![0; (head + length).saturating_sub(read.len())];
    stream.read_exact(&mut rest).await?;
    Ok(text)
}

/// Resident memory of a process.
fn resident_kib(process: u32) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("the process has memory")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

fn percentile(mut spans: Vec<Duration>, percent: usize) -> Duration {
    spans.sort();
    spans.get(spans.len() * percent / 100).copied().unwrap_or_default()
}

fn millis(span: Duration) -> f64 {
    (span.as_secs_f64() * 100_000.0).round() / 100.0
}

#[expect(clippy::disallowed_methods, reason = "what it measures")]
fn now() -> Instant {
    Instant::now()
}
