//! From a configuration file to what decides.

use anyhow::Result;
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

/// An engine for one process, which keeps what it compiles in `cache`.
pub(crate) fn engine(cache: Option<&Path>) -> Result<Engine> {
    let settings = EngineSettings { cache: cache.map(Path::to_owned), ..EngineSettings::default() };
    Ok(Engine::new(&settings)?)
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
