//! 64 addresses, each of which tries to keep everybody else out in every way
//! there is, beside one client that behaves: it goes on as if it were alone, and
//! the gate holds what its settings say.

mod attackers;
mod behaved;
mod certificates;
mod upstream;

use self::attackers::{Attackers, Targets};
use self::behaved::{Behaved, Watched};
use self::certificates::Certificates;
use super::{Scenario, Verdict};
use crate::harness::{Barmkin, ListenerKind, free_address};
use crate::rules;
use anyhow::{Context, Result};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::time::Duration;

/// How long the client is watched alone, and then under siege.
const ALONE: [Duration; 2] = [Duration::from_secs(15), Duration::from_secs(3)];
const UNDER_SIEGE: [Duration; 2] = [Duration::from_secs(75), Duration::from_secs(9)];

/// The gate listens by then.
const START: Duration = Duration::from_secs(30);

/// Places of the proxy that is besieged: fewer than there are attackers.
const CONNECTIONS: u64 = 256;
const TUNNELS: u64 = 64;
const BODIES_MIB: u64 = 16;

/// Places of each other listener.
const OTHERS: u64 = 64;

/// Connections that are told that there is no place.
const TURNED_AWAY: u64 = 64;

/// The most that one connection may hold: a request's header as it is read, as
/// much of a body that streams, and a part of an answer that is sent.
const CONNECTION_KIB: u64 = 2 * 144;

/// The memory that the settings bound. Of bodies there may be an eighth more
/// while some give way.
const GROWTH_MAX_KIB: u64 =
    (CONNECTIONS + TUNNELS + 3 * OTHERS + 2 * TURNED_AWAY) * CONNECTION_KIB + BODIES_MIB * 1024 * 9 / 8;

/// The client's slowest hundredth under siege: this many times what it is alone,
/// or this long where that is less. Without optimisations the attackers' requests
/// alone keep the machine busy: then it must be answered while its sender still
/// waits.
const SLOWER_MAX: u32 = 10;
const P99_ALWAYS: Duration = Duration::from_millis(if cfg!(debug_assertions) { 4_000 } else { 50 });

pub(super) fn run(short: bool) -> Result<Verdict> {
    let pick = usize::from(short);
    let (_, files_max) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, files_max, files_max)?;
    let upstream = upstream::start();
    let targets = Targets {
        proxy: free_address(),
        checks: free_address(),
        proxy_tls: free_address(),
        checks_tls: free_address(),
        admin: free_address(),
    };
    let certificates = Certificates::new()?;
    let secrets: Vec<_> = rules::SECRETS.into_iter().chain(certificates.files()).collect();
    let rules = rules(&targets, upstream.address());
    let gate = Barmkin::serve(&rules, &secrets, &[("forward", ListenerKind::ForwardAuth("caddy"))]);
    let tls = Certificates::client(&gate.folder().join("secrets"))?;
    let behaved = Behaved { targets: targets.clone(), forward: gate.address("forward"), tls };
    behaved.until_served(START)?;

    let alone = behaved.watch(ALONE[pick], || resident_kib(gate.id()))?;
    let attackers = Attackers::start(&targets)?;
    let besieged = behaved.watch(UNDER_SIEGE[pick], || resident_kib(gate.id()))?;
    let tried = attackers.stop();
    // When it is over, it is over.
    let after = behaved.watch(ALONE[pick] / 3, || resident_kib(gate.id()))?;

    let mut verdict = Verdict::of(Scenario::Siege);
    for (kind, count) in &tried {
        verdict.require(&format!("tried_{kind}"), *count, *count > 0, "every kind is tried");
    }
    for (name, watched) in [("alone", &alone), ("besieged", &besieged), ("after", &after)] {
        verdict.require(&format!("{name}_asked"), watched.took.len(), watched.took.len() >= 20, "it asks all the time");
        let failures = watched.failures.len();
        verdict.require(&format!("{name}_failures"), failures, failures == 0, &watched.failures.join("; "));
    }
    let p99_max = (SLOWER_MAX * alone.p99()).max(P99_ALWAYS);
    verdict.note("alone_p99_ms", millis(alone.p99()));
    verdict.require("besieged_p99_ms", millis(besieged.p99()), besieged.p99() <= p99_max, "it is served as before");
    let growth = besieged.resident_kib.saturating_sub(alone.resident_kib);
    verdict.note("bound_kib", GROWTH_MAX_KIB);
    verdict.require("growth_kib", growth, growth <= GROWTH_MAX_KIB, "memory is what the settings say");
    Ok(verdict)
}

fn rules(targets: &Targets, upstream: std::net::SocketAddr) -> String {
    let Targets { proxy, checks, proxy_tls, checks_tls, admin } = targets;
    let tls = certificates::SETTINGS;
    let listeners = format!(
        r#"
[limits]
bodies = "{BODIES_MIB}MiB"

[admin]
address = "{admin}"
tls     = {{ {tls}, client-ca = "secrets/ca.pem" }}

[listen.proxy]
kind        = "reverse-proxy"
address     = "{proxy}"
upstream    = "http://{upstream}"
connections = {CONNECTIONS}
tunnels     = {TUNNELS}

[listen.checks]
kind        = "ext-authz"
address     = "{checks}"
connections = {OTHERS}

[listen.proxy-tls]
kind        = "reverse-proxy"
address     = "{proxy_tls}"
upstream    = "http://{upstream}"
connections = {OTHERS}
tls         = {{ {tls} }}

[listen.checks-tls]
kind        = "ext-authz"
address     = "{checks_tls}"
connections = {OTHERS}
tls         = {{ {tls} }}
"#
    );
    let rules = rules::api_and_webhooks();
    // The tables of the routes, which are an array, come last.
    let (before, routes) = rules.split_at(rules.find("[[routes]]").unwrap_or(rules.len()));
    let webhooks_only_here = routes.replace("name  = \"github\"", "name  = \"github\"\nlisteners = [\"proxy\"]");
    format!("{before}{listeners}\n{webhooks_only_here}")
}

/// Resident memory of a process.
fn resident_kib(process: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("the process has memory")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

impl Watched {
    fn p99(&self) -> Duration {
        let mut took = self.took.clone();
        took.sort();
        took.get(took.len() * 99 / 100).copied().unwrap_or_default()
    }
}

fn millis(span: Duration) -> f64 {
    (span.as_secs_f64() * 100_000.0).round() / 100.0
}
