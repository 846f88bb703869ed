//! An engine for benchmarks, which nobody else may use.

use crate::engine::{Engine, EngineError, EngineSettings};

/// An engine on which instances are used again without being renewed, until
/// they grow: what one request leaves in a sandbox is there for the next. No
/// gate may run on it. Only with a local store.
///
/// # Errors
/// As [`Engine::new`].
pub fn engine_that_keeps_instances(settings: &EngineSettings) -> Result<Engine, EngineError> {
    let mut engine = Engine::new(settings)?;
    engine.keeps_instances = true;
    // Other engines must not find what is compiled for it.
    engine.cache = None;
    Ok(engine)
}
