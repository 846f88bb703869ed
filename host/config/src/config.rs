//! A configuration that is right, as far as that can be told without running
//! a component.

use crate::document::{Document, Entry};
use crate::findings::Findings;
use crate::listener::Listener;
use crate::load::{self, Loaded};
use crate::report::{Finding, Report};
use crate::resolve::{self, Context, PolicyOrigin, Resolved};
use crate::source::{Site, Sources};
use barmkin_host::{KeyRing, MemoryLimits, Spec};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// A configuration.
pub struct Config {
    pub(crate) sources: Sources,
    pub(crate) origins: Origins,
    pub(crate) keys: KeyRing,
    spec: Spec,
    listeners: Vec<Listener>,
    store: MemoryLimits,
    warnings: Vec<Finding>,
}

/// How to load a configuration.
#[derive(Clone, Copy, Debug)]
pub struct LoadOptions {
    /// Time since 1970, to tell which secrets are past their end.
    pub now: Duration,
    /// Whether secrets are read.
    pub secrets: Secrets,
}

impl LoadOptions {
    /// Reads everything, at `now` since 1970.
    pub fn at(now: Duration) -> Self {
        Self { now, secrets: Secrets::Read }
    }
}

/// Whether secrets are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secrets {
    /// They are.
    Read,
    /// Each is replaced by a placeholder that everybody knows: for checking a
    /// configuration where its secrets must not be. Never serve with it.
    Placeholders,
}

/// Where what was declared stands, by name.
#[derive(Clone, Debug)]
pub(crate) struct Origins {
    pub(crate) policies: BTreeMap<String, PolicyOrigin>,
    pub(crate) routes: BTreeMap<String, Site>,
    pub(crate) keys: BTreeMap<String, Site>,
    pub(crate) quotas: BTreeMap<String, Site>,
}

impl Config {
    /// Reads `path` and everything it names.
    ///
    /// # Errors
    /// Everything that is wrong, and the warnings among it.
    pub fn load(path: impl AsRef<Path>, options: &LoadOptions) -> Result<Self, Report> {
        let Loaded { sources, document, mut findings } = load::load(path.as_ref());
        let mut context = Context { sources: &sources, options, findings: &mut findings };
        let Resolved { listeners, store, spec, keys, origins } = resolve::resolve(&document, &mut context);
        let warnings = findings.finish(&sources)?;
        Ok(Self { sources, origins, keys, spec, listeners, store, warnings })
    }

    /// What the operator should know although it can be used.
    pub fn warnings(&self) -> &[Finding] {
        &self.warnings
    }

    /// The ways in, by name.
    pub fn listeners(&self) -> &[Listener] {
        &self.listeners
    }

    /// How much the memory store may hold.
    pub fn store(&self) -> MemoryLimits {
        self.store
    }

    /// What decides.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }
}

impl Origins {
    pub(crate) fn new(document: &Document, policies: BTreeMap<String, PolicyOrigin>) -> Self {
        fn sites<T>(declared: &BTreeMap<String, Entry<T>>) -> BTreeMap<String, Site> {
            declared.iter().map(|(name, entry)| (name.clone(), entry.site.clone())).collect()
        }
        let routes = document.routes.iter().map(|route| (route.value.name.clone(), route.site.clone()));
        Self { policies, routes: routes.collect(), keys: sites(&document.keys), quotas: sites(&document.quotas) }
    }
}

impl Config {
    /// Reports what was found after loading.
    pub(crate) fn report(&self, findings: Findings) -> Result<(), Report> {
        findings.finish(&self.sources).map(|_| ())
    }
}
