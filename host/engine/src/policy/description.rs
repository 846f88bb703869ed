//! A policy's description of itself.

use wasmparser::{Parser, Payload};

/// The custom section that the SDK writes.
const SECTION: &str = "barmkin-description";

/// Bytes of it that are read. Those of the stock policies have up to ten thousand.
const BYTES_MAX: usize = 256 * 1024;

/// The description of a component: what its author says of its settings, its reasons
/// and its use, as JSON. `barmkin_guest::describe` has the form; none of it is proven.
pub fn description(component: &[u8]) -> Option<serde_json::Value> {
    // Sections of modules inside are their own.
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(component) {
        match payload.ok()? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::CustomSection(section)
                if depth == 0 && section.name() == SECTION && section.data().len() <= BYTES_MAX =>
            {
                return serde_json::from_slice(section.data()).ok();
            }
            _ => {}
        }
    }
    None
}
