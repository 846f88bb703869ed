//! The runtime that all policies of a process share, and what it does to the
//! process.
//!
//! Creating an [`Engine`] reserves address space for its pool (no memory until
//! it is used), installs wasmtime's signal handlers, by which guard pages
//! become traps, and starts one thread that ticks while policies run: 250 times
//! a second, a thousand times while one of them has been running for a tick, and
//! not at all after a second in which no check began or was under way. It asks
//! for a high priority, so that the thread whose time is up does not keep it
//! waiting. It ends with the last [`Engine`], [`Generation`](crate::Generation)
//! or [`Gate`](crate::Gate) that uses it.

use crate::capacity::Capacity;
use crate::limits;
use crate::policy::Cache;
use crate::pulse::Pulse;
use std::path::PathBuf;
use std::sync::Arc;
use wasmparser::WasmFeatures;
use wasmtime::{Config, Enabled, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig};

/// Stack of a guest. Rust guests use a few KiB.
const WASM_STACK_BYTES: usize = 128 * 1024;

/// Stack of a check that can be suspended: the guest's and the host's part.
const ASYNC_STACK_BYTES: usize = 256 * 1024;

/// Bytes of an instance's memory that stay for the next check.
pub(crate) const WARM_BYTES_MAX: usize = 1024 * 1024;

/// Core instances of one check: the guest, and its adapter modules.
const CORE_INSTANCES_PER_CHECK: u32 = 4;

/// The settings of an [`Engine`].
#[derive(Clone, Debug)]
pub struct EngineSettings {
    /// Checks at once, over all threads. Past it the answer is `overloaded`.
    pub concurrent_checks_max: u32,
    /// Idle instances, waiting for their next check, and memories that stay warm
    /// for new instances: policies times processors (16 at most, however few of
    /// them check). Each keeps the memory of its policy, 64 KiB for most. With
    /// none, every check makes its instances.
    pub warm_slots: u32,
    /// Whether this engine ticks by itself. If not, the embedder calls
    /// [`Engine::tick`] once a millisecond, or no deadline ever ends.
    pub ticker: bool,
    /// Whether instances come from a pool. Without, each check maps memory:
    /// for debugging under tools that dislike large reservations.
    pub pool: bool,
    /// The folder where compiled policies are kept for the next process. Only
    /// this process's user may be able to write to it: what is in it runs.
    pub cache: Option<PathBuf>,
}

impl Default for EngineSettings {
    fn default() -> Self {
        Self { concurrent_checks_max: 1_000, warm_slots: 1_024, ticker: true, pool: true, cache: None }
    }
}

/// The engine cannot run on this machine.
#[derive(Debug, thiserror::Error)]
#[error("the WebAssembly engine cannot be created")]
pub struct EngineError(#[source] Box<dyn std::error::Error + Send + Sync>);

/// The runtime that all policies of a process share. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    /// Runs checks.
    pub(crate) run: wasmtime::Engine,
    /// Runs `configure`, once, to take the snapshot: compiled without
    /// optimization, and outside the pool.
    pub(crate) configure: wasmtime::Engine,
    pub(crate) cache: Option<Cache>,
    pub(crate) capacity: Arc<Capacity>,
    #[cfg(feature = "measure")]
    pub(crate) keeps_instances: bool,
    pub(crate) pulse: Arc<Pulse>,
}

impl Engine {
    /// An engine with `settings`.
    ///
    /// # Errors
    /// When the machine cannot compile, has too little address space for the
    /// pool, or the cache cannot be used.
    pub fn new(settings: &EngineSettings) -> Result<Self, EngineError> {
        let fail = |error: wasmtime::Error| EngineError(error.into());
        let [checks_max, idle_max] = [settings.concurrent_checks_max, settings.warm_slots].map(usize_of);
        let capacity = Arc::new(Capacity::new(checks_max, idle_max));
        let mut run = common_config();
        run.allocation_strategy(if settings.pool {
            InstanceAllocationStrategy::Pooling(pool(settings, &capacity))
        } else {
            InstanceAllocationStrategy::OnDemand
        });
        let mut configure = common_config();
        configure.cranelift_opt_level(OptLevel::None);
        let run = wasmtime::Engine::new(&run).map_err(fail)?;
        let configure = wasmtime::Engine::new(&configure).map_err(fail)?;
        let pulse = Pulse::new([run.clone(), configure.clone()], capacity.clone(), settings.ticker);
        let pulse = Arc::new(pulse.map_err(|error| EngineError(error.into()))?);
        let cache = settings.cache.as_deref().map(Cache::open).transpose();
        let cache = cache.map_err(|error| EngineError(error.into()))?;
        Ok(Self {
            run,
            configure,
            cache,
            capacity,
            #[cfg(feature = "measure")]
            keeps_instances: false,
            pulse,
        })
    }

    /// How much of the pool is in use; `None` when there is none.
    pub fn pool_use(&self) -> Option<PoolUse> {
        let pool = self.run.pooling_allocator_metrics()?;
        let (idle, idle_bytes) = self.capacity.idle();
        Some(PoolUse {
            checks: self.capacity.checks(),
            checks_max: self.capacity.checks_max,
            idle,
            warm_memories: idle + usize_of(pool.unused_warm_memories()),
            warm_bytes: idle_bytes + pool.unused_memory_bytes_resident(),
        })
    }

    /// Lets running policies look at their deadlines: for embedders that
    /// turned the ticker off.
    pub fn tick(&self) {
        self.pulse.tick();
    }
}

/// How much of an engine's pool is in use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolUse {
    /// Checks under way: those that are suspended, too.
    pub checks: usize,
    /// The most checks at once.
    pub checks_max: usize,
    /// Instances that were renewed and wait for their next check.
    pub idle: usize,
    /// Memories that were used and stay warm for the next check: those of
    /// instances that wait, too.
    pub warm_memories: usize,
    /// Bytes that these hold.
    pub warm_bytes: usize,
}

/// The WebAssembly features that components may use. Validation, the snapshot
/// and execution must agree; renewal says of each how it undoes what that can
/// change.
pub(crate) const fn features() -> WasmFeatures {
    WasmFeatures::WASM2
        .union(WasmFeatures::COMPONENT_MODEL)
        .union(WasmFeatures::TAIL_CALL)
        .union(WasmFeatures::EXTENDED_CONST)
        .union(WasmFeatures::MULTI_MEMORY)
}

fn usize_of(count: u32) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

fn common_config() -> Config {
    let mut config = Config::new();
    config
        .wasm_features(WasmFeatures::all(), false)
        .wasm_features(features(), true)
        .concurrency_support(false)
        .gc_support(false)
        .memory_init_cow(true)
        .epoch_interruption(true)
        .max_wasm_stack(WASM_STACK_BYTES)
        .async_stack_size(ASYNC_STACK_BYTES)
        .async_stack_zeroing(false)
        // A recorded decision re-runs bit for bit.
        .cranelift_nan_canonicalization(true);
    config
}

fn pool(settings: &EngineSettings, capacity: &Capacity) -> PoolingAllocationConfig {
    let instances = u32::try_from(capacity.instances_max()).unwrap_or(u32::MAX);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        .total_core_instances(instances.saturating_mul(CORE_INSTANCES_PER_CHECK))
        .max_core_instances_per_component(CORE_INSTANCES_PER_CHECK)
        .total_memories(instances)
        .max_memories_per_component(1)
        .total_tables(instances.saturating_mul(2))
        .max_tables_per_component(2)
        .table_elements(limits::TABLE_ELEMENTS_MAX)
        // Those that wait keep theirs, too.
        .total_stacks(instances)
        .max_memory_size(limits::MEMORY_BYTES_MAX)
        .max_unused_warm_slots(settings.warm_slots)
        // More than a guest touches: otherwise each check pays for the rest.
        .linear_memory_keep_resident(WARM_BYTES_MAX)
        .table_keep_resident(64 * 1024)
        .async_stack_keep_resident(ASYNC_STACK_BYTES)
        // wasmtime 48 does not see dirty pages that are swapped out, so that
        // one request's memory could show up in the next.
        .pagemap_scan(Enabled::No);
    pool
}
