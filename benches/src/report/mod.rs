//! What came out, and what was wanted.

mod bar;
mod summary;

pub use bar::bar;
pub use summary::Summary;
