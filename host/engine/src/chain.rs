//! Folds the decisions of a chain into one verdict.

use crate::clock;
use crate::cors::Cors;
use crate::denied::Denied;
use crate::effects::{Journal, Settlement};
use crate::generation::Generation;
use crate::generation::spec::{OnError, Overrides, Preflight};
use crate::policy::{BodyDigests, CheckError, Decision, Established, Policy, Session, Subject};
use crate::principal::{Facts, Principal};
use crate::reason::{HostReason, Refusal};
use crate::record::Decided;
use crate::request::{Body, BodyNeed, Form, RefusedHead, Request, is_override, is_preflight};
use crate::routes::{BuiltMember, BuiltRoute, Deciding, Shadow, Tried};
use crate::store::Holder;
use crate::trials::{Course, Trials};
use crate::verdict::{Change, Outcome, Permit, Step, Took, Verdict};
use http::{HeaderName, HeaderValue};
use std::sync::Arc;
use std::time::Instant;

/// Decides a request on its route. The trials of it go to `trials`.
pub(crate) async fn run(
    generation: &Arc<Generation>,
    request: Request,
    route: usize,
    body: Body,
    trials: Option<&Trials>,
) -> Verdict {
    let began = clock::monotonic();
    let route_index = route;
    let route = generation.routes.get(route);
    let deciding = &route.deciding;
    if is_preflight(&request.head) {
        return match deciding.preflight {
            Preflight::Refuse => refuse_unasked(generation, request, route, HostReason::PreflightRefused.into(), began),
            Preflight::Forward => conclude(generation, route, Concluded::unasked(request, None), began),
        };
    }
    if let Err(refusal) = check_body(deciding.body_need, &body) {
        return refuse_unasked(generation, request, route, refusal, began);
    }

    let holder = Holder(request.serial);
    let established = Established {
        principal: request.head.client.principal.clone().map(Arc::new),
        facts: request.head.client.facts.clone().map(Arc::new),
        signed: None,
    };
    let sees = request.head.client.sees;
    let subject = Arc::new(Subject {
        request,
        body,
        now: generation.clock.now(),
        route: route.name.clone(),
        digests: BodyDigests::default(),
    });
    let journal = Journal::new(generation.store.clone(), generation.metrics.clone(), holder);
    let session =
        Box::new(Session { subject, established, journal, began, name_space: None, memory_bytes: 0, remark: None });
    let mut progress = Progress::new(generation, &route.trials);
    let (session, result) = progress.run_chain(session, deciding).await;
    let Progress { changes, steps, reached, ended, .. } = progress;
    let Session { subject, established, mut journal, .. } = *session;

    let (settlement, denied, changes) = match result {
        Ok(()) => (journal.allow(sees), None, changes),
        Err(denied) => {
            journal.undo(0).await;
            (Settlement::default(), Some(denied), Vec::new())
        }
    };
    if let (Some(trials), false) = (trials, reached.is_empty()) {
        let did = denied.as_ref().map(|denied| denied.reason.clone());
        let course = Course { reached, settled: established.clone(), did, ended };
        trials.submit(generation, route_index, &subject, course);
    }
    record(generation, &subject, &established, &steps, denied.as_ref());

    // INVARIANT (subject): sessions are over, so that this is the last owner.
    #[expect(clippy::expect_used, reason = "subject")]
    let request = Arc::into_inner(subject).expect("nothing else holds the subject").request;
    conclude(generation, route, Concluded { request, established, changes, steps, settlement, denied }, began)
}

/// Refuses a request that reached no route, or that its listener has no place for on
/// one with `cors`.
pub(crate) fn refuse(generation: &Generation, refused: &RefusedHead, cors: Option<&Cors>) -> Verdict {
    let began = clock::monotonic();
    let Refusal { reason, detail } = refused.refusal.clone();
    let denied = Denied::host(reason, detail).with_cors(cors, &refused.head);
    let form = Form::of(&refused.head);
    let denial = denied.into_denial(generation, refused.id.clone(), None, form, Vec::new());
    generation.count(None, Some(&denial), began);
    Verdict::Deny(Box::new(denial))
}

/// The verdict on a request that its gate cannot take on: without its chain.
pub(crate) fn overloaded(generation: &Generation, request: Request, route: usize) -> Verdict {
    let route = generation.routes.get(route);
    refuse_unasked(generation, request, route, HostReason::Overloaded.into(), clock::monotonic())
}

/// A deny that needs no chain: enforced, or on a route that observes, recorded.
fn refuse_unasked(
    generation: &Generation,
    request: Request,
    route: &BuiltRoute,
    refusal: Refusal,
    began: Instant,
) -> Verdict {
    let denied = Denied::host(refusal.reason, refusal.detail);
    conclude(generation, route, Concluded::unasked(request, Some(denied)), began)
}

/// All that a verdict is made of.
struct Concluded {
    request: Request,
    established: Established,
    changes: Vec<Change>,
    steps: Vec<Step>,
    settlement: Settlement,
    denied: Option<Denied>,
}

impl Concluded {
    /// Without a chain that ran.
    fn unasked(request: Request, denied: Option<Denied>) -> Self {
        Self {
            request,
            established: Established::default(),
            changes: Vec::new(),
            steps: Vec::new(),
            settlement: Settlement::default(),
            denied,
        }
    }
}

/// Makes the verdict, and counts it. On a route that observes it is allow,
/// whatever it would have been.
fn conclude(generation: &Generation, route: &BuiltRoute, concluded: Concluded, began: Instant) -> Verdict {
    let Concluded { request, established, changes, steps, settlement, denied } = concluded;
    let form = Form::of(&request.head);
    let denied = denied.map(|denied| denied.with_cors(route.deciding.cors.as_ref(), &request.head));
    let denial =
        denied.map(|denied| denied.into_denial(generation, request.id.clone(), Some(route), form, steps.clone()));
    let observed = match (route.trials.observe, denial) {
        (false, Some(denial)) => {
            generation.count(Some(&route.name), Some(&denial), began);
            return Verdict::Deny(Box::new(denial));
        }
        (_, denial) => denial.map(Box::new),
    };
    generation.count(Some(&route.name), None, began);
    if observed.is_none() {
        generation.note_allowed(route, &request, &established, began);
    }
    if let Some(denial) = &observed {
        generation.count_observed(denial, began);
    }
    Verdict::Allow(Box::new(Permit {
        changes: forwarded(generation, route, &request, &established, changes),
        head: request.head,
        request_id: request.id,
        route: route.name.clone(),
        upstream: route.upstream.clone(),
        generation: generation.digest(),
        principal: established.principal,
        // A route that only observes forwards the request as it came.
        removes_query: if route.trials.observe { Arc::default() } else { route.deciding.removes_query.clone() },
        steps,
        observed,
        settlement,
    }))
}

/// A truncated body never verifies, and the body that a chain needs must be
/// there.
fn check_body(need: BodyNeed, body: &Body) -> Result<(), Refusal> {
    let BodyNeed::Whole { max_bytes } = need else { return Ok(()) };
    Err(match body {
        Body::Whole(bytes) if bytes.len() <= max_bytes => return Ok(()),
        Body::Whole(_) | Body::TooLarge => {
            HostReason::BodyTooLarge.because(format!("the route takes {max_bytes} bytes (its `body-limit`)"))
        }
        Body::NoRoom => HostReason::Overloaded.because("there is no room for its body"),
        Body::Truncated => HostReason::BodyTruncated.into(),
        Body::NotCarried => HostReason::BodyNotCarried.because("its listener does not hand over bodies"),
        Body::Withheld(cause) => HostReason::BodyNotCarried.because(*cause),
    })
}

/// A chain under way. The session is lent to each policy in turn and comes
/// back with its decision.
struct Progress<'g> {
    generation: &'g Generation,
    shadows: &'g [Shadow],
    vouched: bool,
    changes: Vec<Change>,
    steps: Vec<Step>,
    /// The principal and facts established at the place of each shadow that was
    /// reached.
    reached: Vec<Established>,
    /// Whether no member denied.
    ended: bool,
}

impl<'g> Progress<'g> {
    fn new(generation: &'g Generation, trials: &'g Tried) -> Self {
        let shadows = trials.shadows.as_slice();
        let (changes, steps, reached) = (Vec::new(), Vec::new(), Vec::new());
        Self { generation, shadows, vouched: false, changes, steps, reached, ended: false }
    }

    /// The first deny wins, and later policies do not run.
    async fn run_chain(
        &mut self,
        mut session: Box<Session>,
        deciding: &Deciding,
    ) -> (Box<Session>, Result<(), Denied>) {
        for (place, member) in deciding.chain.iter().enumerate() {
            self.reach(place, &session.established);
            let result;
            (session, result) = match member {
                BuiltMember::Policy(policy) => self.run_policy(session, self.generation.policy(*policy)).await,
                BuiltMember::AnyOf(policies) => self.run_any_of(session, policies).await,
            };
            match result {
                Ok(vote) => self.vouched |= vote == Vote::Allow,
                Err(denied) => return (session, Err(denied)),
            }
        }
        self.reach(deciding.chain.len(), &session.established);
        self.ended = true;
        let admitted = self.vouched || deciding.public;
        (session, if admitted { Ok(()) } else { Err(Denied::nobody_vouched()) })
    }

    /// Notes what the shadows that stand at `place` would see.
    fn reach(&mut self, place: usize, established: &Established) {
        let here = self.shadows.iter().filter(|shadow| shadow.place == place);
        self.reached.extend(here.map(|_| established.clone()));
    }

    /// One member must allow. A losing member leaves nothing behind: what it
    /// took is settled before the next one runs.
    async fn run_any_of(
        &mut self,
        mut session: Box<Session>,
        policies: &[usize],
    ) -> (Box<Session>, Result<Vote, Denied>) {
        let mut losers: Option<Denied> = None;
        for policy in policies {
            let effects = session.journal.len();
            let changes = self.changes.len();
            let established = session.established.clone();
            let result;
            (session, result) = self.run_policy(session, self.generation.policy(*policy)).await;
            let denied = match result {
                Ok(Vote::Allow) => return (session, Ok(Vote::Allow)),
                Ok(Vote::Abstain) => None,
                Err(denied) => Some(denied),
            };
            session.journal.undo(effects).await;
            self.changes.truncate(changes);
            session.established = established;
            losers = match (losers, denied) {
                (None, denied) => denied,
                (Some(first), None) => Some(first),
                (Some(first), Some(next)) => Some(first.with_challenges_of(next)),
            };
        }
        (session, Err(losers.unwrap_or_else(Denied::nobody_vouched)))
    }

    async fn run_policy(&mut self, mut session: Box<Session>, policy: &Policy) -> (Box<Session>, Result<Vote, Denied>) {
        let effects = session.journal.len();
        let signed = session.established.signed.clone();
        session.memory_bytes = 0;
        let began = self.generation.for_authors.then(clock::monotonic);
        let (mut session, mut decision) = policy.check(session).await;
        let took = began.map(|began| Box::new(Took { time: began.elapsed(), memory_bytes: session.memory_bytes }));
        if let (Some(remark), Ok(Decision::Deny(denial))) = (session.remark.take(), &mut decision) {
            denial.add(&remark);
        }
        let result = self.judge(&mut session, policy, decision, took);
        if !matches!(result, Ok((Vote::Allow, _))) {
            // Nobody vouched for the signature that it verified.
            session.established.signed = signed;
        }
        let result = match result {
            Ok((vote, outcome)) => {
                if let Outcome::Failed(_) = outcome {
                    session.journal.undo(effects).await;
                }
                Ok(vote)
            }
            Err(denied) => Err(denied.by(policy)),
        };
        (session, result)
    }

    /// Applies the rules of the chain to one answer, and notes the step.
    fn judge(
        &mut self,
        session: &mut Session,
        policy: &Policy,
        decision: Result<Decision, CheckError>,
        took: Option<Box<Took>>,
    ) -> Result<(Vote, Outcome), Denied> {
        let result = match decision {
            Ok(Decision::Allow(allowance)) => match session.established.add(allowance.principal, allowance.facts) {
                Ok(()) => {
                    self.changes.extend(allowance.changes);
                    Ok((Vote::Allow, Outcome::Allow, String::new()))
                }
                Err(detail) => Err(Denied::host(HostReason::PrincipalConflict, detail)),
            },
            Ok(Decision::Abstain(changes)) => {
                self.changes.extend(changes);
                Ok((Vote::Abstain, Outcome::Abstain, String::new()))
            }
            Ok(Decision::Deny(denial)) => Err(Denied::policy(denial)),
            Err(CheckError::Refused(reason, detail)) => Err(Denied::host(reason, detail)),
            // INVARIANT (never allow): a failure denies or abstains.
            Err(CheckError::Failed(failure)) => match policy.on_error {
                OnError::Abstain => Ok((Vote::Abstain, Outcome::Failed(failure.reason), failure.detail)),
                OnError::Deny => Err(Denied::host(failure.reason, failure.detail)),
            },
        };
        let (outcome, detail) = match &result {
            Ok((_, outcome, detail)) => (outcome.clone(), detail.clone()),
            Err(denied) => (Outcome::Deny(denied.reason.clone()), denied.detail.clone()),
        };
        let step = Step { policy: policy.name.clone(), outcome, detail, took };
        self.generation.metrics.step(&step);
        self.steps.push(step);
        result.map(|(vote, outcome, _)| (vote, outcome))
    }
}

impl Established {
    /// The principal and the facts are set once: both, or neither.
    pub(crate) fn add(&mut self, principal: Option<Principal>, facts: Option<Facts>) -> Result<(), String> {
        if let (Some(first), Some(principal)) = (&self.principal, &principal)
            && (&first.id, first.kind, &first.tenant) != (&principal.id, principal.kind, &principal.tenant)
        {
            return Err(format!("`{}` was established, then `{}`", first.id, principal.id));
        }
        if let (Some(first), Some(facts)) = (&self.facts, &facts)
            && **first != *facts
        {
            return Err("different facts were established before".to_owned());
        }
        let (principal, facts) = (principal.map(Arc::new), facts.map(Arc::new));
        self.principal = self.principal.take().or(principal);
        self.facts = self.facts.take().or(facts);
        Ok(())
    }
}

/// The answer of a policy that did not deny.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Vote {
    Allow,
    Abstain,
}

/// Every change to the forwarded fields: what clients must not send is
/// removed, then the policies' changes apply in chain order, then the gate's.
fn forwarded(
    generation: &Generation,
    route: &BuiltRoute,
    request: &Request,
    established: &Established,
    changes: Vec<Change>,
) -> Vec<Change> {
    let gate_fields = generation.gate_fields();
    let mut all = Vec::with_capacity(gate_fields.len() + changes.len() + 2);
    all.extend(gate_fields.iter().cloned().map(Change::Remove));
    let known = generation.known_fields();
    // The upstream could take another method or target out of these than was
    // decided about.
    let removes_overrides = route.deciding.overrides == Overrides::Remove;
    let method_decides = request.method_decides || is_preflight(&request.head);
    let overrides = |name: &HeaderName| removes_overrides && is_override(name.as_str(), method_decides);
    let misleads = |name: &&HeaderName| known.is_other_spelling(name) || overrides(name);
    all.extend(request.head.headers.keys().filter(misleads).cloned().map(Change::Remove));
    all.extend(changes);
    if let (Some(field), Some(principal)) = (&generation.principal_field, &established.principal) {
        all.push(Change::Set(field.clone(), field_value(&principal.id)));
    }
    if let Ok(id) = request.id.as_field() {
        all.push(Change::Set(crate::verdict::REQUEST_ID_FIELD, id));
    }
    all
}

/// `text` as a field value: percent-encoded where it is not printable ASCII.
fn field_value(text: &str) -> HeaderValue {
    const ESCAPED: percent_encoding::AsciiSet = percent_encoding::CONTROLS.add(b'%').add(b' ');
    let encoded = percent_encoding::utf8_percent_encode(text, &ESCAPED).to_string();
    HeaderValue::from_str(&encoded).unwrap_or_else(|_| HeaderValue::from_static(""))
}

fn record(
    generation: &Generation,
    subject: &Subject,
    established: &Established,
    steps: &[Step],
    denied: Option<&Denied>,
) {
    if let Some(recorder) = &generation.recorder {
        recorder.record(&Decided {
            generation: generation.digest(),
            route: &subject.route,
            head: &subject.request.head,
            body: subject.body(),
            now: subject.now,
            steps,
            principal: established.principal.as_deref(),
            facts: established.facts.as_deref(),
            denied: denied.map(|denied| denied.reason.as_str()),
        });
    }
}
