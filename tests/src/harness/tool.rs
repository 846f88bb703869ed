//! The programs that tests need from outside, and the one line for where one is
//! missing.

use std::io::Write;
use std::path::{Path, PathBuf};

/// A program or folder from outside. `cargo xtask test` says where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// Envoy.
    Envoy,
    /// nginx, with its auth_request module.
    Nginx,
    /// Caddy.
    Caddy,
    /// HAProxy, with Lua.
    Haproxy,
    /// Redis.
    Redis,
    /// A Python that has the frameworks and servers of the backends.
    Backends,
    /// The folder with the vendors' libraries for signatures.
    Vendors,
}

impl Tool {
    /// Where it is; otherwise says that `what` is skipped.
    pub fn find(self, what: &str) -> Option<PathBuf> {
        let (variable, name) = match self {
            Self::Envoy => ("BARMKIN_ENVOY", "Envoy"),
            Self::Nginx => ("BARMKIN_NGINX", "nginx"),
            Self::Caddy => ("BARMKIN_CADDY", "Caddy"),
            Self::Haproxy => ("BARMKIN_HAPROXY", "HAProxy"),
            Self::Redis => ("BARMKIN_REDIS", "redis-server"),
            Self::Backends => ("BARMKIN_BACKENDS", "a Python with Flask, Django and their servers"),
            Self::Vendors => ("BARMKIN_VENDORS", "the folder of the vendors' libraries"),
        };
        let found = std::env::var_os(variable).map(PathBuf::from);
        if found.is_none() {
            skip(what, &format!("{variable} does not say where {name} is: `cargo xtask test` does"));
        }
        found
    }
}

/// The folder of vectors that others have written down, where there is one. What
/// they cover is covered without them: they are more of the same.
pub fn vectors() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors");
    let folder = std::env::var_os("BARMKIN_VECTORS").map_or(beside, PathBuf::from);
    folder.is_dir().then_some(folder)
}

/// Says in one line, which the test runner does not swallow, that `what` did
/// not run here.
///
/// # Panics
/// When BARMKIN_NO_SKIP is set: then everything has to run.
pub fn skip(what: &str, why: &str) {
    assert!(std::env::var_os("BARMKIN_NO_SKIP").is_none(), "{what} was skipped: {why}");
    // The macros for printing are captured by the test runner; this is not.
    let _ = writeln!(std::io::stdout(), "SKIP: {what}: {why}");
}
