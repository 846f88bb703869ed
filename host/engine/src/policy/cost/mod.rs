//! The cost of loading a component, counted before any of it is validated or
//! compiled.
//!
//! Compiling can be neither stopped nor bounded in memory once it has begun, so
//! it must be counted before. One pass over the bytes, which keeps little and has
//! a bounded depth, adds up the known cost of each part and refuses a component
//! that costs more than its size shows.

mod function;
mod module;
mod weight;

use crate::engine::features;
use crate::generation::error::Problem;
use crate::limits::{
    COMPILE_MEMORY_MAX, COMPONENT_DEPTH_MAX, COMPONENT_TYPE_DEPTH_MAX, COMPONENTS_MAX, ELEMENTS_MAX,
    GLOBALS_MUTABLE_MAX, ITEMS_MAX, MEMORIES_MAX, TABLES_MAX,
};
use function::Taken;
use module::Module;
use std::ops::Range;
use std::time::Duration;
use wasmparser::{BinaryReaderError, Encoding, Parser, Payload};

/// Nanoseconds that each item of a kind takes on the machine that the numbers
/// are from (2026-11, one core of an AMD EPYC, a release build): it is
/// compiled twice, once without optimization for `configure` and once for
/// requests.
mod nanoseconds {
    /// A byte of code, in both compilations.
    pub(super) const CODE_BYTE: u64 = 1_000;
    /// A function beside its code: its frame, its symbols, its unwinding.
    pub(super) const FUNCTION: u64 = 250_000;
    /// A function that the host could call, as it is exported or in a table:
    /// another one, which does that.
    pub(super) const CALLED_BY_HOST: u64 = 250_000;
    /// A mutable global: the snapshotter makes a function that reads it, in a
    /// module of its own, and lifts that.
    pub(super) const MUTABLE_GLOBAL: u64 = 400_000;
    /// A function that crosses between a component and a module: the code of
    /// its adapter.
    pub(super) const CANONICAL: u64 = 400_000;
    /// A value that the type of a module's function has: the code with which
    /// the host calls such functions moves it.
    pub(super) const VALUE_OF_TYPE: u64 = 50_000;
    /// A module or component, besides what is in it.
    pub(super) const PART: u64 = 500_000;
    /// Anything that has a name or an index.
    pub(super) const ITEM: u64 = 2_000;
    /// A byte of anything: it is copied and hashed some times.
    pub(super) const BYTE: u64 = 10;
}

/// The counted parts of a component, and what they cost together.
#[derive(Debug, Default)]
pub(super) struct Cost {
    /// Bytes of code in its modules.
    pub(super) code_bytes: usize,
    nanoseconds: u64,
    components: u64,
    items: u64,
    mutable_globals: u64,
    memories: u64,
    tables: u64,
    elements: u64,
}

/// Counts what loading `component` takes.
///
/// # Errors
/// When it cannot be read, or has more of something than is counted.
pub(super) fn of(component: &[u8]) -> Result<Cost, Problem> {
    let mut cost = Cost::default();
    cost.spend(u64::try_from(component.len()).unwrap_or(u64::MAX), nanoseconds::BYTE);
    let mut parser = Parser::new(0);
    parser.set_features(features());
    // The open modules, with what their functions refer to, and components.
    let mut open: Vec<Option<Module>> = Vec::new();
    for payload in parser.parse_all(component) {
        match payload.map_err(invalid)? {
            Payload::Version { encoding, .. } => {
                cost.components += 1;
                check("modules and components", cost.components, COMPONENTS_MAX)?;
                check("levels of components", open.len() + 1, COMPONENT_DEPTH_MAX)?;
                cost.spend(1, nanoseconds::PART);
                open.push((encoding == Encoding::Module).then(Module::default));
            }
            Payload::End(_) => {
                if let Some(Some(module)) = open.pop() {
                    cost.spend(module.called_by_host(), nanoseconds::CALLED_BY_HOST);
                    cost.add_function(module.start())?;
                }
            }
            payload => match open.last_mut() {
                Some(Some(module)) => cost.add_to_module(payload, module)?,
                _ => cost.add_to_component(payload, component)?,
            },
        }
    }
    Ok(cost)
}

impl Cost {
    /// How long loading it takes: more than a third of what it does take, for
    /// everything in the tests.
    pub(super) fn estimate(&self) -> Duration {
        Duration::from_nanos(self.nanoseconds)
    }

    fn spend(&mut self, count: u64, nanoseconds: u64) {
        self.nanoseconds = self.nanoseconds.saturating_add(count.saturating_mul(nanoseconds));
    }

    fn add_function(&mut self, taken: Taken) -> Result<(), Problem> {
        self.spend(1, taken.nanoseconds);
        let (estimate, max) = (taken.held, COMPILE_MEMORY_MAX);
        if estimate > max { Err(Problem::CompileMemory { estimate, max }) } else { Ok(()) }
    }

    fn add_items(&mut self, count: u32) -> Result<(), Problem> {
        self.items += u64::from(count);
        self.spend(count.into(), nanoseconds::ITEM);
        check("items (types, imports, exports, aliases, segments)", self.items, ITEMS_MAX)
    }

    fn add_to_component(&mut self, payload: Payload<'_>, component: &[u8]) -> Result<(), Problem> {
        match payload {
            Payload::InstanceSection(section) => self.add_items(section.count()),
            Payload::ComponentInstanceSection(section) => self.add_items(section.count()),
            Payload::ComponentAliasSection(section) => self.add_items(section.count()),
            Payload::ComponentImportSection(section) => self.add_items(section.count()),
            Payload::ComponentExportSection(section) => self.add_items(section.count()),
            Payload::CoreTypeSection(section) => {
                check_depth(component, section.range())?;
                self.add_items(section.count())
            }
            Payload::ComponentTypeSection(section) => {
                check_depth(component, section.range())?;
                // A type may have thousands of members, each of two bytes.
                let bytes = section.range().len().try_into().unwrap_or(u32::MAX);
                self.add_items(section.count().max(bytes / TYPE_BYTES))
            }
            Payload::ComponentCanonicalSection(section) => {
                self.spend(section.count().into(), nanoseconds::CANONICAL);
                self.add_items(section.count())
            }
            _ => Ok(()),
        }
    }

    fn add_to_module(&mut self, payload: Payload<'_>, module: &mut Module) -> Result<(), Problem> {
        match payload {
            Payload::TypeSection(section) => {
                self.add_items(section.count())?;
                let values = module.add_types(section)?;
                self.spend(values, nanoseconds::VALUE_OF_TYPE);
                Ok(())
            }
            Payload::ImportSection(section) => {
                let imports = module.add_imports(section)?;
                self.add_items(imports)
            }
            Payload::FunctionSection(section) => {
                self.spend(section.count().into(), nanoseconds::FUNCTION);
                module.add_functions(section)
            }
            Payload::TableSection(section) => {
                self.tables += u64::from(section.count());
                check("tables", self.tables, TABLES_MAX)
            }
            Payload::MemorySection(section) => {
                self.memories += u64::from(section.count());
                check("memories", self.memories, MEMORIES_MAX)
            }
            Payload::GlobalSection(section) => {
                self.add_items(section.count())?;
                let mutable = module.add_globals(section)?;
                self.mutable_globals += mutable;
                self.spend(mutable, nanoseconds::MUTABLE_GLOBAL);
                check("mutable globals", self.mutable_globals, GLOBALS_MUTABLE_MAX)
            }
            Payload::ExportSection(section) => {
                module.add_exports(section.count());
                self.add_items(section.count())
            }
            Payload::DataSection(section) => {
                self.add_items(section.count())?;
                module.add_data(section)
            }
            Payload::ElementSection(section) => {
                self.add_items(section.count())?;
                self.elements += module.add_elements(section)?;
                check("elements of tables", self.elements, ELEMENTS_MAX)
            }
            Payload::CodeSectionStart { size, .. } => {
                self.code_bytes += usize::try_from(size).unwrap_or(usize::MAX);
                self.spend(size.into(), nanoseconds::CODE_BYTE);
                Ok(())
            }
            Payload::CodeSectionEntry(body) => self.add_function(function::taken(&body, module)?),
            _ => Ok(()),
        }
    }
}

/// Bytes of a type, of the kind that components have.
const TYPE_BYTES: u32 = 4;

/// Refuses sections whose types are in one another deeper than anybody writes
/// them: they are read, validated and dropped by recursion, on the stack.
///
/// A type within another begins with these two bytes, so that there are no more
/// levels than such pairs.
fn check_depth(component: &[u8], section: Range<usize>) -> Result<(), Problem> {
    let bytes = component.get(section).unwrap_or_default();
    let levels = bytes.windows(2).filter(|pair| matches!(pair, [0x01, 0x41 | 0x42 | 0x50])).count();
    check("types within types", levels, COMPONENT_TYPE_DEPTH_MAX)
}

fn check(what: &'static str, found: impl TryInto<u64>, max: u64) -> Result<(), Problem> {
    let found = found.try_into().unwrap_or(u64::MAX);
    if found > max { Err(Problem::TooMany { what, found, max }) } else { Ok(()) }
}

fn invalid(error: BinaryReaderError) -> Problem {
    Problem::InvalidComponent(error.message().to_owned())
}
