//! A policy's description of itself, for the people who use it: its settings, the
//! reasons for which it denies, and an example.
//!
//! `#[policy]` gathers it from the doc comments. A build for WebAssembly writes it as
//! JSON into a custom section of the component, which is no part of what runs: no
//! instance has it in its memory.
//!
//! The JSON is an object:
//!
//! | | |
//! |---|---|
//! | `summary` | the doc comment of the settings |
//! | `settings` | a JSON Schema (2020-12) of the settings |
//! | `reasons` | a list of `code`, `status` and `text` |
//! | `example` | a configuration that uses the policy; empty where there is none |

mod json;
mod schema;

#[doc(hidden)]
pub use schema::{AnyShape, ShapeOf};
pub use schema::{Choice, Field, Schema, Shape, Table};

pub use crate::reason::DeclaredReason;

/// The name of the custom section.
pub const SECTION: &str = "barmkin-description";

/// Lines of a doc comment, as they are written.
pub type Lines = &'static [&'static str];

/// A policy's description of itself.
#[derive(Clone, Copy, Debug)]
pub struct Description {
    /// Its purpose.
    pub summary: Lines,
    /// Its settings.
    pub settings: Shape,
    /// Why it denies; `None` where it does not say so.
    pub reasons: Option<&'static [DeclaredReason]>,
    /// A configuration that uses it.
    pub example: &'static str,
}

impl Description {
    /// Of a policy that says nothing.
    pub const NONE: Self = Self { summary: &[], settings: Shape::Any, reasons: None, example: "" };

    /// Bytes of its JSON.
    #[must_use]
    pub const fn json_length(&self) -> usize {
        json::Written::<0>::of(self).length
    }

    /// Its JSON, whose length must be [`json_length`](Self::json_length).
    #[must_use]
    pub const fn json<const LENGTH: usize>(&self) -> [u8; LENGTH] {
        json::Written::<LENGTH>::of(self).bytes
    }
}
