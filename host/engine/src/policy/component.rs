//! The static look at a component, before anything of it runs.

use crate::engine::features;
use crate::generation::error::Problem;
use crate::limits::{COMPILE_BUDGET_MAX, COMPONENT_BYTES_MAX};
use crate::policy::cost;
use sha2::{Digest as _, Sha256};
use std::sync::LazyLock;
use std::time::Duration;
use wasmparser::{ComponentExternalKind, ConstExpr, DataKind, Encoding, Operator, Parser, Payload, Validator};

/// The interface that a policy for requests exports.
pub const CONTRACT: &str = "barmkin:policy/request-policy@0.1.0";

/// SHA-256 of the contract, as this host was built with it.
pub(super) static CONTRACT_DIGEST: LazyLock<[u8; 32]> = LazyLock::new(|| {
    let parts = [
        include_str!("../../../../wit/policy.wit"),
        include_str!("../../../../wit/deps/keys/keys.wit"),
        include_str!("../../../../wit/deps/replay/replay.wit"),
        include_str!("../../../../wit/deps/quota/quota.wit"),
        include_str!("../../../../wit/deps/log/log.wit"),
    ];
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
        digest.update(part);
    }
    digest.finalize().into()
});

/// The imports that a policy may have: capabilities, and the types they are
/// made of.
const IMPORTS: [&str; 6] = [
    "barmkin:policy/types@0.1.0",
    "barmkin:keys/types@0.1.0",
    "barmkin:keys/keys@0.1.0",
    "barmkin:replay/replay@0.1.0",
    "barmkin:quota/quota@0.1.0",
    "barmkin:log/log@0.1.0",
];

/// Bytes of a page of linear memory.
pub(super) const PAGE_BYTES: usize = 64 * 1024;

/// Pages that the snapshotter needs besides the guest's.
pub(super) const HEADROOM_PAGES: u64 = 2;

/// The properties of a component that show without running it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inspection {
    /// Names of its imports.
    pub imports: Vec<String>,
    /// Names of its exports.
    pub exports: Vec<String>,
    /// Pages (64 KiB) of its memories at the start.
    pub memory_pages: u64,
    /// Bytes of code in its modules.
    pub code_bytes: usize,
    /// How long loading it takes, by estimate: what a policy's
    /// [`compile_budget`](crate::PolicySpec::compile_budget) is compared with.
    pub estimate: Duration,
}

impl Inspection {
    /// Bytes of its memories at the start.
    pub fn memory_bytes(&self) -> usize {
        usize::try_from(self.memory_pages).unwrap_or(usize::MAX).saturating_mul(PAGE_BYTES)
    }
}

/// Reads a component, and refuses what cannot be a policy, or takes longer to
/// load than any policy may.
///
/// # Errors
/// [`Problem`], most of them for the policy author to fix.
pub fn inspect(component: &[u8]) -> Result<Inspection, Problem> {
    inspect_within(component, COMPILE_BUDGET_MAX)
}

/// As [`inspect`], of a component that takes no longer to load than `budget`.
pub(super) fn inspect_within(component: &[u8], budget: Duration) -> Result<Inspection, Problem> {
    if component.len() > COMPONENT_BYTES_MAX {
        return Err(Problem::ComponentTooLarge { bytes: component.len(), max: COMPONENT_BYTES_MAX });
    }
    if !component.starts_with(b"\0asm") {
        return Err(Problem::InvalidComponent("it does not begin as WebAssembly does".to_owned()));
    }
    if Parser::is_core_wasm(component) {
        return Err(Problem::CoreModule);
    }
    // Validating takes time, too: what costs too much is told from its bytes.
    let cost = cost::of(component)?;
    let estimate = cost.estimate();
    if estimate > budget {
        return Err(Problem::CompileBudget { estimate, budget });
    }
    let inspection = Inspection { code_bytes: cost.code_bytes, estimate, ..validated(component)? };
    for import in &inspection.imports {
        if IMPORTS.contains(&import.as_str()) {
            continue;
        }
        return Err(match IMPORTS.iter().find(|known| differ_in_version(import, known)) {
            Some(expected) => Problem::OtherContract { found: import.clone(), expected },
            None => Problem::ForeignImport(import.clone()),
        });
    }
    if !inspection.exports.iter().any(|export| export == CONTRACT) {
        return Err(match inspection.exports.iter().find(|export| differ_in_version(export, CONTRACT)) {
            Some(found) => Problem::OtherContract { found: found.clone(), expected: CONTRACT },
            None => Problem::NoPolicy(CONTRACT),
        });
    }
    Ok(inspection)
}

/// Whether two names are of one interface, in different versions.
fn differ_in_version(one: &str, other: &str) -> bool {
    let interface = |name: &str| name.split_once('@').map(|(interface, _)| interface.to_owned());
    one != other && interface(one).is_some() && interface(one) == interface(other)
}

/// Whether interface `one` is of a version before that of `other`; `None` where
/// either has none that can be read.
pub(crate) fn is_older(one: &str, other: &str) -> Option<bool> {
    let version = |name: &str| -> Option<Vec<u64>> {
        let (_, version) = name.split_once('@')?;
        // What is before a release sorts with it: the difference is in numbers.
        let numbers = version.split(['-', '+']).next()?;
        numbers.split('.').map(|number| number.parse().ok()).collect()
    };
    Some(version(one)? < version(other)?)
}

/// The properties of `component`, which this host made of one that was
/// inspected.
pub(super) fn validated(component: &[u8]) -> Result<Inspection, Problem> {
    let invalid = |error: wasmparser::BinaryReaderError| Problem::InvalidComponent(error.message().to_owned());
    Validator::new_with_features(features()).validate_all(component).map_err(invalid)?;
    let mut inspection = Inspection::default();
    // Encodings of what is open, the component itself first.
    let mut open = Vec::new();
    for payload in Parser::new(0).parse_all(component) {
        match payload.map_err(invalid)? {
            Payload::Version { encoding, .. } => open.push(encoding),
            Payload::End(_) => drop(open.pop()),
            Payload::ComponentImportSection(section) if open == [Encoding::Component] => {
                for import in section {
                    inspection.imports.push(import.map_err(invalid)?.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(section) if open == [Encoding::Component] => {
                for export in section {
                    let export = export.map_err(invalid)?;
                    if export.kind == ComponentExternalKind::Instance {
                        inspection.exports.push(export.name.name.to_owned());
                    }
                }
            }
            Payload::MemorySection(section) => {
                for memory in section {
                    let memory = memory.map_err(invalid)?;
                    inspection.memory_pages += memory.initial;
                    if let Some(max) = memory.maximum.filter(|max| *max < memory.initial + HEADROOM_PAGES) {
                        return Err(Problem::MemoryCannotGrow { max });
                    }
                }
            }
            _ => {}
        }
    }
    Ok(inspection)
}

/// Bytes of the stack of the module that has memory, if the stack lies below
/// all data, as `barmkin build` puts it: one that runs out of it then leaves
/// memory. The stack's pointer is the first global that can change, by the
/// convention of linkers.
pub(super) fn stack_first(component: &[u8]) -> Option<u32> {
    let (mut pointer, mut data) = (None, None);
    for payload in Parser::new(0).parse_all(component) {
        match payload.ok()? {
            Payload::GlobalSection(globals) if pointer.is_none() => {
                let mut globals = globals.into_iter().map_while(Result::ok);
                pointer = globals.find(|global| global.ty.mutable).and_then(|global| constant(&global.init_expr));
            }
            Payload::DataSection(segments) => {
                let starts = segments.into_iter().map_while(Result::ok).filter_map(|segment| match segment.kind {
                    DataKind::Active { offset_expr, .. } => constant(&offset_expr),
                    DataKind::Passive => None,
                });
                data = starts.chain(data).min();
            }
            _ => {}
        }
    }
    pointer.filter(|pointer| data.is_none_or(|data| *pointer <= data))
}

/// The value of an expression that is an address and nothing else.
fn constant(expression: &ConstExpr<'_>) -> Option<u32> {
    match expression.get_operators_reader().read() {
        Ok(Operator::I32Const { value }) => u32::try_from(value).ok(),
        _ => None,
    }
}
