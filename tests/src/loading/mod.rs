//! Components by what it costs to load them: those that must be refused
//! before they cost anything, and, as large as any that is planned, those that
//! must not.

mod bombs;
mod guests;
mod operators;

pub use bombs::Bomb;
pub use guests::{Guest, PLANNED, padded};

use wasm_encoder::{Component, RawSection};

/// The id of a section that holds a core module.
const CORE_MODULE: u8 = 1;

/// All bombs.
pub fn bombs() -> impl Iterator<Item = &'static Bomb> {
    bombs::BOMBS.iter().chain(operators::OPERATORS)
}

/// `component` with `module` added to it, which nothing instantiates.
pub fn with_module(component: &[u8], module: &[u8]) -> Vec<u8> {
    let mut bytes = component.to_vec();
    wasm_encoder::ComponentSection::append_to_component(&RawSection { id: CORE_MODULE, data: module }, &mut bytes);
    bytes
}

/// A component of nothing but `module`.
fn only(module: &[u8]) -> Vec<u8> {
    with_module(&Component::new().finish(), module)
}
