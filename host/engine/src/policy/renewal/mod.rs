//! What lets an instance decide one request after another, each as if it were
//! fresh: a function, put into the component, that undoes whatever a check can
//! change in it.
//!
//! It is the function that the canonical ABI calls after the results of a call
//! were read (`post-return`). It writes the memory and the globals that
//! `configure` left over those of the check. What else of an instance could
//! change is ruled out before: a component that changes a table, drops a
//! segment, has a resource, or memories in several modules is not renewed, and
//! its instances are made anew for each check. The host throws an instance
//! away that trapped or that grew its memory.

mod module;
mod outline;
mod rewriting;

use module::Module;
use outline::Outline;
use std::ops::Range;
use wasm_encoder::Encode;

/// Why the instances of a component cannot be renewed.
pub(super) type NotRenewed = &'static str;

/// `component`, whose instances are as they began after each call.
///
/// INVARIANT (renewed): all state of an instance is the memory and the mutable
/// globals of one module, or cannot change; every function that the component
/// lifts ends in the function that puts them back.
pub(super) fn renewing(component: &[u8]) -> Result<Vec<u8>, NotRenewed> {
    let outline = Outline::read(component)?;
    let contents = |range: &Range<usize>| component.get(range.clone()).ok_or(MALFORMED);
    let modules = outline.modules.iter().map(|range| Module::read(contents(range)?));
    let modules = modules.collect::<Result<Vec<_>, _>>()?;
    let mut with_state = (0..).zip(&modules).filter(|(_, module)| module.has_state());
    let (Some((index, main)), None) = (with_state.next(), with_state.next()) else {
        return Err("not exactly one of its modules has memory");
    };
    let ends = outline.ends_of_calls_into(index)?;
    let rewritten = rewriting::rewritten(main, &ends)?;

    let mut bytes = component.get(..HEADER_BYTES).ok_or(MALFORMED)?.to_vec();
    let place = outline.modules.get(index).ok_or(MALFORMED)?;
    for (id, range) in &outline.sections {
        bytes.push(*id);
        if range == place { &rewritten } else { contents(range)? }.encode(&mut bytes);
    }
    Ok(bytes)
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
mod tests;
