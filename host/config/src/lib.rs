//! Reads barmkin.toml.
