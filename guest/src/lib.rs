//! Write Barmkin policies in Rust.
