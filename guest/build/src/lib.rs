//! Builds guest crates to components.
