//! Builds the plug-in.

use std::error::Error;
use std::path::Path;
use std::process::Command;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=guest");
    let out_dir = std::env::var_os("OUT_DIR").ok_or("cargo runs this")?;
    let cargo = std::env::var_os("CARGO").ok_or("cargo runs this")?;
    let target = Path::new(&out_dir).join("guest");
    let mut build = Command::new(cargo);
    build.args(["build", "--release", "--target", "wasm32-unknown-unknown", "--target-dir"]).arg(&target);
    build.current_dir("guest").env_remove("CARGO_ENCODED_RUSTFLAGS").env_remove("RUSTFLAGS");
    if !build.status()?.success() {
        return Err("the plug-in does not build".into());
    }
    let module = target.join("wasm32-unknown-unknown/release/barmkin_bench_extism_guest.wasm");
    std::fs::copy(module, Path::new(&out_dir).join("guest.wasm"))?;
    Ok(())
}
