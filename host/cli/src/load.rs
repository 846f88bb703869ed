//! From a configuration file to what decides.

use crate::help::Help;
use crate::input;
use anyhow::{Context, Result, bail};
use barmkin_config::{Config, LoadOptions, Secrets, WithLines};
use barmkin_files::Regular;
use barmkin_host::{
    Clock, Engine, EngineSettings, Generation, MemoryLimits, MemoryStore, Services, Store, SystemClock,
};
use std::error::Error as _;
use std::path::{Path, PathBuf};

/// Where a configuration is looked for unless it is named.
pub(crate) const DEFAULT_FILE: &str = "barmkin.toml";

/// A configuration, as an argument.
#[derive(clap::Args)]
pub(crate) struct File {
    /// The configuration: a file, a folder with a `barmkin.toml`, or `-` for
    /// standard input.
    #[arg(default_value = DEFAULT_FILE)]
    file: PathBuf,
}

impl File {
    /// Whether it is standard input.
    pub(crate) fn is_input(&self) -> bool {
        input::is_input(&self.file)
    }

    /// The file, for commands to which it has to stay.
    pub(crate) fn path(&self) -> Result<PathBuf> {
        if self.is_input() {
            bail!("the configuration cannot be standard input here: it is read again later\n  help: name a file");
        }
        if !self.file.is_dir() {
            return Ok(self.file.clone());
        }
        let path = self.file.join(DEFAULT_FILE);
        if path.exists() {
            return Ok(path);
        }
        bail!("there is no `{DEFAULT_FILE}` in `{}`\n  help: name the file", self.file.display())
    }

    /// Reads it, and says what its operator should know of it.
    pub(crate) fn config(&self, secrets: Secrets) -> Result<Config> {
        let config = self.read(secrets)?;
        if !config.warnings().is_empty() {
            eprintln!("{}", WithLines(config.warnings()));
        }
        Ok(config)
    }

    /// Reads it.
    pub(crate) fn read(&self, secrets: Secrets) -> Result<Config> {
        let options = LoadOptions { now: SystemClock.now(), secrets };
        if self.is_input() {
            return Ok(Config::load_text(&self.file, input::read(&self.file, CONFIGURATION_BYTES_MAX)?, &options)?);
        }
        let path = self.path()?;
        // One that cannot be read has no problems: there is no answer.
        Regular::open(&path).with_context(|| input::unreadable(&path)).help(input::READABLE)?;
        Ok(Config::load(&path, &options)?)
    }
}

/// Bytes of a configuration from standard input, as of a file.
const CONFIGURATION_BYTES_MAX: usize = 16 * 1024 * 1024;

impl From<PathBuf> for File {
    fn from(file: PathBuf) -> Self {
        Self { file }
    }
}

/// An engine for one process, which keeps what it compiles in `cache`.
pub(crate) fn engine(cache: Option<&Path>) -> Result<Engine> {
    let settings = EngineSettings { cache: cache.map(Path::to_owned), ..EngineSettings::default() };
    or_without_cache(settings, |problem| eprintln!("warning: {UNUSED_CACHE}: {problem}"))
}

const UNUSED_CACHE: &str = "the cache of compiled policies is not used, so that everything is compiled";

/// An engine, if need be without its cache: one that cannot be written, or not
/// trusted, costs time and not the start.
fn or_without_cache(settings: EngineSettings, tell: impl FnOnce(&str)) -> Result<Engine> {
    match Engine::new(&settings) {
        Err(error) if settings.cache.is_some() => {
            let engine = Engine::new(&EngineSettings { cache: None, ..settings })?;
            tell(&error.source().map_or_else(|| error.to_string(), ToString::to_string));
            Ok(engine)
        }
        made => Ok(made?),
    }
}

/// Policies for whose memory there is room at least: a reload may add some.
const POLICIES_MIN: usize = 8;

/// Checks that a thread has under way while others wait for a remote store.
const SUSPENDED_CHECKS: usize = 4;

/// An engine that serves `config`. What stays warm is what two generations
/// need on all threads: more would keep the memory of removed policies.
pub(crate) fn serving_engine(config: &Config, store: &Store) -> Result<Engine> {
    // wasmtime divides what it keeps among this many.
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(16);
    let checks = threads * if store.is_local() { 1 } else { SUSPENDED_CHECKS };
    let warm = checks * config.spec().policies.len().max(POLICIES_MIN) * 2;
    let default = EngineSettings::default();
    let warm_slots = u32::try_from(warm).unwrap_or(u32::MAX).min(default.warm_slots);
    // A check that was begun never lacks an instance.
    let undecided_max = u32::try_from(config.fixed().limits.undecided_max).unwrap_or(u32::MAX);
    let concurrent_checks_max = default.concurrent_checks_max.max(undecided_max.saturating_mul(2));
    let cache = config.fixed().cache.clone();
    let settings = EngineSettings { warm_slots, concurrent_checks_max, cache, ..default };
    or_without_cache(settings, |problem| tracing::warn!(problem, "{UNUSED_CACHE}"))
}

/// The services to prove a generation of `config` with: a store of its own, so that the
/// one that serves is left alone, with as much room. It is asked by people, who
/// are to learn why a policy failed.
pub(crate) fn services(config: &Config) -> Services {
    let unbounded = MemoryLimits { nonces: usize::MAX, quotas: usize::MAX };
    let store = MemoryStore::new(config.store().limits().unwrap_or(unbounded));
    Services { for_authors: true, ..Services::new(store) }
}

/// Builds and proves what `config` says.
pub(crate) fn generation(config: &Config, engine: &Engine, services: Services) -> Result<Generation> {
    Ok(config.build(engine, services)?)
}
