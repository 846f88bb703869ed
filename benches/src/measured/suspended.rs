//! The memory that an instance keeps while it waits.

use crate::fixture::{Deliveries, Never, chains_of_four};
use crate::process::{Child, pss_bytes};
use anyhow::{Result, ensure};
use barmkin_host::{Body, Engine, EngineSettings, Services, Store};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Waker};

/// How many wait.
const INSTANCES: u32 = 1_000;

/// KiB of memory of a waiting instance.
///
/// # Errors
/// When the machine does not say.
pub fn suspended() -> Result<f64> {
    Ok(Child::of_this_program(&["child", "suspended"])?.hear()?.parse()?)
}

/// The child: checks of the chain of four, all of them waiting in the second
/// policy for a store that never answers. Requests are made before, and are
/// not counted; whatever else a check has, is.
///
/// # Errors
/// When the gate cannot be built, or a check does not wait.
pub fn suspend() -> Result<()> {
    let engine = Engine::new(&EngineSettings { concurrent_checks_max: INSTANCES + 1, ..EngineSettings::default() })?;
    let gate = chains_of_four(&engine, Services::new(Store::Remote(Arc::new(Never))), 1)?;
    let mut deliveries = Deliveries::default();
    let mut check = || -> Pin<Box<dyn Future<Output = _>>> {
        let (head, body) = deliveries.next(1024).into_head();
        Box::pin(gate.intake(head).decide_unbounded(Body::Whole(body)))
    };
    let mut context = Context::from_waker(Waker::noop());
    // The memory that is taken once and for all.
    ensure!(check().as_mut().poll(&mut context).is_pending(), "a check must wait");
    let mut checks: Vec<_> = (0..INSTANCES).map(|_| check()).collect();
    let before = pss_bytes()?;
    for check in &mut checks {
        ensure!(check.as_mut().poll(&mut context).is_pending(), "a check must wait");
    }
    let kib = pss_bytes()?.saturating_sub(before) / 1024;
    #[expect(clippy::cast_precision_loss, reason = "some thousands")]
    let each = kib as f64 / f64::from(INSTANCES);
    println!("{each}");
    Ok(())
}
