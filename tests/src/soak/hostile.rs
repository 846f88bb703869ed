//! Every hostile policy at once, each as fast as a steady client asks for it,
//! beside a good route: those that can be loaded are asked, those that cannot
//! are tried again and again.

use super::{Scenario, Verdict, usage};
use crate::hostile::{COMPONENTS, PROGRAMS, component, demanding, head, program};
use anyhow::{Context, ensure};
use barmkin_host::limits::{
    DEADLINE_DEFAULT, PUBLIC_KEY_CANDIDATES, QUARANTINE_AFTER, QUARANTINE_MAX, SHA512_NS_PER_KIB,
};
use barmkin_host::{
    Body, BuildErrors, Engine, EngineSettings, Gate, Gcra, Generation, Keep, KeyRing, Member, MemoryStore, PathMatch,
    PolicySpec, Quota, QuotaKey, Reason, Route, Services, Spec, Verdict as Decided,
};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// How long the good route is watched before, and how long with the others.
const WATCHED: [Duration; 2] = [Duration::from_secs(60), Duration::from_secs(5)];

/// Between two requests of a client.
const PACE: Duration = Duration::from_millis(5);

/// The longest tick of the engine.
const TICK: Duration = Duration::from_millis(4);

/// How often each demand on the host is made.
const DEMANDED: [u32; 2] = [40, 4];

/// The most that hashing a KiB of a body under one secret may cost: its charge,
/// or more in a build without optimizations.
const BODY_KIB: Duration = Duration::from_nanos(if cfg!(debug_assertions) { 20_480 } else { SHA512_NS_PER_KIB });

/// The most that a call which was within the budget when it began may take
/// besides: its bytes are copied before they are charged, which takes long
/// without optimizations.
const ONE_CALL: Duration = if cfg!(debug_assertions) { Duration::from_millis(80) } else { Duration::ZERO };

/// Bytes by which the process may grow, whatever is demanded: the policy's
/// memory, twice what one call copies, and what the allocator keeps.
const GROWTH_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Those that use up their deadline.
const SPINNERS: [&str; 3] = ["spins_in_check", "spins_in_realloc", "spins_after_its_answer"];

/// Those that cannot be loaded are told apart by trying.
struct Policies {
    loaded: BTreeMap<&'static str, PolicySpec>,
    refused: Vec<(&'static str, PolicySpec)>,
}

pub(super) fn run(short: bool) -> anyhow::Result<Verdict> {
    let watched = WATCHED[usize::from(short)];
    let engine = Engine::new(&EngineSettings::default())?;
    let policies = Policies::sort(&engine);
    ensure!(SPINNERS.iter().all(|name| policies.loaded.contains_key(name)), "the spinners can be loaded");
    let gate = Gate::new(generation(&engine, policies.loaded.clone())?);

    let (undisturbed, _) = watch_good(&gate, watched / 2);
    let over = AtomicBool::new(false);
    let (hostile, allowed, refusals) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    let (disturbed, wrong) = std::thread::scope(|scope| {
        for name in policies.loaded.keys() {
            let (gate, over, hostile, allowed) = (&gate, &over, &hostile, &allowed);
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    let verdict = ask(gate, name, true);
                    hostile.fetch_add(1, Ordering::Relaxed);
                    allowed
                        .fetch_add(usize::from(reason(&verdict) == "allow" && !is_harmless(name)), Ordering::Relaxed);
                    std::thread::sleep(PACE);
                }
            });
        }
        let (engine, refused, over, refusals) = (&engine, &policies.refused, &over, &refusals);
        scope.spawn(move || {
            for (name, policy) in refused.iter().cycle() {
                if over.load(Ordering::Relaxed) {
                    break;
                }
                assert!(generation(engine, [(*name, policy.clone())].into()).is_err(), "{name} was loaded");
                refusals.fetch_add(1, Ordering::Relaxed);
            }
        });
        let seen = watch_good(&gate, watched);
        over.store(true, Ordering::Relaxed);
        seen
    });

    let mut verdict = Verdict::of(Scenario::Hostile);
    let cores = std::thread::available_parallelism()?.get();
    let spinners = u32::try_from(SPINNERS.len().div_ceil(cores))?;
    let bound = (3 * undisturbed).max(2 * spinners * TICK);
    verdict.note("hostile_policies", policies.loaded.len());
    verdict.note("hostile_requests", hostile.into_inner());
    verdict.note("refused_loads", refusals.into_inner());
    verdict.note("good_p99_undisturbed_us", micros(undisturbed));
    verdict.note("bound_us", micros(bound));
    verdict.require("good_p99_us", micros(disturbed), disturbed <= bound, "the good route must not be kept waiting");
    verdict.require("wrong_on_good_route", wrong, wrong == 0, "each of its requests is allowed");
    let allowed = allowed.into_inner();
    verdict.require("hostile_allowed", allowed, allowed == 0, "no failure becomes an allow");
    demand(&engine, DEMANDED[usize::from(short)], &mut verdict)?;
    for name in SPINNERS {
        quarantined_and_back(&gate, name, &mut verdict)?;
    }
    Ok(verdict)
}

impl Policies {
    fn sort(engine: &Engine) -> Self {
        let mut policies = Self { loaded: BTreeMap::new(), refused: Vec::new() };
        let programs = PROGRAMS.iter().filter(|name| **name != "behaves").map(|name| (*name, program(name)));
        for (name, policy) in programs.chain(COMPONENTS.iter().map(|(name, _)| (*name, component(name)))) {
            match generation(engine, [(name, policy.clone())].into()) {
                Ok(_) => drop(policies.loaded.insert(name, policy)),
                Err(_) => policies.refused.push((name, policy)),
            }
        }
        policies
    }
}

/// A route for each policy, and the good one.
fn generation(engine: &Engine, policies: BTreeMap<&str, PolicySpec>) -> Result<Generation, BuildErrors> {
    let rate = Gcra { interval: Duration::from_micros(1), limit: 1_000_000 };
    let quota = Quota { rule: rate.into(), key: QuotaKey::Route, keep: Keep::OnAllow, entries_max: None };
    let policies = policies.into_iter().chain([("good", program("behaves"))]);
    let policies: BTreeMap<_, _> = policies.map(|(name, policy)| (name.to_owned(), policy)).collect();
    let routes = policies.keys().map(|name| {
        let mut route = Route::new(name);
        route.matches.path = PathMatch::Prefix(format!("/{name}"));
        route.chain = vec![Member::Policy(name.clone())];
        route.public = true;
        route
    });
    let routes = routes.collect();
    let spec = Spec { quotas: [("units".to_owned(), quota)].into(), policies, routes, ..Spec::default() };
    Generation::build(engine, &spec, &KeyRing::default(), Services::new(MemoryStore::default()))
}

/// These find nothing of the request before, and let go.
fn is_harmless(name: &str) -> bool {
    [
        "keeps_state",
        "leaves_its_page_dirty",
        "leaves_its_memory_dirty",
        "leaves_all_that_it_has_changed",
        "allocates_all_in_configure",
    ]
    .contains(&name)
}

fn ask(gate: &Gate, name: &str, misbehave: bool) -> Decided {
    gate.check_now(head(&format!("/{name}"), misbehave), Body::NotCarried).expect("the store is in memory")
}

fn reason(verdict: &Decided) -> &str {
    verdict.reason().map_or("allow", Reason::as_str)
}

/// The p99 of the good route, and how many verdicts on it were wrong.
fn watch_good(gate: &Gate, span: Duration) -> (Duration, usize) {
    let (began, mut took, mut wrong) = (now(), Vec::new(), 0);
    while began.elapsed() < span {
        let asked = now();
        wrong += usize::from(reason(&ask(gate, "good", false)) != "allow");
        took.push(asked.elapsed());
        std::thread::sleep(PACE);
    }
    took.sort();
    (took.get(took.len() * 99 / 100).copied().unwrap_or_default(), wrong)
}

/// Each host function at its most: the CPU time that a check gets in all, and
/// by how much the process grows.
fn demand(engine: &Engine, rounds: u32, verdict: &mut Verdict) -> anyhow::Result<()> {
    let (spec, keys) = demanding::spec();
    let gate = Gate::new(Generation::build(engine, &spec, &keys, Services::new(MemoryStore::default()))?);
    let ask = |what: &str| {
        let (head, body) = demanding::request(what);
        gate.check_now(head, body).expect("the store is in memory")
    };
    let _settled = ask("nothing");
    let before = usage::peak_bytes()?;
    let hashed = (1 + PUBLIC_KEY_CANDIDATES) * demanding::BODY_BYTES;
    let bound = DEADLINE_DEFAULT + 2 * TICK + BODY_KIB * u32::try_from(hashed / 1024)? + ONE_CALL;
    let mut worst = (Duration::ZERO, "nothing");
    for what in demanding::DEMANDS.into_iter().flat_map(|what| std::iter::repeat_n(what, rounds as usize)) {
        let began = usage::thread_cpu()?;
        let _settled = ask(what);
        worst = worst.max((usage::thread_cpu()?.saturating_sub(began), what));
        // In between it behaves, or it would be quarantined.
        ensure!(reason(&ask("nothing")) == "allow", "after `{what}`");
    }
    let grown = usage::peak_bytes()?.saturating_sub(before);
    verdict.note("worst_demand", worst.1);
    verdict.note("demand_bound_us", micros(bound));
    let within = worst.0 <= bound;
    verdict.require("worst_demand_us", micros(worst.0), within, "its deadline, two ticks, and its body");
    verdict.require("grown_bytes", grown, grown <= GROWTH_BYTES_MAX, "whatever the host is asked for");
    Ok(())
}

/// It keeps missing its deadline until it is not asked; then it behaves.
fn quarantined_and_back(gate: &Gate, name: &str, verdict: &mut Verdict) -> anyhow::Result<()> {
    let asked = (0..=QUARANTINE_AFTER).map(|_| reason(&ask(gate, name, true)).to_owned());
    let quarantined = asked.last().as_deref() == Some("quarantined");
    verdict.require(&format!("{name}_quarantined"), quarantined, quarantined, "it kept missing its deadline");
    if name != "spins_in_check" {
        // The others cannot behave.
        return Ok(());
    }
    let began = now();
    while reason(&ask(gate, name, false)) != "allow" {
        ensure!(began.elapsed() < 2 * QUARANTINE_MAX, "`{name}` behaves and does not come back");
        std::thread::sleep(PACE);
    }
    verdict.note("back_after_ms", u64::try_from(began.elapsed().as_millis()).context("less than an age")?);
    Ok(())
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

#[expect(clippy::disallowed_methods, reason = "what it measures")]
fn now() -> Instant {
    Instant::now()
}
