//! The results, and the bar they are held to.

mod bar;
mod summary;

pub use bar::bar;
pub use summary::Summary;
