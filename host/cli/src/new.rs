//! `barmkin new`: a policy crate to begin with.

use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The files of a new crate. `NAME` and `SDK` in them are replaced.
const FILES: [(&str, &str); 4] = [
    ("Cargo.toml", include_str!("../templates/Cargo.toml.in")),
    ("src/lib.rs", include_str!("../templates/lib.rs.in")),
    ("cases.toml", include_str!("../templates/cases.toml.in")),
    ("README.md", include_str!("../templates/README.md.in")),
];

/// Makes a policy crate: a small rule, with its tests.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The name of the crate, and of its folder.
    name: String,
    /// In which folder the crate's folder is made.
    #[arg(long, default_value = ".")]
    dir: PathBuf,
    /// Where the SDK's source is; without it, its published release is used.
    #[arg(long)]
    sdk: Option<PathBuf>,
}

pub(crate) fn run(args: Args) -> Result<ExitCode> {
    check_name(&args.name)?;
    let folder = args.dir.join(&args.name);
    if folder.exists() {
        bail!("`{}` exists already", folder.display());
    }
    let sdk = match &args.sdk {
        Some(path) => format!("{{ path = {} }}", toml::Value::from(absolute(path)?)),
        None => format!("\"{}\"", env!("CARGO_PKG_VERSION")),
    };
    for (file, template) in FILES {
        let path = folder.join(file);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).with_context(|| format!("cannot make `{}`", parent.display()))?;
        }
        let text = template.replace("NAME", &args.name).replace("SDK", &sdk);
        std::fs::write(&path, text).with_context(|| format!("cannot write `{}`", path.display()))?;
    }
    println!("made {}", folder.display());
    println!("next: cd {} && cargo test && barmkin build && barmkin test", folder.display());
    Ok(ExitCode::SUCCESS)
}

/// What cargo takes for a package.
fn check_name(name: &str) -> Result<()> {
    let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if name.starts_with(|first: char| first.is_ascii_lowercase()) && name.bytes().all(known) {
        return Ok(());
    }
    bail!("`{name}` is no name for a policy: use lower case letters, digits and hyphens");
}

fn absolute(path: &Path) -> Result<String> {
    let path = path.canonicalize().with_context(|| format!("there is no folder `{}`", path.display()))?;
    if !path.join("Cargo.toml").is_file() {
        bail!("`{}` is not the folder of the SDK: it has no Cargo.toml", path.display());
    }
    path.into_os_string().into_string().ok().context("the path of the SDK is not UTF-8")
}
