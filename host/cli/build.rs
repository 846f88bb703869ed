//! Packs the SDK: what a policy crate needs to be built with no other file of
//! this repository.

use std::collections::BTreeSet;
use std::error::Error;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// Crates of the SDK, by their folders.
const CRATES: [&str; 4] = ["by-name", "guest", "guest/macros", "path"];

/// Files and folders of the SDK besides its workspace's manifest.
const SOURCES: [&str; 12] = [
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "by-name/Cargo.toml",
    "by-name/src",
    "guest/Cargo.toml",
    "guest/macros/Cargo.toml",
    "guest/macros/src",
    "guest/src",
    "path/Cargo.toml",
    "path/src",
    "wit/deps",
    "wit/policy.wit",
];

fn main() -> Result<(), Box<dyn Error>> {
    let manifest_dir = env::var_os("CARGO_MANIFEST_DIR").ok_or("cargo runs this")?;
    let out_dir = env::var_os("OUT_DIR").ok_or("cargo runs this")?;
    let (root, out_dir) = (Path::new(&manifest_dir).join("../.."), Path::new(&out_dir));
    let root = root.canonicalize()?;

    let manifest = out_dir.join("sdk.toml");
    fs::write(&manifest, workspace(&root)?)?;
    let mut files = vec![("Cargo.toml".to_owned(), manifest)];
    for source in SOURCES {
        println!("cargo::rerun-if-changed={}", root.join(source).display());
        add(&root, &root.join(source), &mut files)?;
    }
    for source in ["Cargo.toml", "Cargo.lock", "host/cli/build.rs"] {
        println!("cargo::rerun-if-changed={}", root.join(source).display());
    }

    let mut code = "&[\n".to_owned();
    for (name, path) in files {
        writeln!(code, "({name:?}, include_str!({path:?})),")?;
    }
    code.push(']');
    fs::write(out_dir.join("sdk.rs"), code)?;
    // The versions that the SDK was tested with. Cargo takes from them what a
    // policy needs.
    fs::copy(root.join("Cargo.lock"), out_dir.join("sdk.lock"))?;
    Ok(())
}

fn add(root: &Path, path: &Path, files: &mut Vec<(String, PathBuf)>) -> Result<(), Box<dyn Error>> {
    if path.is_dir() {
        let mut entries = fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()?;
        entries.sort();
        return entries.iter().try_for_each(|entry| add(root, entry, files));
    }
    let name = path.strip_prefix(root)?.to_str().ok_or("sources have names in UTF-8")?;
    files.push((name.to_owned(), path.to_owned()));
    Ok(())
}

/// The manifest of the SDK's workspace: of this one, what its crates refer to.
fn workspace(root: &Path) -> Result<String, Box<dyn Error>> {
    let read = |path: &str| -> Result<toml::Table, Box<dyn Error>> {
        Ok(toml::from_str(&fs::read_to_string(root.join(path).join("Cargo.toml"))?)?)
    };
    let mut manifest = read("")?;
    let workspace = manifest.get_mut("workspace").and_then(toml::Value::as_table_mut).ok_or("a workspace")?;
    let mut used = BTreeSet::new();
    for folder in CRATES {
        collect_dependencies(&read(folder)?, &mut used);
    }
    workspace.retain(|key, _| ["resolver", "package", "dependencies", "lints"].contains(&key));
    workspace.insert("members".to_owned(), CRATES.to_vec().into());
    if let Some(dependencies) = workspace.get_mut("dependencies").and_then(toml::Value::as_table_mut) {
        dependencies.retain(|name, _| used.contains(name));
    }
    let workspace = manifest.remove("workspace").ok_or("a workspace")?;
    Ok(toml::to_string(&toml::Table::from_iter([("workspace".to_owned(), workspace)]))?)
}

/// Adds the names of all dependencies, at whichever depth of the manifest.
fn collect_dependencies(table: &toml::Table, used: &mut BTreeSet<String>) {
    for (key, value) in table {
        match value.as_table() {
            Some(dependencies) if key.ends_with("dependencies") => used.extend(dependencies.keys().cloned()),
            Some(other) => collect_dependencies(other, used),
            None => {}
        }
    }
}
