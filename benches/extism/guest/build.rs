//! Writes the roles into the plug-in: one that had to read them when it starts
//! would pay for it in every fresh instance.

use barmkin_bench_peer::Question;
use std::error::Error;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    let roles = Question::of_fifty_roles().roles;
    let roles: Vec<_> = roles.iter().map(|role| (&role.name, &role.method, &role.below)).collect();
    let out_dir = std::env::var_os("OUT_DIR").ok_or("cargo runs this")?;
    std::fs::write(Path::new(&out_dir).join("roles.rs"), format!("&{roles:?}"))?;
    Ok(())
}
