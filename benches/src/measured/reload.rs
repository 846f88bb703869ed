//! From a component's file to the first verdict by it.

use super::clock;
use crate::fixture::{Deliveries, chain, chains_of_four, quota};
use crate::process::executable_bytes;
use crate::timed::median;
use anyhow::{Result, ensure};
use barmkin_host::{Body, Engine, EngineSettings, MemoryStore, Principal, PrincipalKind, Services};
use std::path::Path;

/// How often; each compiles on all cores.
const RELOADS: usize = 9;

/// Milliseconds from `rate-quota`, a component of a little more than 100 KB, as a
/// file to a verdict by it: compiled, and from the cache of compiled policies.
///
/// # Errors
/// When it cannot be loaded.
pub fn reload() -> Result<[(&'static str, f64); 2]> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("policy.wasm");
    std::fs::write(&file, &quota().component)?;
    let compiled = median_of(&EngineSettings::default(), &file)?;
    let cache = Some(folder.path().join("compiled"));
    let settings = EngineSettings { cache, ..EngineSettings::default() };
    // Puts it there.
    once(&Engine::new(&settings)?, &file)?;
    Ok([("reload_wasm_ms", compiled), ("reload_cached_ms", median_of(&settings, &file)?)])
}

fn median_of(settings: &EngineSettings, file: &Path) -> Result<f64> {
    let engine = Engine::new(settings)?;
    let mut times: Vec<_> = (0..RELOADS).map(|_| once(&engine, file)).collect::<Result<_>>()?;
    Ok(median(&mut times))
}

fn once(engine: &Engine, file: &Path) -> Result<f64> {
    let (mut head, body) = Deliveries::default().next(1024).into_head();
    head.client.principal = Some(Principal::new(PrincipalKind::Service, "bench", "listener"));
    let began = clock::now();
    let mut policy = quota();
    policy.component = std::fs::read(file)?.into();
    let gate = chain(engine, Services::new(MemoryStore::default()), vec![policy])?;
    let verdict = gate.check_now(head, Body::Whole(body))?;
    let took = began.elapsed();
    ensure!(verdict.reason().is_none(), "{:?}", verdict.steps());
    Ok(took.as_secs_f64() * 1e3)
}

/// KiB of machine code that a policy of the chain of four has, on average.
///
/// # Errors
/// When the machine does not say.
pub fn code_kib_per_policy() -> Result<f64> {
    let engine = Engine::new(&EngineSettings::default())?;
    let before = executable_bytes()?;
    let gate = chains_of_four(&engine, Services::new(MemoryStore::default()), 1)?;
    let bytes = executable_bytes()?.saturating_sub(before);
    drop(gate);
    #[expect(clippy::cast_precision_loss, reason = "some hundreds of KiB")]
    let each = bytes as f64 / 1024.0 / 4.0;
    Ok(each)
}
