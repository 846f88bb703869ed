//! From a configuration file to what decides.

use anyhow::{Context, Result};
use barmkin_config::{Config, LoadOptions, Secrets};
use barmkin_host::{Clock, Engine, EngineSettings, Generation, MemoryStore, Services, SystemClock};
use std::path::{Path, PathBuf};

/// Where a configuration is looked for unless it is named.
pub(crate) const DEFAULT_FILE: &str = "barmkin.toml";

/// A configuration file, as an argument.
#[derive(clap::Args)]
pub(crate) struct File {
    /// The configuration.
    #[arg(default_value = DEFAULT_FILE)]
    pub(crate) file: PathBuf,
}

/// Reads a configuration and says what its operator should know of it.
pub(crate) fn config(file: &Path, secrets: Secrets) -> Result<Config> {
    let options = LoadOptions { now: SystemClock.now(), secrets };
    let config = Config::load(file, &options)?;
    for warning in config.warnings() {
        eprintln!("{warning}");
    }
    Ok(config)
}

/// An engine for one process.
pub(crate) fn engine() -> Result<Engine> {
    Engine::new(&EngineSettings::default()).context("the engine cannot be created")
}

/// Policies for whose memory there is room at least: a reload may add some.
const POLICIES_MIN: usize = 32;

/// Checks of one policy that a thread may have under way: more than one only
/// where a remote store is awaited.
const CHECKS_PER_THREAD: usize = 2;

/// An engine that serves `policies`, and lets go of the memory of those that
/// were before: what stays warm is what two generations need on all threads.
pub(crate) fn serving_engine(policies: usize) -> Result<Engine> {
    // wasmtime divides what it keeps over so many parts.
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(16);
    let warm = threads * policies.max(POLICIES_MIN) * 2 * CHECKS_PER_THREAD;
    let default = EngineSettings::default();
    let warm_slots = u32::try_from(warm).unwrap_or(u32::MAX).min(default.warm_slots);
    Engine::new(&EngineSettings { warm_slots, ..default }).context("the engine cannot be created")
}

/// What a generation is proven with: a store of its own, so that the one that
/// serves is left alone.
pub(crate) fn services() -> Services {
    Services::new(MemoryStore::default())
}

/// Builds and proves what `config` says.
pub(crate) fn generation(config: &Config, engine: &Engine, services: Services) -> Result<Generation> {
    Ok(config.build(engine, services)?)
}
