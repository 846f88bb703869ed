//! Lets running policies look at their deadlines: as often as one of them needs
//! it, and not at all while none runs.
//!
//! A tick advances the epoch of the engines. A check that is running when that
//! happens is called back, and if its time is up before the next one asks for
//! ticks at short intervals; one that ends before costs nothing. So most of the
//! time the thread wakes every [`SLOW_TICK`], every [`FAST_TICK`] only while some
//! check nears its deadline, and after a second in which none began or was under
//! way it rests until one begins.
//!
//! One that is under way may be suspended for as long as its executor likes, and
//! asks for its next tick only when it is resumed: so it counts although it does
//! not run.

use crate::capacity::Capacity;
use crate::clock::monotonic;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often checks are looked at that come and go.
pub(crate) const SLOW_TICK: Duration = Duration::from_millis(4);

/// How often a check is looked at that nears its deadline.
pub(crate) const FAST_TICK: Duration = Duration::from_millis(1);

/// Fast ticks that one request for them gives: a check that goes on asks again
/// at each.
const FAST_TICKS: u32 = 4;

/// Ticks at which no check began after which the thread rests: a second. Waking
/// it costs the check that does it a system call.
const REST_AFTER: u32 = 250;

/// The ticker runs for a microsecond each time.
#[cfg(target_os = "linux")]
const TICKER_NICE: i32 = -20;

/// The ticks of an [`Engine`](crate::Engine). The thread ends with it.
pub(crate) struct Pulse {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    engines: [wasmtime::Engine; 2],
    capacity: Arc<Capacity>,
    ticks: AtomicU64,
    /// Whether a check began since the last tick.
    begun: AtomicBool,
    /// Fast ticks that are still asked for.
    fast: AtomicU32,
    resting: AtomicBool,
    stopped: AtomicBool,
}

impl Pulse {
    /// Ticks for `engines`, whose checks `capacity` counts; if it has no `thread`
    /// of its own, only when [`tick`](Self::tick) is called.
    pub(crate) fn new(engines: [wasmtime::Engine; 2], capacity: Arc<Capacity>, thread: bool) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            engines,
            capacity,
            ticks: AtomicU64::new(0),
            begun: AtomicBool::new(false),
            fast: AtomicU32::new(0),
            resting: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
        });
        let ticker = || {
            let shared = shared.clone();
            std::thread::Builder::new().name("barmkin-ticker".to_owned()).spawn(move || shared.run())
        };
        let thread = thread.then(ticker).transpose()?;
        Ok(Self { shared, thread })
    }

    /// Lets running policies look at their deadlines.
    pub(crate) fn tick(&self) {
        self.shared.tick();
    }

    /// Ticks so far.
    pub(crate) fn ticks(&self) -> u64 {
        self.shared.ticks.load(Ordering::Relaxed)
    }

    /// A check begins: at least one tick follows.
    pub(crate) fn begin(&self) {
        if !self.shared.begun.load(Ordering::Relaxed) {
            self.shared.begun.store(true, Ordering::SeqCst);
            if self.shared.resting.load(Ordering::SeqCst) {
                self.wake();
            }
        }
    }

    /// A tick found a check, or a `configure`, that has `left` of its time: another
    /// tick follows, and soon where that would be up before the next slow one.
    pub(crate) fn found(&self, left: Duration) {
        self.begin();
        if left <= SLOW_TICK {
            self.hurry();
        }
    }

    /// The next ticks come at short intervals.
    fn hurry(&self) {
        if self.shared.fast.swap(FAST_TICKS, Ordering::SeqCst) == 0 {
            self.wake();
        }
    }

    fn wake(&self) {
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        self.wake();
        if let Some(thread) = self.thread.take() {
            // It only counts: there is nothing to hear from it.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn run(&self) {
        wake_on_time();
        let mut idle_ticks = 0;
        let mut last = monotonic();
        while !self.stopped.load(Ordering::SeqCst) {
            if !self.sleep_until_due(last) {
                continue;
            }
            self.tick();
            last = monotonic();
            let hurried = self.fast.load(Ordering::SeqCst) > 0;
            if hurried {
                self.fast.fetch_sub(1, Ordering::SeqCst);
            }
            let began = self.begun.swap(false, Ordering::SeqCst);
            idle_ticks = if began || hurried { 0 } else { REST_AFTER.min(idle_ticks + 1) };
            if idle_ticks >= REST_AFTER && self.capacity.checks() == 0 {
                self.rest();
                idle_ticks = 0;
                last = monotonic();
            }
        }
    }

    /// Sleeps, and says whether the next tick is due: it is not when something
    /// else woke the thread.
    fn sleep_until_due(&self, last: Instant) -> bool {
        let interval = if self.fast.load(Ordering::SeqCst) > 0 { FAST_TICK } else { SLOW_TICK };
        let left = interval.saturating_sub(last.elapsed());
        if !left.is_zero() {
            std::thread::park_timeout(left);
        }
        last.elapsed() >= interval
    }

    /// Waits for the next check.
    fn rest(&self) {
        self.resting.store(true, Ordering::SeqCst);
        let is_wanted = || self.begun.load(Ordering::SeqCst) || self.fast.load(Ordering::SeqCst) > 0;
        while !is_wanted() && !self.stopped.load(Ordering::SeqCst) {
            std::thread::park();
        }
        self.resting.store(false, Ordering::SeqCst);
    }

    fn tick(&self) {
        self.ticks.fetch_add(1, Ordering::Relaxed);
        self.engines.iter().for_each(wasmtime::Engine::increment_epoch);
    }
}

/// Asks the kernel not to put this thread's timers off to save power, by 50 µs
/// by default, and not to let it wait for the very thread whose time is up,
/// which on a busy machine is 3 ms.
#[cfg(target_os = "linux")]
fn wake_on_time() {
    // Late ticks only make deadlines a little longer; the second one may need
    // the right to. On Linux it is for this thread alone.
    let _ = rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1));
    let _ = rustix::process::setpriority_process(None, TICKER_NICE);
}

#[cfg(not(target_os = "linux"))]
fn wake_on_time() {}

#[cfg(test)]
mod tests {
    use super::*;

    fn pulse() -> Pulse {
        let engine = wasmtime::Engine::default();
        Pulse::new([engine.clone(), engine], Arc::new(Capacity::new(1, 1)), true).expect("a thread")
    }

    fn wait_for(what: impl Fn() -> bool) {
        let until = monotonic() + Duration::from_secs(20);
        while !what() {
            assert!(monotonic() < until, "it never came");
            std::thread::yield_now();
        }
    }

    #[test]
    fn it_rests_when_nothing_begins_and_goes_on_when_something_does() {
        let pulse = pulse();
        wait_for(|| pulse.shared.resting.load(Ordering::SeqCst));
        let resting = pulse.ticks();
        pulse.begin();
        wait_for(|| pulse.ticks() > resting);
        wait_for(|| pulse.shared.resting.load(Ordering::SeqCst));
        let resting = pulse.ticks();
        pulse.hurry();
        wait_for(|| pulse.ticks() > resting);
    }

    #[test]
    fn it_rests_only_when_what_is_under_way_is_over() {
        let pulse = pulse();
        let check = pulse.shared.capacity.count();
        let first = pulse.ticks();
        wait_for(|| pulse.ticks() - first > 2 * u64::from(REST_AFTER));
        drop(check);
        wait_for(|| pulse.shared.resting.load(Ordering::SeqCst));
    }

    #[test]
    fn it_does_not_rest_while_ticks_find_something() {
        let pulse = pulse();
        let first = pulse.ticks();
        // As `configure` does, which is not counted and has seconds left.
        wait_for(|| {
            pulse.found(Duration::from_secs(5));
            pulse.ticks() - first > 2 * u64::from(REST_AFTER)
        });
    }

    #[test]
    fn what_goes_on_gets_fast_ticks() {
        let pulse = pulse();
        // On a busy machine ticks come late, but not early: some window shows it.
        wait_for(|| {
            let (first, since) = (pulse.ticks(), monotonic());
            while since.elapsed() < 4 * SLOW_TICK {
                pulse.found(SLOW_TICK);
                std::thread::sleep(FAST_TICK / 2);
            }
            pulse.ticks() - first >= 10
        });
    }
}
