//! A component with its settings, compiled: what generations have in common.

use crate::engine::Engine;
use crate::generation::error::Problem;
use crate::generation::spec::PolicySpec;
use crate::limits::{self, COMPILE_BUDGET_MAX, MEMORY_BYTES_MAX, SETTINGS_BYTES_MAX};
use crate::policy::cache::{self, Cached};
use crate::policy::check::CheckIndex;
use crate::policy::component::{inspect_within, stack_first, validated};
use crate::policy::manifest::Manifest;
use crate::policy::sandbox::Sandbox;
use crate::policy::{capabilities, renewal, snapshot};
use crate::verdict::Digest;
use sha2::{Digest as _, Sha256};
use std::sync::Arc;
use std::time::Duration;
use wasmtime::component::{Component, InstancePre, Linker};

/// A configured component from which instances are made. It holds nothing
/// that was granted, so that generations can share it: a key that is rotated
/// compiles nothing.
pub(crate) struct Image {
    source: Source,
    pub(super) manifest: Arc<Manifest>,
    /// Bytes of linear memory that it starts with.
    pub(super) memory_bytes: usize,
    pub(super) pre: InstancePre<Sandbox>,
    pub(super) check: CheckIndex,
    /// Whether it asks a remote store or hashes large bodies, and so runs on a
    /// stack of its own.
    pub(super) suspends: bool,
    /// Why its instances are not as they began after each check, if they are not.
    pub(super) not_renewed: Option<String>,
    /// Bytes of its stack, where that lies first in memory.
    pub(super) stack_bytes: Option<u32>,
}

/// Everything that an image depends on.
#[derive(PartialEq, Eq)]
struct Source {
    component: Digest,
    settings: String,
    memory_bytes: usize,
    waits: Waits,
}

/// Where a policy's host calls may suspend it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Waits {
    /// The store is asked over a network.
    pub(crate) store: bool,
    /// A route has bodies that are hashed in [pieces](crate::pieces).
    pub(crate) bodies: bool,
}

impl Image {
    /// Takes the image of `policy` over from `known`, or configures and
    /// compiles it.
    pub(crate) fn of<'i>(
        engine: &Engine,
        policy: &PolicySpec,
        waits: Waits,
        mut known: impl Iterator<Item = &'i Arc<Self>>,
    ) -> Result<Arc<Self>, Vec<Problem>> {
        check_limits(policy)?;
        let source = Source {
            component: Digest(Sha256::digest(&policy.component).into()),
            settings: settings_text(&policy.settings)?,
            memory_bytes: policy.memory_bytes,
            waits,
        };
        let is_same =
            |image: &&Arc<Self>| image.source == source && wasmtime::Engine::same(image.pre.engine(), &engine.run);
        match known.find(is_same) {
            Some(image) => Ok(image.clone()),
            None => Self::make(engine, policy, source).map(Arc::new),
        }
    }

    fn make(engine: &Engine, policy: &PolicySpec, source: Source) -> Result<Self, Vec<Problem>> {
        let key = cache::Key::new(&engine.run, source.component, &source.settings, source.memory_bytes);
        let cached = engine.cache.as_ref().and_then(|cache| cache.find(&engine.run, &key));
        let Cached { manifest, memory_bytes, not_renewed, component } = match cached {
            Some(cached) => cached,
            None => {
                let made = configure(engine, policy, &source)?;
                if let Some(cache) = &engine.cache {
                    cache.keep(&key, &made);
                }
                made
            }
        };
        let asks_store = !manifest.nonces().is_empty() || !manifest.quotas().is_empty();
        let hashes_bodies = manifest.keys().next().is_some() || !manifest.nonces().is_empty();
        let suspends = (source.waits.store && asks_store) || (source.waits.bodies && hashes_bodies);
        let (pre, check) =
            link(engine, &component, suspends).map_err(|error| vec![Problem::Mistyped(format!("{error:#}"))])?;
        let (manifest, stack_bytes) = (Arc::new(manifest), stack_first(&policy.component));
        Ok(Self { source, manifest, memory_bytes, pre, check, suspends, not_renewed, stack_bytes })
    }

    /// Bytes of linear memory that it starts with.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.memory_bytes
    }

    /// Why its instances are not renewed, if they are not.
    pub(crate) fn not_renewed(&self) -> Option<&str> {
        self.not_renewed.as_deref()
    }

    /// SHA-256 of the component's bytes.
    pub(crate) fn component(&self) -> Digest {
        self.source.component
    }
}

fn check_limits(policy: &PolicySpec) -> Result<(), Vec<Problem>> {
    let out_of_range =
        |what, value: String, min: &str, max: String| Problem::OutOfRange { what, value, min: min.to_owned(), max };
    let mut problems = Vec::new();
    if !(Duration::from_millis(1)..=limits::DEADLINE_MAX).contains(&policy.deadline) {
        let max = format!("{:?}", limits::DEADLINE_MAX);
        problems.push(out_of_range("the deadline", format!("{:?}", policy.deadline), "1ms", max));
    }
    if !(64 * 1024..=MEMORY_BYTES_MAX).contains(&policy.memory_bytes) {
        problems.push(out_of_range(
            "the memory",
            policy.memory_bytes.to_string(),
            "65536",
            MEMORY_BYTES_MAX.to_string(),
        ));
    }
    if policy.compile_budget > COMPILE_BUDGET_MAX {
        let (value, max) = (format!("{:?}", policy.compile_budget), format!("{COMPILE_BUDGET_MAX:?}"));
        problems.push(out_of_range("the compile-budget", value, "0s", max));
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

fn settings_text(settings: &serde_json::Value) -> Result<String, Vec<Problem>> {
    if !settings.is_object() {
        return Err(vec![Problem::Settings("are not an object".to_owned())]);
    }
    let text = settings.to_string();
    if text.len() > SETTINGS_BYTES_MAX {
        return Err(vec![Problem::Settings(format!("have {} bytes, but may have {SETTINGS_BYTES_MAX}", text.len()))]);
    }
    Ok(text)
}

fn configure(engine: &Engine, policy: &PolicySpec, source: &Source) -> Result<Cached, Vec<Problem>> {
    inspect_within(&policy.component, policy.compile_budget).map_err(|problem| vec![problem])?;
    let configured = snapshot::configure(engine, &policy.component, &source.settings, policy.memory_bytes)?;
    let manifest = Manifest::read(configured.manifest).map_err(|problem| vec![problem])?;
    let memory_bytes = validated(&configured.component).map_err(|problem| vec![problem])?.memory_bytes();
    let (component, not_renewed) = match renewal::renewing(&configured.component) {
        #[cfg(feature = "measure")]
        _ if engine.keeps_instances => (configured.component, None),
        Ok(component) => (component, None),
        Err(why) => {
            tracing::info!(component = %source.component, why, "each check creates a new instance of the policy");
            (configured.component, Some(why.to_owned()))
        }
    };
    let component =
        Component::new(&engine.run, &component).map_err(|error| vec![Problem::Mistyped(format!("{error:#}"))])?;
    Ok(Cached { manifest, memory_bytes, not_renewed, component })
}

fn link(
    engine: &Engine,
    component: &Component,
    suspends: bool,
) -> wasmtime::Result<(InstancePre<Sandbox>, CheckIndex)> {
    let mut linker = Linker::new(&engine.run);
    capabilities::add_to_linker(&mut linker, suspends)?;
    Ok((linker.instantiate_pre(component)?, CheckIndex::find(component)?))
}
