//! No call costs more the more is stored: not the one that finds the store full,
//! not the one that finds that everything has expired, not one of those that
//! fill it, and not one beside which the log is rewritten.

use crate::subjects::{START_MS, settings};
use barmkin_host::{Claim, Draw, Gcra, LocalStore, MemoryLimits, MemoryStore, NonceId};
use barmkin_store_embedded::{Durability, EmbeddedStore, Settings};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const DAY: Duration = Duration::from_secs(86_400);

/// Entries of a small and of a large store.
const SIZES: [usize; 2] = [1_000, 200_000];

/// By how much a call may cost more in the large one: a tree is deeper, and less
/// of it is in the processor's caches. Looking through everything is 200 times.
const DEEPER: u32 = 12;

/// CPU time of this thread: others have the machine, too.
fn cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap(), time.tv_nsec.try_into().unwrap())
}

struct Stored {
    store: Box<dyn LocalStore>,
    hand_ms: Arc<AtomicU64>,
    _folder: Option<tempfile::TempDir>,
}

fn stores(entries: usize) -> [(&'static str, Stored); 2] {
    let limits = MemoryLimits { nonces: entries, quotas: entries };
    let clock = || {
        let hand_ms = Arc::new(AtomicU64::new(START_MS));
        let hand = hand_ms.clone();
        (hand_ms, move || Duration::from_millis(hand.load(Ordering::SeqCst)))
    };
    let (hand_ms, now) = clock();
    let memory = Stored { store: Box::new(MemoryStore::with_clock(limits, now)), hand_ms, _folder: None };
    let (hand_ms, now) = clock();
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings { limits, ..settings(folder.path(), Durability::Process) };
    let store = EmbeddedStore::open_with_clock(&settings, now).unwrap();
    [("memory", memory), ("embedded", Stored { store: Box::new(store), hand_ms, _folder: Some(folder) })]
}

fn nonce(id: usize) -> NonceId {
    let mut digest = [0; 32];
    digest[..8].copy_from_slice(&(id as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes());
    NonceId { space: "deliveries".into(), digest, former: None }
}

/// Calls of one kind, by number: a claim or a take of a new nonce or subject.
type Call = fn(&dyn LocalStore, usize) -> bool;

fn claims(store: &dyn LocalStore, id: usize) -> bool {
    store.claim(&nonce(id), DAY, None) == Ok(Claim::FirstUse)
}

fn takes(store: &dyn LocalStore, id: usize) -> bool {
    let draw = [Draw { quota: "q".into(), rule: Gcra { interval: DAY, limit: 1 }.into() }];
    store.take(&format!("subject-{id}").into(), &draw, 1).is_ok()
}

/// The median time of a call, and the longest of many.
#[derive(Debug)]
struct Costs {
    median: Duration,
    longest: Duration,
}

fn costs(store: &dyn LocalStore, ids: std::ops::Range<usize>, call: Call, expected: bool) -> Costs {
    let mut costs: Vec<_> = ids
        .map(|id| {
            let began = cpu();
            assert_eq!(call(store, id), expected, "call {id}");
            cpu() - began
        })
        .collect();
    costs.sort_unstable();
    Costs { median: costs[costs.len() / 2], longest: costs[costs.len() - 1] }
}

/// A delay that the machine causes hits one call and not the next; a store that
/// moves or looks through everything delays all of them.
#[test]
fn no_call_costs_more_the_more_is_stored() {
    let mut problems = Vec::new();
    for _ in 0..3 {
        match compare_costs() {
            Ok(()) => return,
            Err(problem) => problems.push(problem),
        }
    }
    panic!("{problems:#?}");
}

fn compare_costs() -> Result<(), String> {
    for (what, call) in [("claims", claims as Call), ("takes", takes)] {
        let [small, large] = SIZES.map(|entries| {
            stores(entries).map(|(kind, stored)| {
                let store = &*stored.store;
                let filling = costs(store, 0..entries, call, true);
                let full = costs(store, entries..entries + 500, call, false);
                // All of it has expired at once.
                stored.hand_ms.fetch_add(2 * 86_400_000, Ordering::SeqCst);
                let again = costs(store, 2 * entries..2 * entries + 500, call, true);
                (kind, [("filling", filling), ("full", full), ("expired", again)])
            })
        });
        for ((kind, small), (_, large)) in small.into_iter().zip(large) {
            for ((when, small), (_, large)) in small.into_iter().zip(large) {
                println!("{kind} {what} {when}: {small:?} {large:?}");
                let floor = Duration::from_micros(20);
                let is_flat = large.median < DEEPER * small.median.max(floor)
                    // One that moves or looks through everything takes 20 ms and
                    // more; a page fault or a tick takes less than this.
                    && large.longest < Duration::from_millis(10);
                if !is_flat {
                    return Err(format!("{kind} {what} {when}: {small:?} {large:?}"));
                }
            }
        }
    }
    Ok(())
}

/// While the log is rewritten, claims go on.
#[test]
fn a_rewrite_holds_nobody_up() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path(), Durability::Process);
    let store = EmbeddedStore::open_with_clock(&settings, || Duration::from_millis(START_MS)).unwrap();
    let file = |name: &str| settings.folder.join(name).exists();
    let mut id = 0;
    // Some 75 bytes each: the first 8 MiB are soon there.
    while !file("2.log") {
        assert!(claims(&store, id));
        id += 1;
    }
    let began = Instant::now();
    let (mut last, mut longest) = (began, Duration::ZERO);
    while file("1.log") {
        assert!(claims(&store, id));
        id += 1;
        longest = longest.max(last.elapsed());
        last = Instant::now();
    }
    let took = began.elapsed();
    println!("a rewrite of {id} claims took {took:?}, the longest wait was {longest:?}");
    assert!(longest < took / 4, "of {took:?} a claim waited {longest:?}");
    drop(store);
    let store = EmbeddedStore::open_with_clock(&settings, || Duration::from_millis(START_MS)).unwrap();
    for id in 0..id {
        assert!(!claims(&store, id), "{id} is forgotten");
    }
}
