//! The cost of loading: nothing that is planned is refused, and a component
//! that costs more than its size shows is refused before it does.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs, reason = "tests")]

use barmkin_host::limits::{COMPILE_BUDGET_DEFAULT, COMPILE_BUDGET_MAX};
use barmkin_host::*;
use barmkin_tests::loading::{PLANNED, bombs, padded};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The whole process is measured: these tests run one after the other.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn process_time() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_SELF).unwrap();
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Duration::from_micros(u64::try_from(micros).unwrap())
}

/// A number of `/proc/self/status`, in bytes.
fn memory(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim_start_matches(':').trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// The first problem of `component` as a policy.
fn load(component: Vec<u8>, budget: Duration) -> Option<Problem> {
    let engine = Engine::new(&EngineSettings::default()).unwrap();
    let mut policy = PolicySpec::new(component);
    policy.compile_budget = budget;
    policy.settings = serde_json::json!({ "provider": "github" });
    let spec = Spec { policies: [("bomb".to_owned(), policy)].into(), ..Spec::default() };
    let services = Services::new(MemoryStore::default());
    let built = Generation::build(&engine, &spec, &KeyRing::default(), services);
    built.err().and_then(|errors| errors.into_errors().into_iter().next()).map(|error| error.problem)
}

/// One test, and not one for each: it measures the process.
#[test]
fn what_costs_more_than_it_shows_is_refused_within_a_second_and_64_mib() {
    let _alone = alone();
    // The count is ours, and without optimization in a debug build.
    let most = Duration::from_secs(if cfg!(debug_assertions) { 3 } else { 1 });
    for bomb in bombs() {
        let component = (bomb.make)(bomb.refused_at);
        std::fs::write("/proc/self/clear_refs", "5").unwrap();
        let (before, began) = (memory("VmRSS"), process_time());
        // By what a policy may take unless its operator says otherwise: the
        // hard limit is for those who ask for it.
        let refused = match inspect(&component) {
            Ok(inspection) if inspection.estimate > COMPILE_BUDGET_DEFAULT => {
                Some(Problem::CompileBudget { estimate: inspection.estimate, budget: COMPILE_BUDGET_DEFAULT })
            }
            Err(Problem::NoPolicy(_)) => load(component.clone(), COMPILE_BUDGET_DEFAULT),
            inspected => inspected.err(),
        };
        let (took, held) = (process_time() - began, memory("VmHWM").saturating_sub(before));
        let problem = match refused {
            Some(problem) => problem,
            None => panic!("{} is not refused", bomb.name),
        };
        println!("{}: {} bytes, {took:?}, {held} bytes held: {problem}", bomb.name, component.len());
        assert!(
            matches!(problem, Problem::TooMany { .. } | Problem::CompileBudget { .. } | Problem::CompileMemory { .. }),
            "{}: {problem}",
            bomb.name
        );
        assert!(took <= most, "{}: {took:?} of CPU time for `{problem}`", bomb.name);
        assert!(held <= 64 << 20, "{}: {held} bytes for `{problem}`", bomb.name);
    }
}

/// Each beside a policy that is sound, so that it is compiled.
#[test]
fn what_is_estimated_too_low_ends_within_three_times_its_estimate() {
    let _alone = alone();
    let stock = barmkin_stock::get("webhook-signature").unwrap().component;
    let mut wrong = Vec::new();
    for bomb in bombs() {
        let Some(size) = bomb.estimated_at else { continue };
        let component = [stock, &(bomb.make)(size)[8..]].concat();
        let estimate = inspect(&component).unwrap_or_else(|problem| panic!("{}: {problem}", bomb.name)).estimate;
        let began = process_time();
        let problem = load(component, COMPILE_BUDGET_MAX);
        let took = process_time() - began;
        println!("{}: estimated {estimate:?}, took {took:?}", bomb.name);
        // It has no key, which is found when all of it was compiled.
        assert!(matches!(problem, Some(Problem::NotGranted { .. })), "{}: {problem:?}", bomb.name);
        // The policy beside it is compiled, too, and others may use the machine.
        if took > estimate * 3 + Duration::from_secs(1) {
            wrong.push((bomb.name, estimate, took));
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn all_guests_that_are_planned_load_with_the_default_budget() {
    let _alone = alone();
    let stock = barmkin_stock::get("webhook-signature").unwrap().component;
    for guest in PLANNED {
        let component = padded(stock, guest);
        let inspection = inspect(&component).unwrap_or_else(|problem| panic!("{}: {problem}", guest.name));
        assert!(inspection.code_bytes > guest.code_bytes);
        assert!(inspection.estimate * 2 <= COMPILE_BUDGET_DEFAULT, "{}: {:?}", guest.name, inspection.estimate);
    }
}
