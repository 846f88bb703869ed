//! The way in: a gate decides requests by its current generation.

use crate::admission::AdmissionQueue;
use crate::body_room::{Bodies, BodyRoom};
use crate::chain;
use crate::generation::Generation;
use crate::generation::spec::Overrides;
use crate::limits::{BODIES_BYTES_MAX, UNDECIDED_MAX};
use crate::poll_on;
use crate::reason::{HostReason, Refusal};
use crate::request::{
    Body, BodyNeed, Head, RefusedHead, Request, RequestId, RequestIds, connection_options, is_preflight,
};
use crate::routes::Matched;
use crate::trials::Trials;
use crate::verdict::{Digest, Verdict};
use arc_swap::ArcSwap;
use std::net::IpAddr;
use std::sync::Arc;

/// Bodies of no route count together.
const NO_ROUTE: usize = usize::MAX;

/// Decides requests by its current [`Generation`], which can be swapped while
/// requests are decided.
pub struct Gate {
    generation: ArcSwap<Generation>,
    ids: RequestIds,
    queue: AdmissionQueue,
    bodies: Bodies,
    trials: Arc<Trials>,
}

/// Bounds on the work that a gate takes on at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GateLimits {
    /// Requests that are decided or wait for it. A store that is far away keeps
    /// each of them waiting: at 1,000 requests a second and 600 ms a check, which
    /// is as long as a slow one may take, that is 600 requests.
    pub undecided_max: usize,
    /// Bytes of all bodies that are held for a verdict. While holders give way,
    /// there may be an eighth more, or one body.
    pub bodies_bytes_max: usize,
}

impl Default for GateLimits {
    fn default() -> Self {
        Self { undecided_max: UNDECIDED_MAX, bodies_bytes_max: BODIES_BYTES_MAX }
    }
}

impl Gate {
    /// A gate that decides by `generation`.
    pub fn new(generation: Generation) -> Self {
        Self::with_limits(generation, GateLimits::default())
    }

    /// A gate that decides by `generation`, and takes on what `limits` say.
    pub fn with_limits(generation: Generation, limits: GateLimits) -> Self {
        Self {
            generation: ArcSwap::from_pointee(generation),
            ids: RequestIds::new(),
            queue: AdmissionQueue::new(limits.undecided_max),
            bodies: Bodies::new(limits.bodies_bytes_max),
            trials: Arc::default(),
        }
    }

    /// Replaces the generation. Requests that were begun end on the one they
    /// began with; it is freed with the last of them.
    pub fn swap(&self, generation: Generation) {
        let next = Arc::new(generation);
        self.generation.swap(next.clone()).give_way_to(&next);
    }

    /// The generation that decides now.
    pub fn generation(&self) -> Arc<Generation> {
        self.generation.load_full()
    }

    /// Whether an adapter may log one more line about a request that it refused
    /// unasked: they count with the denials, which must not drown everything else.
    pub fn admits_log_line(&self) -> bool {
        self.generation.load().admits_log_line()
    }

    /// Begins to decide a request: finds out what can be known without the
    /// body, and whether the body is needed.
    pub fn intake(&self, head: Head) -> Intake {
        let serial = self.ids.serial();
        let id = RequestIds::of(&head, serial);
        Intake::new(self.generation.load_full(), head, id, serial, &self.trials)
    }

    /// Decides a request that was begun. A bounded number is decided or waits for
    /// it ([`GateLimits::undecided_max`]), and past them the answer is
    /// `overloaded`. Under pressure that bound is shared among clients.
    pub async fn decide(&self, intake: Intake, body: Body) -> Verdict {
        let Some(slot) = self.queue.enter(intake.client()) else { return intake.unasked() };
        slot.turn().await;
        intake.decide_unbounded(body).await
    }

    /// Room for the body of a request, into which an adapter reads it.
    pub fn body_room(&self, intake: &Intake) -> BodyRoom {
        self.bodies.room(intake.client(), intake.route())
    }

    /// Room for data that an adapter has to read before it knows what a request is
    /// about: it counts by caller.
    pub fn caller_room(&self, caller: Option<IpAddr>) -> BodyRoom {
        self.bodies.room(caller, NO_ROUTE)
    }

    /// Decides a request whose body is at hand, within the bound of
    /// [`decide`](Self::decide).
    pub async fn check(&self, head: Head, body: Body) -> Verdict {
        self.decide(self.intake(head), body).await
    }

    /// As [`check`](Self::check), for callers that cannot await.
    ///
    /// # Errors
    /// When a store of the generation is remote, since that has to be awaited.
    pub fn check_now(&self, head: Head, body: Body) -> Result<Verdict, NeedsAwait> {
        let intake = self.intake(head);
        if intake.generation.is_local() { Ok(poll_on(self.decide(intake, body))) } else { Err(NeedsAwait) }
    }
}

/// A check that would have had to wait for a remote store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the generation uses a remote store, so its checks must be awaited")]
pub struct NeedsAwait;

/// A request whose body has not been looked at.
#[must_use = "an intake that is not decided guards nothing"]
pub struct Intake {
    generation: Arc<Generation>,
    state: State,
}

enum State {
    Matched {
        request: Box<Request>,
        route: usize,
        /// Where the route has shadows.
        trials: Option<Arc<Trials>>,
    },
    Refused(Box<RefusedHead>),
}

impl Intake {
    fn new(generation: Arc<Generation>, head: Head, id: RequestId, serial: u128, trials: &Arc<Trials>) -> Self {
        let state = match Request::normalize(head, id, serial, generation.routes.make_exceptions()) {
            Err(refused) => State::Refused(refused),
            Ok(mut request) => match find_route(&generation, &request) {
                Ok((route, method_decides)) => {
                    request.method_decides = method_decides;
                    let has_shadows = !generation.routes.get(route).trials.shadows.is_empty();
                    let trials = has_shadows.then(|| trials.clone());
                    State::Matched { request: Box::new(request), route, trials }
                }
                Err(refusal) => State::Refused(Box::new(RefusedHead { refusal, head: request.head, id: request.id })),
            },
        };
        Self { generation, state }
    }

    /// Whether the body must be handed to [`Gate::decide`].
    pub fn body_need(&self) -> BodyNeed {
        match &self.state {
            State::Matched { request, route, .. } if !is_preflight(&request.head) => {
                self.generation.routes.get(*route).deciding.body_need
            }
            _ => BodyNeed::None,
        }
    }

    fn client(&self) -> Option<IpAddr> {
        match &self.state {
            State::Matched { request, .. } => request.head.client.address,
            State::Refused(refused) => refused.head.client.address,
        }
    }

    fn route(&self) -> usize {
        match &self.state {
            State::Matched { route, .. } => *route,
            State::Refused(_) => NO_ROUTE,
        }
    }

    /// The generation this request will be decided by.
    pub fn generation(&self) -> Digest {
        self.generation.digest()
    }

    /// Decides, however many requests are decided already: for callers that
    /// bound them by themselves, as [`Gate::decide`] does. Give
    /// [`Body::NotCarried`] where [`body_need`](Self::body_need) is
    /// [`BodyNeed::None`].
    pub async fn decide_unbounded(self, body: Body) -> Verdict {
        match self.state {
            State::Matched { request, route, trials } => {
                chain::run(&self.generation, *request, route, body, trials.as_deref()).await
            }
            State::Refused(refused) => chain::refuse(&self.generation, &refused, None),
        }
    }

    /// The verdict where the gate has taken on all that it can: no policy is
    /// asked, and a route that observes forwards all the same.
    fn unasked(self) -> Verdict {
        match self.state {
            State::Matched { request, route, .. } => chain::overloaded(&self.generation, *request, route),
            State::Refused(refused) => chain::refuse(&self.generation, &refused, None),
        }
    }

    /// Refuses it unseen, on every route: for adapters that have taken on all
    /// that they can, and could not forward it either.
    pub fn overloaded(self) -> Verdict {
        match self.state {
            State::Matched { request, route, .. } => {
                let refused =
                    RefusedHead { refusal: HostReason::Overloaded.into(), head: request.head, id: request.id };
                let cors = self.generation.routes.get(route).deciding.cors.as_ref();
                chain::refuse(&self.generation, &refused, cors)
            }
            State::Refused(refused) => chain::refuse(&self.generation, &refused, None),
        }
    }

    /// As [`decide_unbounded`](Self::decide_unbounded), for callers that cannot
    /// await.
    ///
    /// # Errors
    /// When a store of the generation is remote.
    pub fn decide_unbounded_now(self, body: Body) -> Result<Verdict, NeedsAwait> {
        if self.generation.is_local() { Ok(poll_on(self.decide_unbounded(body))) } else { Err(NeedsAwait) }
    }
}

/// The route of a request, and whether its method has a say in the verdict.
fn find_route(generation: &Generation, request: &Request) -> Result<(usize, bool), Refusal> {
    let routes = &generation.routes;
    let known = generation.known_fields();
    if let Some(field) = connection_options(&request.head.headers).find(|field| known.is_lost_with(field)) {
        return Err(HostReason::ConnectionNamesField.because(format!("`connection` names `{field}`")));
    }
    if request.lacks_host(routes.name_hosts()) {
        return Err(HostReason::MissingHost.into());
    }
    let (index, by_method) = match routes.find(request) {
        Matched::One { index, by_method } => (index, by_method),
        Matched::None if request.excepted().is_some() => return Err(request.ambiguous_path()),
        Matched::None => return Err(HostReason::NoRoute.because(routes.nearest(request).unwrap_or_default())),
        Matched::DependsOnCase(route) => {
            let name = &routes.get(route).name;
            let detail =
                format!("route `{name}` has it in another case, in another spelling, or except for the last slash");
            return Err(HostReason::AmbiguousPath.because(detail));
        }
    };
    let route = routes.get(index);
    if request.excepted().is_some_and(|excepted| !route.admits(excepted)) {
        return Err(request.ambiguous_path());
    }
    if request.is_folded_by(&route.deciding.backend_foldings) {
        let detail = format!("the backend of route `{}` folds it, as its `backend-folds` says", route.name);
        return Err(HostReason::AmbiguousPath.because(detail));
    }
    let method_decides = by_method || route.deciding.reads_method;
    if method_decides && route.deciding.overrides == Overrides::Remove && request.overrides_method() {
        return Err(HostReason::MethodOverridden.into());
    }
    Ok((index, method_decides))
}
