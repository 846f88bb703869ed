//! One immutable whole of routes, policies and keys.

pub(crate) mod build_errors;
mod digest;
pub(crate) mod error;
pub(crate) mod fields;
mod route;
pub(crate) mod shares;
pub(crate) mod spec;
mod told;
mod validate;

use crate::clock::{Clock, SystemClock, monotonic};
use crate::engine::Engine;
use crate::generation::build_errors::{BuildError, BuildErrors};
use crate::generation::error::{At, Problem};
use crate::generation::fields::KnownFields;
use crate::generation::route::build_route;
use crate::generation::shares::Shares;
use crate::generation::spec::Spec;
use crate::generation::told::Lines;
use crate::keys::KeySource;
use crate::metrics::{Metrics, NoMetrics};
use crate::pieces::PIECE_BYTES;
use crate::policy::{Image, Manifest, Policy, Waits};
use crate::record::Recorder;
use crate::request::BodyNeed;
use crate::routes::{BuiltMember, RouteTable};
use crate::store::{Store, TRIAL_PREFIX};
use crate::verdict::{DenialForm, Digest, REQUEST_ID_FIELD};
use http::HeaderName;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

/// The services that a generation uses, besides its [`Spec`].
#[derive(Clone)]
pub struct Services {
    /// Where nonces and quotas live.
    pub store: Store,
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
    /// Where verdicts and failures are counted.
    pub metrics: Arc<dyn Metrics>,
    /// Where decisions are recorded, if anywhere.
    pub recorder: Option<Arc<dyn Recorder>>,
    /// Whether steps say what authors of policies want to know: the message of a
    /// panic, which may hold parts of the request, and what each check
    /// [took](crate::Took).
    pub for_authors: bool,
    /// The form in which denials are answered, if not a problem document: every
    /// adapter answers in it.
    pub denial_form: Option<Arc<dyn DenialForm>>,
}

impl Services {
    /// `store`, the machine's clock, nobody who counts or records, and nothing
    /// for authors.
    pub fn new(store: impl Into<Store>) -> Self {
        Self {
            store: store.into(),
            clock: Arc::new(SystemClock),
            metrics: Arc::new(NoMetrics),
            recorder: None,
            for_authors: false,
            denial_form: None,
        }
    }
}

/// The compiled policies of a generation, for a later one to take over. They
/// hold their code and the memory that `configure` left, and nothing that was
/// granted.
#[derive(Clone, Default)]
pub struct Images(Vec<Arc<Image>>);

/// A policy as it was loaded.
#[derive(Clone, Copy, Debug)]
pub struct Loaded<'g> {
    /// Its name.
    pub name: &'g str,
    /// The manifest: its inputs, and the things that it uses.
    pub manifest: &'g Manifest,
    /// Bytes of linear memory that `configure` left, and each check begins with.
    pub memory_bytes: usize,
    /// Why each check takes a new instance of it, where they are not renewed.
    pub not_renewed: Option<&'g str>,
}

/// Everything that decides requests, proven and immutable.
pub struct Generation {
    spec: Arc<Spec>,
    pub(crate) routes: Arc<RouteTable>,
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: Arc<dyn Metrics>,
    pub(crate) recorder: Option<Arc<dyn Recorder>>,
    pub(crate) for_authors: bool,
    pub(crate) denial_form: Option<Arc<dyn DenialForm>>,
    pub(crate) principal_field: Option<HeaderName>,
    pub(crate) documentation: Option<Arc<str>>,
    policies: Vec<Policy>,
    /// Those that are tried, apart from the same ones where they decide: what a
    /// trial logs and misses is not theirs.
    tried: Vec<Policy>,
    compiled: usize,
    gate_fields: Vec<HeaderName>,
    known_fields: KnownFields,
    configuration: Digest,
    digest: Digest,
    lines: Lines,
    built: Instant,
}

impl Generation {
    /// Builds and proves a generation: every component is loaded, configured
    /// and granted, every key read, every route checked. Nothing of this is
    /// done again per request.
    ///
    /// # Errors
    /// All problems that were found, not only the first.
    pub fn build(engine: &Engine, spec: &Spec, keys: &dyn KeySource, services: Services) -> Result<Self, BuildErrors> {
        Self::assemble(engine, spec, keys, services, &[], &Images::default())
    }

    /// Whether it has a nonce space of that name.
    pub fn has_nonce_space(&self, name: &str) -> bool {
        self.spec.nonces.contains_key(name)
    }

    /// Where its nonces and quotas live.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Builds the generation that follows this one, on the same services.
    /// Policies whose component, settings and memory are unchanged only get new
    /// grants: when nothing but keys has changed, nothing is compiled. Those
    /// whose grants and deadline are unchanged, too, stay in quarantine.
    ///
    /// # Errors
    /// As for [`build`](Self::build). This generation stays as it is.
    pub fn next(&self, engine: &Engine, spec: &Spec, keys: &dyn KeySource) -> Result<Self, BuildErrors> {
        self.next_with(engine, spec, keys, &Images::default())
    }

    /// As [`next`](Self::next), which takes policies over from `kept`, too: to
    /// go back to a generation without compiling it again.
    ///
    /// # Errors
    /// As for [`build`](Self::build). This generation stays as it is.
    pub fn next_with(
        &self,
        engine: &Engine,
        spec: &Spec,
        keys: &dyn KeySource,
        kept: &Images,
    ) -> Result<Self, BuildErrors> {
        let services = Services {
            store: self.store.clone(),
            clock: self.clock.clone(),
            metrics: self.metrics.clone(),
            recorder: self.recorder.clone(),
            for_authors: self.for_authors,
            denial_form: self.denial_form.clone(),
        };
        Self::assemble(engine, spec, keys, services, &self.policies, kept)
    }

    /// This generation with other keys. Nothing else is looked at again, so
    /// that it takes microseconds for each policy however large its component,
    /// and however many the routes: a secret that leaked waits for nothing.
    ///
    /// # Errors
    /// When a key cannot be had, or is not for what its policy uses it for.
    pub fn with_keys(&self, engine: &Engine, keys: &dyn KeySource) -> Result<Self, BuildErrors> {
        let (mut policies, mut errors) = (Vec::new(), Vec::new());
        let shares = Shares::of(&self.spec, self.store.room(), &mut errors);
        // Both are in the order of their names.
        for (policy, (name, declared)) in self.policies.iter().zip(&self.spec.policies) {
            let image = policy.image().clone();
            let services = (&self.metrics, self.for_authors);
            match Policy::grant(image, name, declared, (&self.spec, shares), keys, services, engine) {
                Ok(policy) => policies.push(policy.following(&self.policies)),
                Err(problems) => errors.extend(of_policy(name, problems)),
            }
        }
        let (tried, problems) =
            grant_tried(engine, (&self.spec, shares), &policies, keys, (&self.metrics, self.for_authors));
        errors.extend(problems);
        if !errors.is_empty() {
            return Err(BuildErrors::new(errors));
        }
        Ok(Self {
            spec: self.spec.clone(),
            routes: self.routes.clone(),
            store: self.store.clone(),
            clock: self.clock.clone(),
            metrics: self.metrics.clone(),
            recorder: self.recorder.clone(),
            for_authors: self.for_authors,
            denial_form: self.denial_form.clone(),
            principal_field: self.principal_field.clone(),
            documentation: self.documentation.clone(),
            compiled: 0,
            known_fields: KnownFields::new(&self.gate_fields, &self.spec.nonces, enforced(&self.spec, &policies)),
            gate_fields: self.gate_fields.clone(),
            configuration: self.configuration,
            digest: digest::digest(self.configuration, &policies),
            policies,
            tried,
            lines: Lines::default(),
            built: monotonic(),
        })
    }

    /// Its compiled policies.
    pub fn images(&self) -> Images {
        Images(self.policies.iter().map(|policy| policy.image().clone()).collect())
    }

    fn assemble(
        engine: &Engine,
        spec: &Spec,
        keys: &dyn KeySource,
        services: Services,
        previous: &[Policy],
        kept: &Images,
    ) -> Result<Self, BuildErrors> {
        let mut errors = Vec::new();
        let shares = Shares::of(spec, services.store.room(), &mut errors);
        let mut policies = Vec::new();
        for (name, policy) in &spec.policies {
            let waits = Waits { store: !services.store.is_local(), bodies: has_large_bodies(spec, name) };
            let known = previous.iter().map(Policy::image).chain(&kept.0);
            let told = (&services.metrics, services.for_authors);
            let image = Image::of(engine, policy, waits, known);
            match image.and_then(|image| Policy::grant(image, name, policy, (spec, shares), keys, told, engine)) {
                Ok(policy) => policies.push(policy.following(previous)),
                Err(problems) => errors.extend(of_policy(name, problems)),
            }
        }
        errors.extend(validate::validate(spec, &policies));
        let (tried, problems) =
            grant_tried(engine, (spec, shares), &policies, keys, (&services.metrics, services.for_authors));
        errors.extend(problems);
        if !errors.is_empty() {
            return Err(BuildErrors::new(errors));
        }
        let index: BTreeMap<&str, usize> =
            policies.iter().enumerate().map(|(index, policy)| (&*policy.name, index)).collect();
        let taken_over = |policy: &Policy| {
            let mut known = previous.iter().map(Policy::image).chain(&kept.0);
            known.any(|known| Arc::ptr_eq(known, policy.image()))
        };
        let configuration = spec.digest();
        // Validated above: all of them can be built.
        let routes = spec.routes.iter().filter_map(|route| build_route(route, &index, &policies, &tried)).collect();
        let gate_fields = gate_fields(spec, &policies);
        Ok(Self {
            spec: Arc::new(spec.clone()),
            routes: Arc::new(RouteTable::new(routes)),
            store: services.store,
            clock: services.clock,
            metrics: services.metrics,
            recorder: services.recorder,
            for_authors: services.for_authors,
            denial_form: services.denial_form,
            principal_field: spec.principal_field.clone(),
            documentation: spec.documentation.as_deref().map(Arc::from),
            known_fields: KnownFields::new(&gate_fields, &spec.nonces, enforced(spec, &policies)),
            gate_fields,
            digest: digest::digest(configuration, &policies),
            configuration,
            compiled: policies.iter().filter(|policy| !taken_over(policy)).count(),
            policies,
            tried,
            lines: Lines::default(),
            built: monotonic(),
        })
    }

    /// Names this generation in verdicts and logs.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The configuration it was built from: see [`Spec::digest`].
    pub fn configuration(&self) -> Digest {
        self.configuration
    }

    /// How many policies were compiled for it, and not taken over from the
    /// generation before.
    pub fn compiled(&self) -> usize {
        self.compiled
    }

    /// SHA-256 of each policy's component, by name.
    pub fn components(&self) -> impl Iterator<Item = (&str, Digest)> {
        self.policies.iter().map(|policy| (&*policy.name, policy.image().component()))
    }

    /// Whether every check can be had without awaiting.
    pub fn is_local(&self) -> bool {
        self.store.is_local()
    }

    /// Names of the routes whose chain needs the body: not for listeners that
    /// carry none.
    pub fn routes_with_body(&self) -> impl Iterator<Item = &str> {
        self.routes.iter().filter(|route| route.deciding.body_need != BodyNeed::None).map(|route| &*route.name)
    }

    /// Names of the routes whose chain counts requests at once: not for
    /// listeners that do not see when a request ends.
    pub fn routes_with_concurrency(&self) -> impl Iterator<Item = &str> {
        let counts = |member: &BuiltMember| match member {
            BuiltMember::Policy(index) => self.policy(*index).counts_requests_at_once(),
            BuiltMember::AnyOf(group) => group.iter().any(|index| self.policy(*index).counts_requests_at_once()),
        };
        self.routes.iter().filter(move |route| route.deciding.chain.iter().any(counts)).map(|route| &*route.name)
    }

    /// Routes on which a part of the query is not forwarded: what asks about them
    /// must be able to take it out.
    pub fn routes_that_change_the_query(&self) -> impl Iterator<Item = &str> {
        self.routes.iter().filter(|route| !route.deciding.removes_query.is_empty()).map(|route| &*route.name)
    }

    /// Fields that this gate sets for the upstream. Clients' own copies are
    /// removed, always.
    pub fn gate_fields(&self) -> &[HeaderName] {
        &self.gate_fields
    }

    /// The policies, by name.
    pub fn policies(&self) -> impl Iterator<Item = Loaded<'_>> {
        self.policies.iter().map(|policy| Loaded {
            name: &policy.name,
            manifest: &policy.manifest,
            memory_bytes: policy.image().memory_bytes(),
            not_renewed: policy.image().not_renewed(),
        })
    }

    /// Reports to metrics the policies whose quarantine `next` does not keep.
    pub(crate) fn give_way_to(&self, next: &Self) {
        for released in self.policies.iter().filter(|policy| policy.is_released_by(&next.policies)) {
            self.metrics.quarantine(&released.name, false);
        }
        for released in self.tried.iter().filter(|policy| policy.is_released_by(&next.tried)) {
            self.metrics.quarantine(&released.name, false);
        }
    }

    /// INVARIANT (policy index): an index comes from building this generation.
    #[expect(clippy::indexing_slicing, reason = "policy index")]
    pub(crate) fn policy(&self, index: usize) -> &Policy {
        &self.policies[index]
    }

    /// The fields that the gate or a policy reads or sets.
    pub(crate) fn known_fields(&self) -> &KnownFields {
        &self.known_fields
    }

    /// As [`policy`](Self::policy), of those that are tried.
    ///
    /// INVARIANT (policy index): likewise.
    #[expect(clippy::indexing_slicing, reason = "policy index")]
    pub(crate) fn tried(&self, index: usize) -> &Policy {
        &self.tried[index]
    }
}

/// Whether a route of `policy` has bodies that are hashed in pieces.
fn has_large_bodies(spec: &Spec, policy: &str) -> bool {
    let mut routes = spec.routes.iter().filter(|route| route.body_bytes() > PIECE_BYTES);
    routes.any(|route| route.chain.iter().flat_map(spec::Member::policies).any(|name| name == policy))
}

fn of_policy(name: &str, problems: Vec<Problem>) -> impl Iterator<Item = BuildError> {
    problems.into_iter().map(|problem| BuildError { at: At::Policy(name.to_owned()), problem })
}

/// Grants the policies that are shadows somewhere once more, each under a name
/// that says so.
fn grant_tried(
    engine: &Engine,
    (spec, shares): (&Spec, Shares),
    policies: &[Policy],
    keys: &dyn KeySource,
    services: (&Arc<dyn Metrics>, bool),
) -> (Vec<Policy>, Vec<BuildError>) {
    let (mut tried, mut errors) = (Vec::new(), Vec::new());
    let members = || spec.routes.iter().flat_map(|route| &route.chain);
    for policy in policies {
        let is_tried = |member: &spec::Member| matches!(member, spec::Member::Shadow(name) if **name == *policy.name);
        let Some(declared) = spec.policies.get(&*policy.name).filter(|_| members().any(is_tried)) else { continue };
        let name = shadow_name(&policy.name);
        match Policy::grant(policy.image().clone(), &name, declared, (spec, shares), keys, services, engine) {
            Ok(policy) => tried.push(policy),
            Err(problems) => errors.extend(of_policy(&policy.name, problems)),
        }
    }
    (tried, errors)
}

/// A policy as a shadow: in logs and metrics, and before the names of the
/// quotas and spaces that are its own.
fn shadow_name(policy: &str) -> String {
    format!("{TRIAL_PREFIX}{policy}")
}

/// The policies whose decisions are kept to on some route.
fn enforced<'p>(spec: &Spec, policies: &'p [Policy]) -> impl Iterator<Item = &'p Policy> {
    let members = spec.routes.iter().filter(|route| !route.observe).flat_map(|route| &route.chain);
    let names: BTreeSet<&str> = members
        .filter(|member| !matches!(member, spec::Member::Shadow(_)))
        .flat_map(|member| member.policies().iter().map(String::as_str))
        .collect();
    policies.iter().filter(move |policy| names.contains(&*policy.name))
}

/// A policy that is a shadow and nothing else sets no field: clients keep theirs.
fn gate_fields(spec: &Spec, policies: &[Policy]) -> Vec<HeaderName> {
    let members = || spec.routes.iter().flat_map(|route| &route.chain);
    let names = |member: &spec::Member, policy: &Policy| member.policies().iter().any(|name| **name == *policy.name);
    let is_shadow = |member: &spec::Member| matches!(member, spec::Member::Shadow(_));
    let only_tried = |policy: &Policy| {
        let mut named = members().filter(|member| names(member, policy)).peekable();
        named.peek().is_some() && named.all(is_shadow)
    };
    let deciding = policies.iter().filter(|policy| !only_tried(policy));
    let mut fields: Vec<HeaderName> = deciding.flat_map(|policy| policy.sets().iter().cloned()).collect();
    fields.extend(spec.principal_field.clone());
    fields.push(REQUEST_ID_FIELD);
    fields.sort_by(|a, b| a.as_str().cmp(b.as_str()));
    fields.dedup();
    fields
}
