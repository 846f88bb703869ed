//! Puts the stock policies, as components, where `src/lib.rs` includes them.

use std::error::Error;
use std::path::Path;
use std::{env, fs};

use barmkin_build::{BuildError, BuildOptions, build_components};

const POLICIES: [&str; 5] = ["api-key", "rate-quota", "rbac-scopes", "replay-window", "webhook-signature"];

fn main() -> Result<(), Box<dyn Error>> {
    let manifest_dir = env::var_os("CARGO_MANIFEST_DIR").ok_or("cargo runs this")?;
    let out_dir = env::var_os("OUT_DIR").ok_or("cargo runs this")?;
    let (here, out_dir) = (Path::new(&manifest_dir), Path::new(&out_dir));

    // A published package has the components with it, and no sources of them.
    let ready = here.join("components");
    println!("cargo::rerun-if-changed={}", here.join("build.rs").display());
    if ready.is_dir() {
        println!("cargo::rerun-if-changed={}", ready.display());
        for policy in POLICIES {
            let file = format!("{policy}.wasm");
            fs::copy(ready.join(&file), out_dir.join(&file))?;
        }
        return Ok(());
    }

    let workspace = here.join("../..");
    for source in ["Cargo.toml", "Cargo.lock", "by-name", "guest", "path", "wit"] {
        println!("cargo::rerun-if-changed={}", workspace.join(source).display());
    }
    for policy in POLICIES {
        println!("cargo::rerun-if-changed={}", here.join("..").join(policy).display());
    }
    let packages = POLICIES.map(|policy| format!("barmkin-{policy}"));
    let components = build_components(&workspace, &packages.each_ref().map(String::as_str), &BuildOptions::default())
        .inspect_err(|error: &BuildError| eprintln!("help: {}", error.help()))?;
    for (policy, component) in POLICIES.iter().zip(components) {
        fs::write(out_dir.join(format!("{policy}.wasm")), component.bytes)?;
    }
    Ok(())
}
