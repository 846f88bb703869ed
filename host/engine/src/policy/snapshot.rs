//! Configures a component once, and keeps the memory it leaves behind as the
//! image of every request.
//!
//! The snapshotter (wasmtime-wizer) was written for components one trusts: it
//! panics on some. So it runs on a thread of its own, after everything that
//! can be checked was checked, and a panic refuses the policy, nothing else.

use crate::engine::Engine;
use crate::generation::error::Problem;
use crate::limits::{CONFIGURE_DEADLINE, SETTING_PROBLEM_BYTES_MAX, SETTING_PROBLEMS_MAX};
use crate::metrics::NoMetrics;
use crate::policy::bindings::exports::barmkin::policy::request_policy::{Manifest, SettingProblem};
use crate::policy::capabilities;
use crate::policy::check::CheckIndex;
use crate::policy::component::{CONTRACT, HEADROOM_PAGES, PAGE_BYTES, stack_first};
use crate::policy::failure::failure_of;
use crate::policy::log::{LogBudget, LogRate};
use crate::policy::sandbox::{Sandbox, limit};
use std::sync::Arc;
use wasmtime::Store;
use wasmtime::component::{Component, Instance, Lift, Linker, WasmList};
use wasmtime_wizer::{ComponentInstanceState, Wizer};

/// The component with its configured memory, and its manifest.
pub(super) struct Configured {
    pub(super) component: Vec<u8>,
    pub(super) manifest: Manifest,
}

/// Runs `configure(settings)` in `component` and takes the snapshot.
///
/// `component` must have passed [`inspect`](super::inspect).
pub(super) fn configure(
    engine: &Engine,
    component: &[u8],
    settings: &str,
    memory_bytes: usize,
) -> Result<Configured, Vec<Problem>> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .name("barmkin-configure".to_owned())
            .spawn_scoped(scope, || configure_here(engine, component, settings, memory_bytes));
        match thread.map(std::thread::ScopedJoinHandle::join) {
            Ok(Ok(result)) => result,
            Ok(Err(_panic)) => Err(vec![Problem::NoSnapshot(
                "its memory, tables or globals are of a kind that it cannot read".to_owned(),
            )]),
            Err(error) => Err(vec![Problem::NoSnapshot(error.to_string())]),
        }
    })
}

fn configure_here(
    engine: &Engine,
    bytes: &[u8],
    settings: &str,
    memory_bytes: usize,
) -> Result<Configured, Vec<Problem>> {
    let no_snapshot = |error: wasmtime::Error| vec![Problem::NoSnapshot(format!("{error:#}"))];
    let mut wizer = Wizer::new();
    wizer.keep_init_func(true);
    let (context, instrumented) = wizer.instrument_component(bytes).map_err(no_snapshot)?;
    let component = Component::new(&engine.configure, &instrumented).map_err(no_snapshot)?;

    let log = LogBudget::new(Arc::new(LogRate::default()), Arc::new(NoMetrics));
    let pulse = engine.pulse.clone();
    let sandbox = Sandbox::new("".into(), Arc::default(), log, pulse, CONFIGURE_DEADLINE, memory_bytes);
    // There is no request whose parts it could tell.
    let sandbox = sandbox.told(true, stack_first(bytes));
    let mut store = Store::new(&engine.configure, sandbox);
    limit(&mut store, false);
    let mut linker = Linker::new(&engine.configure);
    capabilities::add_to_linker(&mut linker, false).map_err(no_snapshot)?;

    let mistyped = |error: wasmtime::Error| vec![Problem::Mistyped(format!("{error:#}"))];
    let failed = |store: &Store<Sandbox>, error: &wasmtime::Error| {
        let failure = failure_of(store.data(), error);
        vec![Problem::ConfigureFailed(format!("{} ({})", failure.reason, failure.detail))]
    };
    let pre = linker.instantiate_pre(&component).map_err(mistyped)?;
    let instance = pre.instantiate(&mut store).map_err(|error| failed(&store, &error))?;
    let function = instance
        .get_export_index(&mut store, None, CONTRACT)
        .and_then(|interface| instance.get_export_index(&mut store, Some(&interface), "configure"))
        .ok_or_else(|| vec![Problem::Mistyped("it exports no `configure`".to_owned())])?;
    let function = instance
        .get_typed_func::<(&str,), (Result<Manifest, Vec<SettingProblem>>,)>(&mut store, function)
        .map_err(mistyped)?;
    CheckIndex::type_check(&instance, &mut store).map_err(mistyped)?;
    let (manifest,) = function.call(&mut store, (settings,)).map_err(|error| failed(&store, &error))?;
    let manifest = manifest.map_err(|problems| {
        if problems.is_empty() {
            return vec![Problem::ConfigureFailed("it refused the settings and did not say why".to_owned())];
        }
        setting_problems(problems)
    })?;

    let headroom = usize::try_from(HEADROOM_PAGES).unwrap_or_default() * PAGE_BYTES;
    store.data_mut().add_memory_headroom(headroom);
    store.data_mut().restart_deadline();
    let mut state = State { store, instance };
    let snapshot = crate::now_or_never(wizer.snapshot_component(&context, &mut state))
        .unwrap_or_else(|| Err(wasmtime::Error::msg("it suspended")));
    Ok(Configured { component: snapshot.map_err(no_snapshot)?, manifest })
}

/// The first of them, each cut off where it is too long for a message.
fn setting_problems(problems: Vec<SettingProblem>) -> Vec<Problem> {
    let more = problems.len().saturating_sub(SETTING_PROBLEMS_MAX);
    let listed = problems.into_iter().take(SETTING_PROBLEMS_MAX).map(|problem| {
        let [setting, problem, help] = [problem.setting, problem.problem, problem.help].map(shortened);
        let setting = if setting.is_empty() { "as a whole".to_owned() } else { format!("`{setting}`") };
        Problem::Setting { setting, problem, help }
    });
    listed.chain((more > 0).then_some(Problem::MoreSettings(more))).collect()
}

fn shortened(mut text: String) -> String {
    if text.len() > SETTING_PROBLEM_BYTES_MAX {
        text.truncate(text.floor_char_boundary(SETTING_PROBLEM_BYTES_MAX));
        text.push_str("...");
    }
    text
}

/// The instance from which the snapshotter reads memories and globals.
struct State {
    store: Store<Sandbox>,
    instance: Instance,
}

impl State {
    /// INVARIANT (snapshot thread): a panic in here ends only the thread that
    /// [`configure`] waits for.
    #[expect(clippy::expect_used, reason = "snapshot thread")]
    fn call<R: Lift + 'static>(&mut self, instance: &str, function: &str) -> R {
        let interface = self.instance.get_export_index(&mut self.store, None, instance);
        let function = self
            .instance
            .get_export_index(&mut self.store, interface.as_ref(), function)
            .and_then(|index| self.instance.get_typed_func::<(), (R,)>(&mut self.store, index).ok());
        let (result,) = function.expect("the accessor exists").call(&mut self.store, ()).expect("the accessor returns");
        result
    }
}

impl ComponentInstanceState for State {
    async fn call_func_ret_list_u8(&mut self, instance: &str, func: &str, contents: impl FnOnce(&[u8]) + Send) {
        let list: WasmList<u8> = self.call(instance, func);
        contents(list.as_le_slice(&self.store));
    }

    async fn call_func_ret_s32(&mut self, instance: &str, func: &str) -> i32 {
        self.call(instance, func)
    }

    async fn call_func_ret_s64(&mut self, instance: &str, func: &str) -> i64 {
        self.call(instance, func)
    }

    async fn call_func_ret_f32(&mut self, instance: &str, func: &str) -> u32 {
        self.call::<f32>(instance, func).to_bits()
    }

    async fn call_func_ret_f64(&mut self, instance: &str, func: &str) -> u64 {
        self.call::<f64>(instance, func).to_bits()
    }
}
