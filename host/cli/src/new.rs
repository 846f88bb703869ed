//! `barmkin new`: a policy crate to begin with.

use crate::help::Help;
use crate::sdk;
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The files of a new crate. `NAME` and `SDK` in them are replaced.
const FILES: [(&str, &str); 5] = [
    ("Cargo.toml", include_str!("../templates/Cargo.toml.in")),
    ("src/lib.rs", include_str!("../templates/lib.rs.in")),
    ("cases.toml", include_str!("../templates/cases.toml.in")),
    ("README.md", include_str!("../templates/README.md.in")),
    (".gitignore", "/target\n"),
];

/// Where a new crate has its SDK.
const OWN_SDK: &str = "sdk";

/// Makes a policy crate: a small rule, with its tests.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The name of the crate, and of its folder.
    name: String,
    /// In which folder the crate's folder is made.
    #[arg(long, default_value = ".")]
    dir: PathBuf,
    /// Where the SDK is: Barmkin's repository, or what `barmkin sdk` wrote.
    /// Without it the crate gets one of its own, in `sdk`.
    #[arg(long)]
    sdk: Option<PathBuf>,
}

pub(crate) fn run(args: Args) -> Result<ExitCode> {
    check_name(&args.name)?;
    let folder = args.dir.join(&args.name);
    if folder.exists() {
        bail!("`{}` exists already\n  help: choose another name, or remove it", folder.display());
    }
    let guest = match &args.sdk {
        Some(path) => guest_in(path)?,
        None => {
            sdk::write(&folder.join(OWN_SDK))?;
            format!("{OWN_SDK}/{}", sdk::GUEST)
        }
    };
    let dependency = format!("{{ path = {} }}", toml::Value::from(guest));
    for (file, template) in FILES {
        let text = template.replace("NAME", &args.name).replace("SDK", &dependency);
        sdk::write_file(&folder.join(file), &text)?;
    }
    sdk::write_file(&folder.join("Cargo.lock"), sdk::LOCK)?;
    println!("made {}", folder.display());
    println!("next: cd {} && cargo test && barmkin build && barmkin test", folder.display());
    Ok(ExitCode::SUCCESS)
}

/// The characters that cargo takes in a package's name.
fn check_name(name: &str) -> Result<()> {
    let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if name.starts_with(|first: char| first.is_ascii_lowercase()) && name.bytes().all(known) {
        return Ok(());
    }
    bail!("`{name}` cannot name a policy\n  help: use lower case letters, digits and hyphens");
}

/// The absolute path of the guest's crate in the SDK at `path`.
fn guest_in(path: &Path) -> Result<String> {
    let path = path
        .canonicalize()
        .with_context(|| format!("there is no folder `{}`", path.display()))
        .help("name the folder of the sources, or leave `--sdk` out")?;
    let guest = path.join(sdk::GUEST);
    if !guest.join("Cargo.toml").is_file() {
        bail!(
            "`{}` does not hold the SDK: it has no `{}/Cargo.toml`\n  help: name the folder of the sources, or leave \
             `--sdk` out",
            path.display(),
            sdk::GUEST
        );
    }
    guest.into_os_string().into_string().ok().context("the path of the SDK is not UTF-8")
}
