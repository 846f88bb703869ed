//! The parts that a renewed component may be made of.
//!
//! It lists what is known to change nothing, or only what is restored or what
//! the host sees. An instruction, a section or an option that nobody thought of
//! is not on the list: its component gets a fresh instance for each check.

use super::NotRenewed;
use crate::engine::features;
use wasmparser::{
    CanonicalOption, ComponentExternalKind, ComponentTypeRef, MemoryType, Operator, Payload, TypeRef, WasmFeatures,
};

/// The features of the engine, and what each can change.
const KNOWN: [WasmFeatures; 13] = [
    // Values and calls: they change nothing that outlives a call.
    WasmFeatures::FLOATS,
    WasmFeatures::GC_TYPES,
    WasmFeatures::SIGN_EXTENSION,
    WasmFeatures::SATURATING_FLOAT_TO_INT,
    WasmFeatures::MULTI_VALUE,
    WasmFeatures::SIMD,
    WasmFeatures::TAIL_CALL,
    // The initial value of a global, or the place of a segment: one that is
    // computed is not renewed.
    WasmFeatures::EXTENDED_CONST,
    // Globals are restored where they are defined, which is in one module.
    WasmFeatures::MUTABLE_GLOBAL,
    // Memory is restored; dropping segments and changing tables is not allowed.
    WasmFeatures::BULK_MEMORY,
    WasmFeatures::REFERENCE_TYPES,
    // A second memory is not renewed.
    WasmFeatures::MULTI_MEMORY,
    // Read by the outline.
    WasmFeatures::COMPONENT_MODEL,
];

const fn known() -> WasmFeatures {
    let (mut all, mut rest) = (WasmFeatures::empty(), KNOWN.as_slice());
    while let Some((first, others)) = rest.split_first() {
        all = all.union(*first);
        rest = others;
    }
    all
}

const _: () = assert!(
    features().bits() == known().bits(),
    "a feature was added to the engine: find out what it can change, and say it in `KNOWN`"
);

/// Whether all instructions of a proposal change no more than locals, globals,
/// memory, and its size, which the host is asked about.
macro_rules! is_undone {
    (mvp) => {
        true
    };
    (sign_extension) => {
        true
    };
    (saturating_float_to_int) => {
        true
    };
    (simd) => {
        true
    };
    (tail_call) => {
        true
    };
    ($other:ident) => {
        false
    };
}

macro_rules! by_proposal {
    ($(@$proposal:ident $op:ident $({ $($arg:ident: $type:ty),* })? => $visit:ident ($($arity:tt)*))*) => {
        fn is_of_a_proposal_that_is_undone(operator: &Operator<'_>) -> bool {
            match operator {
                $(Operator::$op { .. } => is_undone!($proposal),)*
                _ => false,
            }
        }
    };
}
wasmparser::for_each_operator!(by_proposal);

/// Refuses an instruction that could change what is not restored.
pub(super) fn operator(operator: &Operator<'_>) -> Result<(), NotRenewed> {
    match operator {
        Operator::TableSet { .. }
        | Operator::TableGrow { .. }
        | Operator::TableFill { .. }
        | Operator::TableCopy { .. }
        | Operator::TableInit { .. } => Err("it changes a table"),
        Operator::ElemDrop { .. } | Operator::DataDrop { .. } => Err("it drops a segment"),
        // The others of the proposals that those are of.
        Operator::MemoryInit { .. }
        | Operator::MemoryCopy { .. }
        | Operator::MemoryFill { .. }
        | Operator::TypedSelect { .. }
        | Operator::RefNull { .. }
        | Operator::RefIsNull
        | Operator::RefFunc { .. }
        | Operator::TableGet { .. }
        | Operator::TableSize { .. } => Ok(()),
        other if is_of_a_proposal_that_is_undone(other) => Ok(()),
        _ => Err("it has an instruction whose effects are not known here"),
    }
}

const OTHER_SECTION: NotRenewed = "it has a section whose meaning is not known here";

/// Refuses unknown sections of a core module. Those that can hold state are
/// then read entry by entry.
pub(super) fn section_of_module(payload: &Payload<'_>) -> Result<(), NotRenewed> {
    match payload {
        Payload::Version { .. }
        | Payload::TypeSection(_)
        | Payload::ImportSection(_)
        | Payload::FunctionSection(_)
        // Tables can be filled when a module is instantiated, and not change after.
        | Payload::TableSection(_)
        | Payload::ElementSection(_)
        | Payload::MemorySection(_)
        | Payload::GlobalSection(_)
        | Payload::ExportSection(_)
        | Payload::DataCountSection { .. }
        | Payload::DataSection(_)
        | Payload::CodeSectionStart { .. }
        | Payload::CodeSectionEntry(_)
        | Payload::CustomSection(_)
        | Payload::End(_) => Ok(()),
        Payload::StartSection { .. } => Err("a module has a start function"),
        _ => Err(OTHER_SECTION),
    }
}

/// Refuses sections of the component itself.
pub(super) fn section_of_component(payload: &Payload<'_>) -> Result<(), NotRenewed> {
    match payload {
        Payload::ModuleSection { .. } | Payload::InstanceSection(_) | Payload::ComponentCanonicalSection(_) => Ok(()),
        Payload::ComponentStartSection { .. } => Err("it has a start function"),
        other => section_that_only_names(other).map_err(|_| OTHER_SECTION),
    }
}

/// Refuses sections of a component within the component: it may only give
/// names to what it is given.
pub(super) fn section_that_only_names(payload: &Payload<'_>) -> Result<(), NotRenewed> {
    match payload {
        Payload::Version { .. }
        | Payload::CoreTypeSection(_)
        | Payload::ComponentTypeSection(_)
        | Payload::ComponentImportSection(_)
        | Payload::ComponentExportSection(_)
        | Payload::ComponentAliasSection(_)
        | Payload::ComponentInstanceSection(_)
        | Payload::ComponentSection { .. }
        | Payload::CustomSection(_)
        | Payload::End(_) => Ok(()),
        _ => Err("a component within it runs code"),
    }
}

/// Refuses unknown kinds of imports of a module. State that is imported is
/// defined by the one module that is renewed: the host lends none.
pub(super) fn import(import: &TypeRef) -> Result<(), NotRenewed> {
    match import {
        TypeRef::Func(_) | TypeRef::Global(_) | TypeRef::Table(_) => Ok(()),
        TypeRef::Memory(memory) => self::memory(memory),
        _ => Err("a module imports what the host does not have"),
    }
}

/// Refuses memories that are shared, that have 64-bit addresses, or pages of
/// another size.
pub(super) fn memory(memory: &MemoryType) -> Result<(), NotRenewed> {
    match memory {
        MemoryType { memory64: false, shared: false, page_size_log2: None, .. } => Ok(()),
        _ => Err("it has a memory of another kind"),
    }
}

/// Refuses what a component imports unless it is functions, or their types.
pub(super) fn component_import(import: &ComponentTypeRef) -> Result<(), NotRenewed> {
    match import {
        ComponentTypeRef::Func(_) | ComponentTypeRef::Instance(_) | ComponentTypeRef::Type(_) => Ok(()),
        ComponentTypeRef::Module(_) => Err("it imports a module"),
        _ => Err("it imports something that is not a function"),
    }
}

/// Refuses what a component exports unless it is functions, or their types: of
/// an exported module other instances could be made.
pub(super) fn component_export(export: ComponentExternalKind) -> Result<(), NotRenewed> {
    match export {
        ComponentExternalKind::Func | ComponentExternalKind::Instance | ComponentExternalKind::Type => Ok(()),
        ComponentExternalKind::Module => Err("it exports a module"),
        _ => Err("it exports something that is not a function"),
    }
}

/// Refuses calls that do not begin and end within one call of the host.
pub(super) fn option(option: &CanonicalOption) -> Result<(), NotRenewed> {
    match option {
        CanonicalOption::UTF8
        | CanonicalOption::UTF16
        | CanonicalOption::CompactUTF16
        | CanonicalOption::Memory(_)
        | CanonicalOption::Realloc(_)
        | CanonicalOption::PostReturn(_) => Ok(()),
        _ => Err("a call into it, or out of it, is of another kind"),
    }
}
