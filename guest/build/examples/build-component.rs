//! Builds the policy crate in a folder: `build-component <folder> <file>`.

use std::path::Path;

use barmkin_build::{BuildOptions, build_component};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(folder), Some(file)) = (arguments.next(), arguments.next()) else {
        return Err("usage: build-component <folder of the policy> <file to write>".into());
    };
    std::fs::write(file, build_component(Path::new(&folder), &BuildOptions::default())?)?;
    Ok(())
}
