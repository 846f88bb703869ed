//! The one door: a hostile policy on one route, and a good one beside it that
//! other threads ask all the while.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use barmkin_host::*;
use barmkin_tests::hostile::{component, head, program, spec};

/// One engine for all tests of the process: what one policy did to it, others
/// would meet.
pub(crate) static ENGINE: LazyLock<Engine> = LazyLock::new(|| Engine::new(&EngineSettings::default()).unwrap());

/// When it is, unless a test says otherwise.
pub(crate) const NOW_UNIX_MS: u64 = 1_700_000_000_000;

/// The effects that show from outside.
pub(crate) struct Seen {
    pub(crate) log_lines_dropped: u64,
    pub(crate) detail_bytes: usize,
}

/// A gate, and what it counts by and tells the time by.
pub(crate) struct Trial {
    pub(crate) gate: Gate,
    pub(crate) clock: Arc<FixedClock>,
    pub(crate) counts: Arc<Counts>,
}

#[derive(Default)]
pub(crate) struct Counts {
    log_dropped: AtomicU64,
    pub(crate) quarantined: AtomicBool,
}

impl Metrics for Counts {
    fn log_dropped(&self, policy: &str) {
        assert_eq!(policy, "hostile");
        self.log_dropped.fetch_add(1, Ordering::Relaxed);
    }

    fn quarantine(&self, policy: &str, is_quarantined: bool) {
        assert_eq!(policy, "hostile");
        assert_ne!(self.quarantined.swap(is_quarantined, Ordering::Relaxed), is_quarantined);
    }
}

impl Trial {
    pub(crate) fn of(policy: PolicySpec, units: u64) -> Result<Self, BuildErrors> {
        let clock = Arc::new(FixedClock::at_unix_ms(NOW_UNIX_MS));
        let counts = Arc::new(Counts::default());
        let mut services = Services::new(MemoryStore::default());
        services.clock = clock.clone();
        services.metrics = counts.clone();
        let generation = Generation::build(&ENGINE, &spec(policy, units), &KeyRing::default(), services)?;
        Ok(Self { gate: Gate::new(generation), clock, counts })
    }

    pub(crate) fn check(&self, path: &str, misbehave: bool) -> Verdict {
        self.gate.check_now(head(path, misbehave), Body::NotCarried).unwrap()
    }

    /// Does `work` while another thread asks the good route, over and over.
    fn beside_others(&self, work: impl FnOnce()) {
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let others = scope.spawn(|| {
                let mut asked = 0;
                while !over.load(Ordering::Relaxed) || asked == 0 {
                    assert_eq!(reason(&self.check("/good", false)), "allow");
                    asked += 1;
                }
            });
            let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
            over.store(true, Ordering::Relaxed);
            others.join().unwrap();
            ended.unwrap();
        });
    }
}

pub(crate) fn reason(verdict: &Verdict) -> &str {
    verdict.reason().map_or("allow", Reason::as_str)
}

/// A program that is denied for `expected`, while all else is decided right.
#[track_caller]
pub(crate) fn denied(name: &str, expected: &str) -> Seen {
    denied_policy(program(name), expected, true)
}

/// As [`denied`], for a component that misbehaves whatever the request says.
#[track_caller]
pub(crate) fn denied_as_component(name: &str, expected: &str) {
    denied_policy(component(name), expected, false);
}

#[track_caller]
fn denied_policy(policy: PolicySpec, expected: &str, can_behave: bool) -> Seen {
    // The unit that each request takes must come back: two are not enough
    // for all of them.
    let trial = Trial::of(policy, 2).unwrap();
    let mut detail_bytes = 0;
    trial.beside_others(|| {
        for round in 0..5 {
            let verdict = trial.check("/hostile", true);
            assert_eq!(reason(&verdict), expected, "round {round}");
            let Verdict::Deny(denial) = verdict else { panic!("it was not denied") };
            assert_eq!(denial.policy(), Some("hostile"));
            assert!(denial.response().body().len() < 1_024, "what the client learns is short");
            detail_bytes = denial.detail().len();
            if can_behave {
                assert_eq!(reason(&trial.check("/hostile", false)), "allow", "after round {round}");
            }
        }
    });
    Seen { log_lines_dropped: trial.counts.log_dropped.load(Ordering::Relaxed), detail_bytes }
}

/// A program that is right each time, since it finds nothing of the time
/// before. How long it takes on a busy machine is not the question.
#[track_caller]
pub(crate) fn decided(name: &str, rounds: u32) {
    decided_policy(program(name), rounds);
}

/// As [`decided`], for a component.
#[track_caller]
pub(crate) fn decided_as_component(name: &str, rounds: u32) {
    decided_policy(component(name), rounds);
}

#[track_caller]
fn decided_policy(mut policy: PolicySpec, rounds: u32) {
    policy.deadline = limits::DEADLINE_MAX;
    let trial = Trial::of(policy, 1_000_000).unwrap();
    trial.beside_others(|| {
        for round in 0..rounds {
            assert_eq!(reason(&trial.check("/hostile", true)), "allow", "round {round}");
        }
    });
}

/// A program that cannot be loaded, for this reason.
#[track_caller]
pub(crate) fn refused(name: &str, message: &str) {
    refused_policy(program(name), message);
}

/// As [`refused`], for a component.
#[track_caller]
pub(crate) fn refused_as_component(name: &str, message: &str) {
    refused_policy(component(name), message);
}

#[track_caller]
fn refused_policy(policy: PolicySpec, message: &str) {
    // The gate that goes on deciding while the other is tried.
    let before = Trial::of(program("behaves"), 2).unwrap();
    let generation = before.gate.generation().digest();
    before.beside_others(|| {
        let errors = Trial::of(policy, 2).map(|_| ()).unwrap_err().to_string();
        assert!(errors.contains(message), "`{errors}` should say `{message}`");
    });
    assert_eq!(before.gate.generation().digest(), generation);
    assert_eq!(reason(&before.check("/hostile", false)), "allow");
    // And another can be loaded after it.
    assert_eq!(reason(&Trial::of(program("behaves"), 2).unwrap().check("/hostile", true)), "allow");
}

/// The time a `span` after [`NOW_UNIX_MS`], in milliseconds.
pub(crate) fn after(span: Duration) -> u64 {
    NOW_UNIX_MS + u64::try_from(span.as_millis()).unwrap()
}
