//! Trials: shadows are asked beside the answer, on data that was there anyway,
//! and change nothing but the record.
//!
//! One thread of each gate makes them, at a low priority and within a share of
//! one processor. A trial for which there is no room is dropped, and
//! counted.

use crate::clock;
use crate::effects::Journal;
use crate::generation::Generation;
use crate::generation::spec::OnError;
use crate::limits::{TRIALS_BYTES_MAX, TRIALS_SHARE, TRIALS_WAITING_MAX};
use crate::metrics::{Unenforced, Untried};
use crate::policy::{BodyDigests, BodyInput, CheckError, Decision, Established, Policy, Session, Subject};
use crate::poll_on;
use crate::reason::{HostReason, Reason};
use crate::request::{Body, Sees};
use crate::routes::Shadow;
use crate::store::Holder;
use rustix::time::{ClockId, clock_gettime};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::sync::{Arc, OnceLock, Weak};
use std::thread;
use std::time::Duration;

/// The trials of one gate.
#[derive(Default)]
pub(crate) struct Trials {
    /// Where they are made: from the first one on, if there can be a thread.
    bench: OnceLock<Option<SyncSender<Trial>>>,
    /// Bytes that those which wait hold.
    held: Arc<AtomicUsize>,
    /// The thread ends when this does, whatever still waits.
    life: Arc<()>,
}

/// The course that a request took through its chain.
pub(crate) struct Course {
    /// The principal and facts established at the place of each shadow that was
    /// reached.
    pub(crate) reached: Vec<Established>,
    /// The principal and facts established in the end.
    pub(crate) settled: Established,
    /// Why the request was denied, if it was.
    pub(crate) did: Option<Reason>,
    /// Whether no member denied: if the verdict is deny, nobody vouched.
    pub(crate) ended: bool,
}

impl Trials {
    /// Has the shadows asked that a request reached.
    pub(crate) fn submit(&self, generation: &Arc<Generation>, route: usize, subject: &Subject, course: Course) {
        let Some(room) = Room::take(&self.held, size_of(subject)) else {
            return drop_untried(generation, route, course.reached.len());
        };
        let subject = Subject {
            request: subject.request.clone(),
            body: subject.body.clone(),
            now: subject.now,
            route: subject.route.clone(),
            digests: BodyDigests::default(),
        };
        let reached = course.reached.len();
        let trial = Trial { generation: generation.clone(), route, subject: Arc::new(subject), course, _room: room };
        let bench = self.bench.get_or_init(|| start(Arc::downgrade(&self.life)));
        if bench.as_ref().is_none_or(|bench| bench.try_send(trial).is_err()) {
            drop_untried(generation, route, reached);
        }
    }
}

fn drop_untried(generation: &Generation, route: usize, reached: usize) {
    for shadow in generation.routes.get(route).trials.shadows.iter().take(reached) {
        generation.metrics.untried(&shadow.name, Untried::NoRoom);
    }
}

/// About as many bytes as it keeps alive.
fn size_of(subject: &Subject) -> usize {
    let head = &subject.request.head;
    let fields: usize = head.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    let body = subject.body().map_or(0, bytes::Bytes::len);
    // The memory of a request, besides its text, is of this order.
    2_048 + head.target.len() + 2 * fields + body
}

/// Room for one trial.
struct Room {
    held: Arc<AtomicUsize>,
    bytes: usize,
}

impl Room {
    fn take(held: &Arc<AtomicUsize>, bytes: usize) -> Option<Self> {
        let more = |held: usize| held.checked_add(bytes).filter(|held| *held <= TRIALS_BYTES_MAX);
        held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        Some(Self { held: held.clone(), bytes })
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Starts the thread on which trials are made.
fn start(life: Weak<()>) -> Option<SyncSender<Trial>> {
    let (bench, trials) = sync_channel(TRIALS_WAITING_MAX);
    let started = thread::Builder::new().name("barmkin-trials".to_owned()).spawn(move || work(&trials, &life));
    match started {
        Ok(_) => Some(bench),
        Err(error) => {
            tracing::warn!(%error, "shadows are not asked: their thread cannot be started");
            None
        }
    }
}

fn work(trials: &Receiver<Trial>, life: &Weak<()>) {
    yield_to_all();
    while let Ok(trial) = trials.recv() {
        if life.strong_count() == 0 {
            return;
        }
        let used = if trial.generation.is_local() { make_here(trial) } else { make_beside(trial) };
        thread::sleep(used * (TRIALS_SHARE - 1));
    }
}

/// Makes a trial on this thread, and says what processor time that took.
fn make_here(trial: Trial) -> Duration {
    let before = cpu_time();
    poll_on(trial.make());
    cpu_time().saturating_sub(before)
}

/// Makes a trial on the executor of its remote store, where alone that can be
/// asked, and says how long that took.
fn make_beside(trial: Trial) -> Duration {
    let began = clock::monotonic();
    let store = trial.generation.store.clone();
    let (done, is_done) = channel::<()>();
    store.finish(async move {
        trial.make().await;
        drop(done);
    });
    // An error means that the sender is gone: the trial was made, or the store
    // has stopped.
    let _ = is_done.recv();
    began.elapsed()
}

/// Far below what decides, and not so low that a busy machine lets a trial
/// begin and then wait until its deadline has passed.
#[cfg(target_os = "linux")]
const NICE: i32 = 10;

/// On Linux this is for the calling thread alone.
#[cfg(target_os = "linux")]
fn yield_to_all() {
    // Any thread may lower its own.
    let _ = rustix::process::setpriority_process(None, NICE);
}

#[cfg(not(target_os = "linux"))]
fn yield_to_all() {}

fn cpu_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

/// A request that is decided, and on which shadows are tried.
struct Trial {
    generation: Arc<Generation>,
    route: usize,
    subject: Arc<Subject>,
    course: Course,
    _room: Room,
}

impl Trial {
    /// Asks each shadow that was reached.
    async fn make(self) {
        let shadows = &self.generation.routes.get(self.route).trials.shadows;
        for (shadow, established) in shadows.iter().zip(&self.course.reached) {
            let policy = self.generation.tried(shadow.policy);
            if has_what_it_reads(policy, &self.subject.body) {
                self.ask(shadow, policy, established.clone()).await;
            } else {
                self.generation.metrics.untried(&shadow.name, Untried::NoBody);
            }
        }
    }

    async fn ask(&self, shadow: &Shadow, policy: &Policy, established: Established) {
        let generation = &self.generation;
        let holder = Holder(self.subject.request.serial);
        let journal = Journal::new(generation.store.clone(), generation.metrics.clone(), holder);
        let name_space = Some(policy.name.clone());
        let session = Session {
            subject: self.subject.clone(),
            established: established.clone(),
            journal,
            began: clock::monotonic(),
            name_space,
            memory_bytes: 0,
            remark: None,
        };
        let (mut session, decision) = policy.check(Box::new(session)).await;
        let would = self.course.with(decision, policy.on_error, established);
        match &would {
            None => drop(session.journal.allow(Sees::Nothing)),
            Some(_) => session.journal.undo(0).await,
        }
        generation.metrics.unenforced(&Unenforced {
            route: &self.subject.route,
            request: &self.subject.request.id,
            generation: generation.digest(),
            policy: Some(&shadow.name),
            would: would.as_ref(),
            did: self.course.did.as_ref(),
        });
    }
}

impl Course {
    /// Why the verdict would be deny had a policy decided so at a place where
    /// `established` was known; `None` for allow.
    fn with(
        &self,
        decision: Result<Decision, CheckError>,
        on_error: OnError,
        mut established: Established,
    ) -> Option<Reason> {
        match decision {
            Ok(Decision::Deny(denial)) => Some(Reason::Policy(denial.code)),
            Err(CheckError::Refused(reason, _)) => Some(reason.into()),
            Err(CheckError::Failed(failure)) if on_error == OnError::Deny => Some(failure.reason.into()),
            Err(CheckError::Failed(_)) | Ok(Decision::Abstain(_)) => self.did.clone(),
            Ok(Decision::Allow(allowance)) => {
                let mut settled = self.settled.clone();
                let (principal, facts) = (allowance.principal, allowance.facts);
                let fits =
                    established.add(principal.clone(), facts.clone()).and_then(|()| settled.add(principal, facts));
                match fits {
                    Err(_) => Some(HostReason::PrincipalConflict.into()),
                    // It vouched, and nobody denied.
                    Ok(()) if self.ended => None,
                    Ok(()) => self.did.clone(),
                }
            }
        }
    }
}

/// Whether the body that `policy` reads is there.
fn has_what_it_reads(policy: &Policy, body: &Body) -> bool {
    match (policy.manifest.body(), body) {
        (BodyInput::None, _) => true,
        (BodyInput::Bytes(max), Body::Whole(bytes)) => bytes.len() <= *max,
        (BodyInput::OnHost | BodyInput::Digests(_), Body::Whole(_)) => true,
        _ => false,
    }
}
