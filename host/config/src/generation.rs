//! Builds the generation, and brings its problems back to where they were
//! written.

use crate::config::Config;
use crate::findings::Findings;
use crate::listener::{Listener, ListenerKind};
use crate::report::Report;
use crate::resolve::PolicyOrigin;
use crate::source::{FileId, Spot};
use crate::worded::worded;
use barmkin_host::{At, BuildError, BuildErrors, Engine, Generation, Problem, Services};

impl Config {
    /// Builds and proves what decides: components are loaded and configured,
    /// grants and routes checked.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn build(&self, engine: &Engine, services: Services) -> Result<Generation, Report> {
        self.prove(Generation::build(engine, self.spec(), self.keys(), services))
    }

    /// As [`build`](Self::build), after `previous` and on the same services:
    /// see [`Generation::next`].
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn build_after(&self, engine: &Engine, previous: &Generation) -> Result<Generation, Report> {
        self.prove(previous.next(engine, self.spec(), self.keys()))
    }

    fn prove(&self, built: Result<Generation, BuildErrors>) -> Result<Generation, Report> {
        let mut findings = Findings::default();
        match &built {
            Ok(generation) => {
                self.check_bodies(generation, &mut findings);
                self.check_ends(generation, &mut findings);
                self.check_queries(generation, &mut findings);
            }
            Err(errors) => errors.errors().iter().for_each(|error| self.add(error, &mut findings)),
        }
        match (built, self.report(findings)) {
            (Ok(generation), Ok(())) => Ok(generation),
            (_, Err(report)) => Err(report),
            // Unreachable: every error of a build is a finding.
            (Err(_), Ok(())) => Err(Report { findings: Vec::new() }),
        }
    }

    /// A chain that needs the body is refused on a listener that cannot carry it.
    fn check_bodies(&self, generation: &Generation, findings: &mut Findings) {
        for route in generation.routes_with_body() {
            let Some(listener) = self.serving(route).find(|listener| !listener.carries_bodies()) else { continue };
            let help = match listener.kind {
                ListenerKind::ExtAuthz { .. } => {
                    "write its `body-limit`: `max_request_bytes` of Envoy's `with_request_body`"
                }
                _ => {
                    "proxies send no body to forward-auth: name listeners of kind `ext-authz` or `reverse-proxy` in \
                     the route's `listeners`"
                }
            };
            let spot = self.spot(&At::Route(route.to_owned()), "chain");
            let name = &listener.name;
            let message =
                format!("the chain of route `{route}` needs the body, which listener `{name}` does not carry");
            findings.error(spot, message).help(help);
        }
    }

    /// A quota of requests at once is refused on a listener that does not see
    /// when they end.
    fn check_ends(&self, generation: &Generation, findings: &mut Findings) {
        for route in generation.routes_with_concurrency() {
            let Some(listener) = self.serving(route).find(|listener| !listener.sees_responses()) else { continue };
            let spot = self.spot(&At::Route(route.to_owned()), "chain");
            let message = format!(
                "the chain of route `{route}` counts requests at once, whose end listener `{}` does not see",
                listener.name
            );
            findings.error(spot, message).help(
                "name listeners of kind `reverse-proxy` in the route's `listeners`, or use a quota with a `rate`",
            );
        }
    }

    /// A key in the query would reach the upstream through a proxy that forwards
    /// the query as it came.
    fn check_queries(&self, generation: &Generation, findings: &mut Findings) {
        for route in generation.routes_that_change_the_query() {
            let forwards = |listener: &&Listener| matches!(listener.kind, ListenerKind::ForwardAuth { .. });
            let Some(listener) = self.serving(route).find(forwards) else { continue };
            let message = format!(
                "a policy of route `{route}` reads a key in the query, which proxies that ask listener `{}` would forward",
                listener.name
            );
            findings.error(self.spot(&At::Route(route.to_owned()), "chain"), message).help(
                "name listeners of kind `reverse-proxy` or `ext-authz` in the route's `listeners`, or take keys from a \
                 header",
            );
        }
    }

    /// The listeners that a route is for.
    fn serving(&self, route: &str) -> impl Iterator<Item = &Listener> {
        let route = self.spec().routes.iter().find(|declared| declared.name == route);
        self.listeners()
            .iter()
            .filter(move |listener| route.is_none_or(|route| route.matches.serves(Some(&listener.name))))
    }

    fn add(&self, error: &BuildError, findings: &mut Findings) {
        let BuildError { at, problem } = error;
        let inline =
            matches!(at, At::Policy(name) if matches!(self.origins.policies.get(name), Some(PolicyOrigin::Inline(_))));
        let spot = if inline { self.spot(at, "") } else { self.spot(at, &key_of(problem)) };
        let message = error.to_string();
        let (message, help) = match (problem.help(), problem) {
            // What serde says within the policy.
            (None, Problem::Setting { .. }) => worded(&message),
            (help, _) => (message, help),
        };
        let found = findings.error(spot, message);
        if let Some(help) = help {
            found.help(help);
        }
    }

    /// Where `key` of what an error is about was written.
    fn spot(&self, at: &At, key: &str) -> Spot {
        if let At::Policy(name) = at
            && let Some(spot) = self.spot_in_table(name, key)
        {
            return spot;
        }
        let site = match at {
            At::Policy(name) => match self.origins.policies.get(name) {
                Some(PolicyOrigin::Declared(site) | PolicyOrigin::Inline(site)) => Some(site),
                None => None,
            },
            At::Route(name) => self.origins.routes.get(name),
            At::Key(name) => self.origins.keys.get(name),
            At::Quota(name) | At::Store(name) => self.origins.quotas.get(name),
            At::PrincipalField => self.origins.forward.as_ref(),
        };
        site.map_or(Spot::File(FileId::MAIN), |site| site.dotted(key).into())
    }

    /// The place of a setting that stands in a file of its own.
    fn spot_in_table(&self, policy: &str, key: &str) -> Option<Spot> {
        let mut steps = key.strip_prefix("settings.")?.split('.');
        let table = self.origins.tables.get(policy)?.get(steps.next()?)?;
        steps.next()?.parse().ok().map(|entry| table.spot(entry))
    }
}

/// The key of a policy or route that a problem is about.
fn key_of(problem: &Problem) -> String {
    match problem {
        Problem::Setting { setting, .. } => format!("settings.{}", setting.trim_matches('`')),
        Problem::Settings(_) | Problem::MoreSettings(_) => "settings".to_owned(),
        Problem::NotGranted { .. } | Problem::VouchNotGranted | Problem::GrantedQuotas(_) => "grants".to_owned(),
        Problem::UnusedGrant { kind: "field", .. } | Problem::ForbiddenField(_) => "grants.sets".to_owned(),
        Problem::UnusedGrant { kind: "query parameter", .. } => "grants.removes-query".to_owned(),
        Problem::UnusedGrant { kind, name } => format!("grants.{}.{name}", table_of(kind)),
        Problem::UnusedVouch => "grants.vouch".to_owned(),
        Problem::WrongAlgorithm { need, .. } => format!("grants.keys.{need}"),
        Problem::EmptyChain | Problem::ChainTooLong(_) | Problem::NobodyVouches | Problem::FieldSetTwice { .. } => {
            "chain".to_owned()
        }
        Problem::Origin(_) | Problem::NoOrigins => "cors.origins".to_owned(),
        Problem::ExceptionsWithoutPrefix | Problem::ExceptionsRead(_) => "path-exceptions".to_owned(),
        Problem::Tie(_) => "match".to_owned(),
        Problem::Path(_) => "match.path".to_owned(),
        Problem::Host(_) => "match.host".to_owned(),
        Problem::Method(_) => "match.methods".to_owned(),
        Problem::PrincipalField(_) => "principal-field".to_owned(),
        Problem::OutOfRange { what, .. } => match *what {
            "the body limit" => "body-limit",
            "the rate" => "rate",
            what => what.trim_start_matches("the "),
        }
        .to_owned(),
        _ => "component".to_owned(),
    }
}

fn table_of(kind: &str) -> &'static str {
    match kind {
        "key" => "keys",
        "nonce space" => "nonces",
        _ => "quotas",
    }
}
