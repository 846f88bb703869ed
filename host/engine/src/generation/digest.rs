//! Names a generation by everything that makes it decide as it does.
//!
//! A configuration is written down in one form, of which the digest is taken: each
//! thing under its label, behind its length. It is written out by hand, so that no
//! change of a name in this program changes what operators have pinned, and so that
//! a setting which is added does not compile until it is written, too.

use crate::cors::Cors;
use crate::generation::spec::{
    BackendFolding, Grants, HostMatch, Keep, Member, NonceSpace, OnDuplicate, OnError, Overrides, PathException,
    PathMatch, PolicySpec, Preflight, Quota, QuotaKey, Route, RouteMatch, SameDelivery, Spec, SuccessStatuses,
    TellApart,
};
use crate::policy::Policy;
use crate::store::QuotaRule;
use crate::verdict::Digest;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::time::Duration;

impl Spec {
    /// Names this configuration: SHA-256 over the components, settings,
    /// grants, nonce spaces, quotas and routes. Keys are not part of it, nor is
    /// what loading may cost.
    ///
    /// It stays the same from release to release for as long as a setting means
    /// the same; the changelog says what changes it.
    pub fn digest(&self) -> Digest {
        let Self { nonces, quotas, policies, routes, principal_field, documentation } = self;
        let mut form = Form::default();
        form.text("configuration", "1");
        form.each("policies", policies, Form::policy);
        form.each("nonces", nonces, Form::nonces);
        form.each("quotas", quotas, Form::quota);
        let routes: BTreeMap<_, _> = routes.iter().map(|route| (route.name.clone(), route)).collect();
        form.each("routes", &routes, |form, route| form.route(route));
        form.optional("principal-field", principal_field.as_ref().map(http::HeaderName::as_str));
        form.optional("documentation", documentation.as_deref());
        form.finish()
    }
}

/// The configuration, and the ids of the secrets that each policy can use:
/// never the secrets.
pub(super) fn digest(configuration: Digest, policies: &[Policy]) -> Digest {
    let mut form = Form::default();
    form.text("configuration", &configuration.to_string());
    for policy in policies {
        form.text("secrets", &policy.secret_ids().join(" "));
    }
    form.finish()
}

/// The written form: parts that cannot run into one another.
#[derive(Default)]
struct Form(Sha256);

impl Form {
    fn policy(&mut self, policy: &PolicySpec) {
        let PolicySpec { component, settings, grants, on_error, deadline, memory_bytes, compile_budget: _ } = policy;
        self.text("component", &hex::encode(Sha256::digest(component)));
        self.text("settings", &settings.to_string());
        self.grants(grants);
        self.text(
            "on-error",
            match on_error {
                OnError::Deny => "deny",
                OnError::Abstain => "abstain",
            },
        );
        self.time("deadline", *deadline);
        self.number("memory", *memory_bytes as u64);
    }

    fn grants(&mut self, grants: &Grants) {
        let Grants { keys, nonces, quotas, sets, removes_query, vouch } = grants;
        self.each("grants.keys", keys, |form, name| form.text("key", name));
        self.each("grants.nonces", nonces, |form, name| form.text("nonces", name));
        self.each("grants.quotas", quotas, |form, names| form.texts("quotas", names));
        self.all("grants.sets", sets, |form, name| form.text("field", name.as_str()));
        self.flag("grants.vouch", *vouch);
        // Written only where it is used: it came after the form had been fixed.
        if !removes_query.is_empty() {
            self.texts("grants.removes-query", removes_query);
        }
    }

    fn nonces(&mut self, space: &NonceSpace) {
        let NonceSpace { retain, entries_max, same_delivery, tell_apart, on_duplicate, keep, success } = space;
        let SuccessStatuses { redirects, client_errors } = success;
        self.time("retain", *retain);
        self.optional("entries-max", entries_max.map(|most| most.to_string()).as_deref());
        self.text(
            "same-delivery",
            match same_delivery {
                SameDelivery::Signature => "signature",
                SameDelivery::MessageId => "message-id",
            },
        );
        self.all("tell-apart", tell_apart, |form, TellApart { field, values }| {
            form.text("field", field.as_str());
            form.texts("values", values);
        });
        self.optional(
            "on-duplicate",
            on_duplicate.map(|on_duplicate| match on_duplicate {
                OnDuplicate::Deny => "deny",
                OnDuplicate::Acknowledge => "acknowledge",
                OnDuplicate::Mark => "mark",
            }),
        );
        self.optional("keep", keep.map(keep_name));
        self.flag("success.3xx", *redirects);
        self.flag("success.4xx", *client_errors);
    }

    fn quota(&mut self, quota: &Quota) {
        let Quota { rule, key, keep, entries_max } = quota;
        self.text(
            "algorithm",
            match rule {
                QuotaRule::Gcra(_) => "gcra",
                QuotaRule::FixedWindow(_) => "fixed-window",
                QuotaRule::SlidingWindow(_) => "sliding-window",
                QuotaRule::Concurrency(_) => "concurrency",
            },
        );
        self.number("limit", rule.limit());
        self.time("span", rule.span());
        self.text(
            "key",
            match key {
                QuotaKey::Principal => "principal",
                QuotaKey::Tenant => "tenant",
                QuotaKey::ClientAddress => "client-address",
                QuotaKey::Route => "route",
            },
        );
        self.text("keep", keep_name(*keep));
        self.optional("entries-max", entries_max.map(|most| most.to_string()).as_deref());
    }

    fn route(&mut self, route: &Route) {
        // A name and the log decide nothing.
        let Route {
            name: _,
            log_allowed: _,
            matches,
            chain,
            public,
            observe,
            preflight,
            body_bytes_max: _,
            backend_foldings,
            overrides,
            upstream,
            cors,
            path_exceptions,
        } = route;
        self.matches(matches);
        self.all("chain", chain, |form, member| match member {
            Member::Policy(name) => form.text("policy", name),
            Member::Shadow(name) => form.text("shadow", name),
            Member::AnyOf(names) => form.texts("any-of", names),
        });
        self.flag("public", *public);
        self.flag("observe", *observe);
        self.text(
            "preflight",
            match preflight {
                Preflight::Refuse => "refuse",
                Preflight::Forward => "forward",
            },
        );
        self.number("body-limit", route.body_bytes() as u64);
        self.all("backend-folds", backend_foldings, |form, folding| {
            form.text(
                "folds",
                match folding {
                    BackendFolding::WindowsNames => "windows-names",
                    BackendFolding::FormatSuffixes => "format-suffixes",
                },
            );
        });
        self.text(
            "overrides",
            match overrides {
                Overrides::Remove => "remove",
                Overrides::Forward => "forward",
            },
        );
        // Routes without one are written as they were before there were any.
        if let Some(upstream) = upstream {
            self.text("upstream", upstream);
        }
        // Only where they are: what was pinned before there were any stays.
        if let Some(Cors { origins, credentials }) = cors {
            self.texts("cors-origins", origins);
            self.flag("cors-credentials", *credentials);
        }
        if !path_exceptions.is_empty() {
            self.all("path-exceptions", path_exceptions, |form, exception| {
                form.text(
                    "excepts",
                    match exception {
                        PathException::EncodedSlashes => "encoded-slashes",
                        PathException::EmptySegments => "empty-segments",
                    },
                );
            });
        }
    }

    fn matches(&mut self, matches: &RouteMatch) {
        let RouteMatch { host, path, methods, listeners } = matches;
        match host {
            HostMatch::Any => self.text("host", ""),
            HostMatch::Exact(host) => self.text("host", host),
            HostMatch::Below(host) => self.text("host-below", host),
        }
        match path {
            PathMatch::Exact(path) => self.text("path", path),
            PathMatch::Prefix(path) => self.text("path-prefix", path),
        }
        self.all("methods", methods, |form, method| form.text("method", method.as_str()));
        self.texts("listeners", listeners);
    }

    /// Things by name.
    fn each<T>(&mut self, label: &str, things: &BTreeMap<String, T>, write: impl Fn(&mut Self, &T)) {
        self.number(label, things.len() as u64);
        for (name, thing) in things {
            self.text("name", name);
            write(self, thing);
        }
    }

    /// Things in their order.
    fn all<T>(&mut self, label: &str, things: &[T], write: impl Fn(&mut Self, &T)) {
        self.number(label, things.len() as u64);
        for thing in things {
            write(self, thing);
        }
    }

    fn texts(&mut self, label: &str, texts: &[String]) {
        self.all(label, texts, |form, text| form.text("", text));
    }

    fn optional(&mut self, label: &str, text: Option<&str>) {
        self.flag(label, text.is_some());
        if let Some(text) = text {
            self.text(label, text);
        }
    }

    fn flag(&mut self, label: &str, flag: bool) {
        self.text(label, if flag { "yes" } else { "no" });
    }

    /// In nanoseconds.
    fn time(&mut self, label: &str, time: Duration) {
        self.text(label, &time.as_nanos().to_string());
    }

    fn number(&mut self, label: &str, number: u64) {
        self.text(label, &number.to_string());
    }

    fn text(&mut self, label: &str, text: &str) {
        for part in [label, text] {
            self.0.update((part.len() as u64).to_le_bytes());
            self.0.update(part);
        }
    }

    fn finish(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}

fn keep_name(keep: Keep) -> &'static str {
    match keep {
        Keep::OnAllow => "on-allow",
        Keep::Always => "always",
        Keep::OnSuccess => "on-success",
    }
}

#[cfg(test)]
mod tests {
    use crate::cors::Cors;
    use crate::generation::spec::*;
    use crate::store::Gcra;
    use std::time::Duration;

    fn spec() -> Spec {
        let mut policy = PolicySpec::new(*b"a component");
        policy.settings = serde_json::json!({ "provider": "github", "a": [1, 2.5, null] });
        policy.grants = Grants {
            keys: [("signing".to_owned(), "github".to_owned())].into(),
            nonces: [("deliveries".to_owned(), "once".to_owned())].into(),
            quotas: [("quota".to_owned(), vec!["fast".to_owned()])].into(),
            sets: vec![http::HeaderName::from_static("x-a")],
            removes_query: Vec::new(),
            vouch: true,
        };
        let rule = Gcra { interval: Duration::from_millis(600), limit: 20 }.into();
        let quota = Quota { rule, key: QuotaKey::Principal, keep: Keep::OnAllow, entries_max: None };
        let mut route = Route::new("github");
        route.chain = vec![Member::Policy("signature".to_owned())];
        Spec {
            nonces: [("once".to_owned(), NonceSpace::default())].into(),
            quotas: [("fast".to_owned(), quota)].into(),
            policies: [("signature".to_owned(), policy)].into(),
            routes: vec![route],
            principal_field: Some(http::HeaderName::from_static("barmkin-principal")),
            documentation: None,
        }
    }

    /// Operators have pinned these. A change of one belongs in the changelog.
    #[test]
    fn digests_stay() {
        let mut other = spec();
        other.documentation = Some("https://errors.example/".to_owned());
        other.routes[0].matches.host = HostMatch::Below("example.com".to_owned());
        other.nonces.get_mut("once").unwrap().tell_apart =
            vec![TellApart { field: http::HeaderName::from_static("x-topic"), values: vec!["a".to_owned()] }];
        let digests = [Spec::default(), spec(), other].map(|spec| spec.digest().to_string());
        assert_eq!(
            digests,
            [
                "2096bae2e8ff074ecacd8c8e207f314a9c7065166471f082a1992dcd15faf834",
                "2190eb7aafd9eb96fcf93e27d262475e45253dc9365fe7dadd371efe1403f138",
                "8a88e10df63bf74e7b58f7d07f23f743101a2059cf41ff36dd6020731a6044fa",
            ]
        );
    }

    #[test]
    fn where_requests_go_is_part_of_it() {
        let mut there = spec();
        there.routes[0].upstream = Some("there".into());
        let mut elsewhere = spec();
        elsewhere.routes[0].upstream = Some("elsewhere".into());
        let digests = [spec(), there, elsewhere].map(|spec| spec.digest());
        assert!(digests[0] != digests[1] && digests[1] != digests[2]);
    }

    #[test]
    fn what_a_route_excepts_is_part_of_it() {
        let with = |change: &dyn Fn(&mut Route)| {
            let mut other = spec();
            change(&mut other.routes[0]);
            other.digest()
        };
        let origins = || vec!["https://app.example".to_owned()];
        let cors = |route: &mut Route| route.cors = Some(Cors { origins: origins(), credentials: false });
        let with_credentials = |route: &mut Route| route.cors = Some(Cors { origins: origins(), credentials: true });
        let slashes = |route: &mut Route| route.path_exceptions = vec![PathException::EncodedSlashes];
        let empty = |route: &mut Route| route.path_exceptions = vec![PathException::EmptySegments];
        let digests = [spec().digest(), with(&cors), with(&with_credentials), with(&slashes), with(&empty)];
        for (index, digest) in digests.iter().enumerate() {
            assert_eq!(digests.iter().position(|other| other == digest), Some(index));
        }
    }

    #[test]
    fn what_loading_may_cost_is_no_part_of_it() {
        let mut costly = spec();
        costly.policies.get_mut("signature").unwrap().compile_budget = Duration::from_secs(1);
        assert_eq!(costly.digest(), spec().digest());
    }
}
