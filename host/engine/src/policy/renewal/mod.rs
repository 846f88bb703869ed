//! Lets one instance decide request after request, each as if it were fresh:
//! functions that are added to the component restore whatever a check can
//! change in it, and see that it was restored.
//!
//! The canonical ABI calls a function after the results of a call were read
//! (`post-return`). The host's own takes its place, and writes the memory and
//! the globals that `configure` left over those of the check. A component that
//! could change anything else ([`allowed`] lists what cannot) is not renewed,
//! and neither is one that cannot be rewritten: it gets a fresh instance for
//! each check.
//!
//! This relies on the following:
//!
//! * Results are the host's own before post-return runs: `policy/check.rs`
//!   lifts them into owned values.
//! * Post-return is called after every call that returned, also after one that
//!   suspended. If it were not, the next call into the instance would trap: it
//!   enters by a function that finds that nothing was restored.
//! * The host throws away an instance that trapped or whose memory grew. It is
//!   asked before a memory grows; it is not asked about growing by 0 pages,
//!   which changes nothing.
//! * Nobody but the host calls what it calls.
//! * The rewritten component is validated before it is compiled.

mod allowed;
mod module;
mod outline;
mod rewriting;

use crate::engine::features;
use module::Module;
use outline::Outline;
use std::ops::Range;
use wasm_encoder::Encode;
use wasmparser::Validator;

/// Why the instances of a component cannot be renewed.
pub(super) type NotRenewed = &'static str;

/// `component`, whose instances are as they began after each call.
///
/// INVARIANT (renewed): all state of an instance is the memory and the mutable
/// globals of one module, or cannot change; every function that the component
/// lifts ends with the function that restores them, and begins with one that
/// traps if they were not.
pub(super) fn renewing(component: &[u8]) -> Result<Vec<u8>, NotRenewed> {
    let outline = Outline::read(component)?;
    let contents = |range: &Range<usize>| component.get(range.clone()).ok_or(MALFORMED);
    let modules = outline.modules.iter().map(|range| Module::read(contents(range)?));
    let modules = modules.collect::<Result<Vec<_>, _>>()?;
    let mut with_state = (0..).zip(&modules).filter(|(_, module)| module.has_state());
    let (Some((index, main)), None) = (with_state.next(), with_state.next()) else {
        return Err("not exactly one of its modules has memory");
    };
    let rewritten = rewriting::rewritten(main, &outline.calls_into(index)?)?;

    let mut bytes = component.get(..HEADER_BYTES).ok_or(MALFORMED)?.to_vec();
    let place = outline.modules.get(index).ok_or(MALFORMED)?;
    for (id, range) in &outline.sections {
        bytes.push(*id);
        if range == place { &rewritten } else { contents(range)? }.encode(&mut bytes);
    }
    // Not all that is valid still is: an export that was replaced may be the
    // only thing that lets the code refer to its function.
    let valid = Validator::new_with_features(features()).validate_all(&bytes);
    valid.map(|_| bytes).map_err(|_| "it is not valid once it is rewritten")
}

/// Bytes before the first section of a module or a component.
const HEADER_BYTES: usize = 8;

const MALFORMED: NotRenewed = "it is malformed";

/// Where a section is: its id, and its contents.
type Section = (u8, Range<usize>);

fn at<T>(items: &[T], index: u32) -> Result<&T, NotRenewed> {
    usize::try_from(index).ok().and_then(|index| items.get(index)).ok_or(MALFORMED)
}

fn malformed(_: wasmparser::BinaryReaderError) -> NotRenewed {
    MALFORMED
}

#[cfg(test)]
mod edges;
#[cfg(test)]
mod tests;
