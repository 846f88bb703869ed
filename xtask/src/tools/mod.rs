//! Programs that tests and demo use besides cargo: found, or fetched into the
//! project.

mod backends;
mod debian;
mod envoy;
mod vendors;
mod wasm;

use crate::shell;
use anyhow::Result;
use std::path::PathBuf;
use std::process::Command;

/// Something from outside: where it is, or why it is not there.
pub(crate) struct Tool {
    /// Its name in `SKIP` lines.
    pub(crate) name: &'static str,
    /// The environment variable by which tests find it.
    pub(crate) variable: &'static str,
    pub(crate) found: Result<PathBuf>,
    /// Nothing is left unproven without it: it adds to what the repository has.
    optional: bool,
}

/// Everything from outside.
pub(crate) struct Tools(Vec<Tool>);

impl Tools {
    /// Finds or fetches everything.
    ///
    /// # Errors
    /// When the wasm target is missing and cannot be added: without it nothing
    /// can be built.
    pub(crate) fn get() -> Result<Self> {
        wasm::add_target()?;
        Ok(Self(vec![
            tool("envoy", "BARMKIN_ENVOY", envoy::get),
            tool("nginx", "BARMKIN_NGINX", || debian::get(&debian::NGINX)),
            tool("caddy", "BARMKIN_CADDY", || debian::get(&debian::CADDY)),
            tool("haproxy", "BARMKIN_HAPROXY", || debian::get(&debian::HAPROXY)),
            tool("redis", "BARMKIN_REDIS", || debian::get(&debian::REDIS)),
            tool("backends", "BARMKIN_BACKENDS", backends::get),
            tool("vendors", "BARMKIN_VENDORS", vendors::get),
            Tool { optional: true, ..tool("vectors", "BARMKIN_VECTORS", vectors) },
        ]))
    }

    /// Envoy alone: what the bench needs.
    pub(crate) fn envoy() -> Result<PathBuf> {
        tool("envoy", "BARMKIN_ENVOY", envoy::get).found
    }

    /// Says what there is, and what not.
    pub(crate) fn report(&self) {
        for tool in &self.0 {
            match &tool.found {
                Ok(path) => println!("{}: {}", tool.name, path.display()),
                Err(error) if tool.optional => println!("{}: {error:#}", tool.name),
                Err(error) => println!("SKIP: {}: {error:#}", tool.name),
            }
        }
    }

    /// The missing tools.
    pub(crate) fn missing(&self) -> impl Iterator<Item = &Tool> {
        self.0.iter().filter(|tool| tool.found.is_err() && !tool.optional)
    }

    /// The path of `name`, if it is there.
    pub(crate) fn path(&self, name: &str) -> Option<&PathBuf> {
        self.0.iter().find(|tool| tool.name == name)?.found.as_ref().ok()
    }

    /// Tells `command` where everything is.
    pub(crate) fn pass_to(&self, command: &mut Command) {
        for tool in &self.0 {
            match &tool.found {
                Ok(path) => command.env(tool.variable, path),
                Err(_) => command.env_remove(tool.variable),
            };
        }
    }
}

/// Only the wasm target: what the demo needs.
pub(crate) fn add_wasm_target() -> Result<()> {
    wasm::add_target()
}

fn tool(name: &'static str, variable: &'static str, get: impl FnOnce() -> Result<PathBuf>) -> Tool {
    let found = match std::env::var_os(variable) {
        Some(given) => Ok(PathBuf::from(given)),
        None => get(),
    };
    Tool { name, variable, found, optional: false }
}

/// Vectors that others have written down, for those who have them: what they cover
/// is covered without them, too.
fn vectors() -> Result<PathBuf> {
    let folder = shell::root().join("../shared/vectors");
    folder.canonicalize().map_err(|_| anyhow::anyhow!("there are none; BARMKIN_VECTORS can name a folder of them"))
}
