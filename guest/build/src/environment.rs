//! The environment of the inner cargo: the variables it inherits, and those it
//! must not.
//!
//! A build script inherits what its own cargo was told about another target,
//! another profile and other flags. A guest built with those would differ from
//! the same guest built by hand, or not build at all.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

const NAMES: [&str; 6] = [
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_INCREMENTAL",
    "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS",
    "RUSTFLAGS",
    // Lints belong to the author's own run, and set flags of their own.
    "RUSTC_WORKSPACE_WRAPPER",
    "CLIPPY_ARGS",
];
const PREFIXES: [&str; 5] = ["CARGO_BUILD_", "CARGO_CFG_", "CARGO_FEATURE_", "CARGO_PKG_", "CARGO_PROFILE_"];

/// The variables that must not reach the inner cargo.
pub(crate) fn overrides() -> impl Iterator<Item = OsString> {
    env::vars_os().map(|(name, _)| name).filter(|name| {
        name.to_str()
            .is_some_and(|name| NAMES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix)))
    })
}

/// The cargo that is running us, else the one on the PATH.
pub(crate) fn cargo() -> OsString {
    env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// The compiler that is running us, else the one on the PATH.
pub(crate) fn rustc() -> OsString {
    env::var_os("RUSTC").unwrap_or_else(|| "rustc".into())
}

/// Where cargo keeps the sources of dependencies.
pub(crate) fn cargo_home() -> Option<PathBuf> {
    let default = || env::home_dir().map(|home| home.join(".cargo"));
    env::var_os("CARGO_HOME").map(PathBuf::from).or_else(default)
}
