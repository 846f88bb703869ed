//! Vector files against the real components in the host.

mod file;
mod gcra;
mod score;
mod secret;
mod webhooks;

pub use score::{Outcome, Score, Scores};

use anyhow::{Context, Result};
use barmkin_host::{Engine, EngineSettings};
use file::Vectors;
use std::path::PathBuf;

/// Runs every vector file among `paths`, and those in the folders among them.
///
/// # Errors
/// When a file cannot be read, has a format that is not known, or its policy
/// cannot be loaded.
pub fn run(paths: &[PathBuf]) -> Result<Scores> {
    let engine = Engine::new(&EngineSettings { concurrent_checks_max: 16, ..EngineSettings::default() })?;
    let mut scores = Scores::default();
    for path in file::expand(paths)? {
        let outcomes = match file::read(&path)? {
            Vectors::Webhooks(vectors) => webhooks::run(&engine, &vectors),
            Vectors::Gcra(vectors) => gcra::run(&engine, &vectors),
        };
        let outcomes = outcomes.with_context(|| format!("`{}` was not run", path.display()))?;
        scores.push(path, outcomes);
    }
    Ok(scores)
}
