//! A configuration that is right, as far as that can be told without running
//! a component.

use crate::document::{Document, Entry};
use crate::files::Files;
use crate::findings::Findings;
use crate::fixed::{Admin, Fixed};
use crate::listener::Listener;
use crate::load::{self, Loaded};
use crate::report::{Finding, Report};
use crate::resolve::{self, Context, Keys, PolicyOrigin, Resolved, Table};
use crate::source::{FileId, Site, Sources, Spot};
use crate::store::StoreConfig;
use barmkin_host::{KeyRing, Spec};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A configuration.
pub struct Config {
    pub(crate) path: PathBuf,
    pub(crate) sources: Sources,
    pub(crate) origins: Origins,
    pub(crate) keys: Keys,
    spec: Spec,
    fixed: Fixed,
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
    /// Lists of settings that were read from files, by policy and name.
    pub(crate) tables: BTreeMap<String, BTreeMap<String, Table>>,
    pub(crate) routes: BTreeMap<String, Site>,
    pub(crate) keys: BTreeMap<String, Site>,
    pub(crate) quotas: BTreeMap<String, Site>,
    pub(crate) forward: Option<Site>,
}

impl Config {
    /// Reads `path` and everything it names.
    ///
    /// # Errors
    /// Everything that is wrong, and the warnings among it.
    pub fn load(path: impl AsRef<Path>, options: &LoadOptions) -> Result<Self, Report> {
        Self::read(path, options).0
    }

    /// As [`load`](Self::load), with the files from which it was read or should
    /// have been: what to watch until it can be loaded.
    pub fn read(path: impl AsRef<Path>, options: &LoadOptions) -> (Result<Self, Report>, Files) {
        let path = path.as_ref();
        Self::resolve(path, load::load(path), options)
    }

    /// As [`load`](Self::load), of text that was read already. `path` is what it is
    /// called in findings, and where the files are that it names.
    ///
    /// # Errors
    /// Everything that is wrong, and the warnings among it.
    pub fn load_text(path: impl AsRef<Path>, text: Vec<u8>, options: &LoadOptions) -> Result<Self, Report> {
        let path = path.as_ref();
        Self::resolve(path, load::load_bytes(path, text), options).0
    }

    fn resolve(path: &Path, loaded: Loaded, options: &LoadOptions) -> (Result<Self, Report>, Files) {
        let Loaded { mut sources, document, mut findings, mut files, .. } = loaded;
        let mut context = Context { sources: &mut sources, options, findings: &mut findings, files: &mut files };
        let Resolved { fixed, spec, keys, origins } = resolve::resolve(&document, &mut context);
        let config = findings.finish(&sources).map(|warnings| Self {
            path: path.to_owned(),
            sources,
            origins,
            keys,
            spec,
            fixed,
            warnings,
        });
        (config, files)
    }

    /// Where a gate that serves `path` is asked, whatever else is wrong there.
    ///
    /// # Errors
    /// When that cannot be told.
    pub fn admin(path: impl AsRef<Path>, options: &LoadOptions) -> Result<Admin, Report> {
        let Loaded { mut sources, document, mut findings, mut files, unread } = load::load(path.as_ref());
        let mut context = Context { sources: &mut sources, options, findings: &mut findings, files: &mut files };
        let admin = document.admin.as_ref().and_then(|admin| resolve::admin(admin, &mut context));
        if let Some(admin) = admin {
            return Ok(admin);
        }
        let (message, help) = if unread.files {
            ("where the gate is asked cannot be read", "say it with `--admin`")
        } else {
            ("no admin listener is declared", "declare `[admin]`, or say where the gate is asked with `--admin`")
        };
        findings.error(Spot::File(FileId::MAIN), message).help(help);
        Err(Report { findings: findings.finish(&sources).err().map(|report| report.findings).unwrap_or_default() })
    }

    /// The findings for the operator although it can be used.
    pub fn warnings(&self) -> &[Finding] {
        &self.warnings
    }

    /// The ways in, by name.
    pub fn listeners(&self) -> &[Listener] {
        &self.fixed.listeners
    }

    /// The listeners on which requests come that claim nonces of `space`.
    pub fn ways_in(&self, space: &str) -> impl Iterator<Item = &Listener> {
        resolve::ways_in(space, &self.spec, self.listeners())
    }

    /// Where nonces and quotas live.
    pub fn store(&self) -> &StoreConfig {
        &self.fixed.store
    }

    /// The part that a reload cannot change.
    pub fn fixed(&self) -> &Fixed {
        &self.fixed
    }

    /// The keys.
    pub fn keys(&self) -> &KeyRing {
        &self.keys.ring
    }

    /// The part that decides.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }
}

impl Origins {
    pub(crate) fn new(
        document: &Document,
        policies: BTreeMap<String, PolicyOrigin>,
        tables: BTreeMap<String, BTreeMap<String, Table>>,
    ) -> Self {
        fn sites<T>(declared: &BTreeMap<String, Entry<T>>) -> BTreeMap<String, Site> {
            declared.iter().map(|(name, entry)| (name.clone(), entry.site.clone())).collect()
        }
        let routes = document.routes.iter().map(|route| (route.value.name.clone(), route.site.clone()));
        Self {
            policies,
            tables,
            routes: routes.collect(),
            keys: sites(&document.keys),
            quotas: sites(&document.quotas),
            forward: document.forward.as_ref().map(|forward| forward.site.clone()),
        }
    }
}

impl Config {
    /// Reports what was found after loading.
    pub(crate) fn report(&self, findings: Findings) -> Result<(), Report> {
        findings.finish(&self.sources).map(|_| ())
    }
}
