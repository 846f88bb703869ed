//! The profile that a guest is compiled with, and why.

use std::fs;
use std::ops::RangeInclusive;
use std::path::Path;

use crate::environment::cargo_home;
use crate::error::BuildError;
use crate::workspace::Workspace;

pub(crate) const NAME: &str = "guest";

/// The profile, for workspaces whose manifest does not have its own.
const SETTINGS: [&str; 7] = [
    "inherits='release'",
    // Code is compiled once and instantiated for each request: small code and
    // small data are what a request pays for.
    "opt-level='s'",
    "lto='fat'",
    "codegen-units=1",
    "panic='abort'",
    "debug=false",
    "strip='symbols'",
];

/// The stack, unless `stack` under `[package.metadata.barmkin]` says another
/// size. A policy is shallow. With this and the data of a usual policy about half of
/// the first page of memory, 64 KiB, is left for its heap: every further page
/// is one that the host restores after each request. The stack lies below the
/// data, so that running out of it traps.
const STACK_BYTES: u32 = 16 * 1024;

/// Sizes of a stack that a package can ask for: less than the smallest is not
/// enough for anything, and the largest is half of the memory that a policy has
/// unless its operator gives it more.
const STACK_KIB: RangeInclusive<u32> = 4..=1024;

/// The largest stack that one of `packages` asks for: they are built together.
pub(crate) fn stack_bytes(workspace: &Workspace, packages: &[&str]) -> Result<u32, BuildError> {
    packages.iter().try_fold(STACK_BYTES, |most, package| match workspace.setting(package, "stack") {
        None => Ok(most),
        Some(text) => {
            let refused = || BuildError::Stack { package: (*package).to_owned(), text: text.clone() };
            let kib = text.trim_matches('"').strip_suffix("KiB").and_then(|number| number.parse().ok());
            let kib: u32 = kib.filter(|kib| STACK_KIB.contains(kib)).ok_or_else(refused)?;
            Ok(if packages.len() == 1 { kib * 1024 } else { most.max(kib * 1024) })
        }
    })
}

/// The command line that defines the profile, empty where the manifest does.
pub(crate) fn arguments(workspace: &Workspace) -> Result<Vec<String>, BuildError> {
    let path = workspace.root().join("Cargo.toml");
    let text = fs::read_to_string(&path).map_err(|source| BuildError::Read { path: path.clone(), source })?;
    let manifest: toml::Table = toml::from_str(&text).map_err(|source| BuildError::Manifest { path, source })?;
    if manifest.get("profile").and_then(|profiles| profiles.get(NAME)).is_some() {
        return Ok(Vec::new());
    }
    Ok(SETTINGS.iter().flat_map(|setting| ["--config".to_owned(), format!("profile.{NAME}.{setting}")]).collect())
}

/// Flags of the compiler, as the value of `CARGO_ENCODED_RUSTFLAGS`.
pub(crate) fn rustflags(workspace: &Workspace, stack_bytes: u32) -> String {
    let mut flags = vec![format!("-Clink-arg=-zstack-size={stack_bytes}"), "-Clink-arg=--stack-first".to_owned()];
    flags.extend(remapped_paths(workspace.root()));
    flags.join("\u{1f}")
}

/// Panic messages carry paths of sources. Where a component was built must not
/// show in its bytes: the same sources give the same digest on every machine.
fn remapped_paths(root: &Path) -> Vec<String> {
    let registry = cargo_home().map(|home| home.join("registry/src"));
    let sources = registry.and_then(|folder| fs::read_dir(folder).ok());
    let mut flags: Vec<_> = sources
        .into_iter()
        .flatten()
        .flatten()
        .map(|index| format!("--remap-path-prefix={}=/registry", index.path().display()))
        .collect();
    flags.sort();
    flags.push(format!("--remap-path-prefix={}=/workspace", root.display()));
    flags
}
