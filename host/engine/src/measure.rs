//! What benchmarks need and nobody else may use.
//!
//! A generation that keeps instances is no gate: what one request leaves in a
//! sandbox is there for the next.

use crate::generation::Generation;

/// Lets each policy of `generation` decide all requests in one instance, which
/// is renewed now and then, or in a fresh one each again. Only with a local
/// store, and from one thread.
pub fn keep_instances(generation: &Generation, keep: bool) {
    generation.policies().for_each(|policy| policy.keep_instance(keep));
}
