//! The question that everybody is asked, and the timing of answers.
//!
//! Everybody decides the same requests, starting from the same bytes. The
//! peers do it in programs of their own, so that what they depend on stays out
//! of everything else; [`serve`] makes such a program, and the bench has it run
//! its batches between its own.

mod clock;
mod question;
mod serve;
mod subject;

pub use clock::thread_cpu;
pub use question::{Question, Request, Role};
pub use serve::serve;
pub use subject::{BATCH, Decide, Subject};
