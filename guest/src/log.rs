//! The operator's log, as a rule writes to it.
//!
//! Lines past the host's limits are dropped and counted; writing never fails
//! and never waits. Pairs are names and values: text that came with the
//! request belongs in a value, not in the message.

use crate::types::Level;

/// For the policy's author.
pub fn debug(message: &str, pairs: &[(&str, &str)]) {
    write(Level::Debug, message, pairs);
}

/// Nothing is wrong.
pub fn info(message: &str, pairs: &[(&str, &str)]) {
    write(Level::Info, message, pairs);
}

/// Something that the operator may want to look into.
pub fn warn(message: &str, pairs: &[(&str, &str)]) {
    write(Level::Warn, message, pairs);
}

/// Something that the operator must act on.
pub fn error(message: &str, pairs: &[(&str, &str)]) {
    write(Level::Error, message, pairs);
}

/// The name of the pair by which the host tells the last words of a policy from
/// a line of its log. Its value is where it panicked.
#[cfg(target_arch = "wasm32")]
pub(crate) const PANIC: &str = "panic";

#[cfg(target_arch = "wasm32")]
pub(crate) fn write(level: Level, message: &str, pairs: &[(&str, &str)]) {
    crate::bindings::barmkin::log::log::write(level, message, pairs);
}

#[cfg(not(target_arch = "wasm32"))]
fn write(level: Level, message: &str, pairs: &[(&str, &str)]) {
    let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    native::LINES.with_borrow_mut(|lines| lines.push(native::Line { level, message: message.to_owned(), pairs }));
}

/// Natively a rule is called on one thread, and its lines wait there until it
/// has decided.
#[cfg(not(target_arch = "wasm32"))]
pub mod native {
    use std::cell::RefCell;

    use crate::types::Level;

    /// A line that a rule wrote.
    #[derive(Clone, Debug, PartialEq)]
    pub struct Line {
        /// How important it is.
        pub level: Level,
        /// The message.
        pub message: String,
        /// Names and values.
        pub pairs: Vec<(String, String)>,
    }

    thread_local! {
        pub(super) static LINES: RefCell<Vec<Line>> = const { RefCell::new(Vec::new()) };
    }

    pub(crate) fn take_lines() -> Vec<Line> {
        LINES.take()
    }
}
