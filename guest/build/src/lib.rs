//! Builds policy crates to WebAssembly components.
//!
//! A policy is an ordinary Rust library of crate type `cdylib` that uses
//! `barmkin-guest`. Building it takes two steps, and both happen here: cargo
//! compiles it for `wasm32-unknown-unknown`, a target with no authority over
//! anything, and the module is wrapped into a component in this process. No
//! other tool has to be installed; the wasm target is added when it is missing.
//!
//! ```no_run
//! # fn main() -> Result<(), barmkin_build::BuildError> {
//! use barmkin_build::{BuildOptions, build_component};
//!
//! let component = build_component("policies/partners".as_ref(), &BuildOptions::default())?;
//! # let _: Vec<u8> = component;
//! # Ok(())
//! # }
//! ```
//!
//! Its stack has 16 KiB and lies first in memory, so that a policy which runs out
//! of it traps. One that needs more says so in its Cargo.toml:
//!
//! ```toml
//! [package.metadata.barmkin]
//! stack = "64KiB"
//! ```
//!
//! It may be called from a build script: cargo is run with a target directory
//! of its own, so that it never waits for the build that is running it.

mod cargo;
mod description;
mod environment;
mod error;
mod profile;
mod target;
mod workspace;

use std::path::{Path, PathBuf};

pub use error::BuildError;
use wasmparser::{Parser, Payload};

use workspace::Workspace;

/// How to build.
#[derive(Clone, Debug, Default)]
pub struct BuildOptions {
    /// Where cargo keeps its work; defaults to `guests` in the workspace's
    /// own target directory.
    pub target_dir: Option<PathBuf>,
    /// Refuses to change `Cargo.lock`, as cargo's `--locked` does.
    pub locked: bool,
}

/// A component that was built, and the package it was built from.
#[derive(Clone, Debug)]
pub struct Component {
    /// The name of the package.
    pub package: String,
    /// The binary form of the component.
    pub bytes: Vec<u8>,
}

/// Builds the policy crate in a folder to a component.
///
/// # Errors
/// When the folder holds no policy crate, when it does not compile (the
/// compiler's messages go to standard error), or when it has no `#[policy]`.
pub fn build_component(manifest_dir: &Path, options: &BuildOptions) -> Result<Vec<u8>, BuildError> {
    let workspace = Workspace::of(manifest_dir)?;
    let package = workspace.package_in(manifest_dir)?;
    let mut modules = cargo::build(&workspace, &[&package], options)?;
    let module = modules.pop().ok_or_else(|| BuildError::NotCdylib { package: package.clone() })?;
    componentize(&package, &module)
}

/// Builds several packages of one workspace, in one run of cargo, and returns
/// their components in the order in which they were asked for.
///
/// # Errors
/// As [`build_component`]; the first package that fails ends it.
pub fn build_components(
    workspace_dir: &Path,
    packages: &[&str],
    options: &BuildOptions,
) -> Result<Vec<Component>, BuildError> {
    let workspace = Workspace::of(workspace_dir)?;
    let modules = cargo::build(&workspace, packages, options)?;
    packages
        .iter()
        .zip(modules)
        .map(|(package, module)| {
            let bytes = componentize(package, &module)?;
            Ok(Component { package: (*package).to_owned(), bytes })
        })
        .collect()
}

fn componentize(package: &str, module: &Path) -> Result<Vec<u8>, BuildError> {
    let bytes = std::fs::read(module).map_err(|source| BuildError::Read { path: module.to_owned(), source })?;
    if !exports_policy(&bytes) {
        return Err(BuildError::NoPolicy { package: package.to_owned() });
    }
    let (bytes, described) = description::take(&bytes);
    let mut component = wit_component::ComponentEncoder::default()
        .validate(true)
        .module(&bytes)
        .and_then(|mut encoder| encoder.encode())
        .map_err(|source| BuildError::Componentize { module: module.to_owned(), source: source.into() })?;
    if let Some(described) = described {
        description::add(&mut component, &described);
    }
    Ok(component)
}

/// Whether `module` has what `#[policy]` exports, of whichever version.
fn exports_policy(module: &[u8]) -> bool {
    let exports = Parser::new(0).parse_all(module).filter_map(|payload| match payload {
        Ok(Payload::ExportSection(section)) => Some(section),
        _ => None,
    });
    exports.flatten().flatten().any(|export| export.name.starts_with("barmkin:policy/request-policy@"))
}
