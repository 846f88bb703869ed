//! nginx and Caddy: the machine's own, or unpacked from Debian's packages.
//!
//! A package that is unpacked rather than installed needs no root, and starts
//! no service.

use crate::shell;
use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A server that comes as one program in one package.
pub(crate) struct Package {
    name: &'static str,
    program: &'static str,
    version: &'static str,
    /// What else it links to, for machines that have nothing.
    libraries: &'static [&'static str],
}

pub(crate) const NGINX: Package = Package {
    name: "nginx",
    program: "usr/sbin/nginx",
    version: "-v",
    libraries: &["libcrypt1", "libpcre2-8-0", "libssl3", "zlib1g"],
};

pub(crate) const CADDY: Package =
    Package { name: "caddy", program: "usr/bin/caddy", version: "version", libraries: &[] };

/// The program of `package`, fetched if the machine has none.
pub(crate) fn get(package: &Package) -> Result<PathBuf> {
    if let Some(program) = shell::find(package.name).filter(|program| package.runs(program).is_ok()) {
        return Ok(program);
    }
    let folder = shell::target()?.join("debian");
    let program = folder.join(package.program);
    if package.runs(&program).is_ok() {
        return Ok(program);
    }
    ensure!(Path::new("/etc/debian_version").is_file(), "it is not installed, and this is no Debian to get it from");
    println!("unpacking {} into {}", package.name, folder.display());
    package.unpack(&folder)?;
    if package.runs(&program).is_err() && is_root() && !package.libraries.is_empty() {
        let mut install = apt();
        install.args(["install", "--yes", "--no-install-recommends"]).args(package.libraries);
        shell::output(&mut install)?;
    }
    package.runs(&program)?;
    Ok(program)
}

impl Package {
    fn runs(&self, program: &Path) -> Result<()> {
        shell::output(Command::new(program).arg(self.version)).map(drop)
    }

    fn unpack(&self, folder: &Path) -> Result<()> {
        std::fs::create_dir_all(folder).with_context(|| format!("`{}` cannot be made", folder.display()))?;
        let download = || shell::output(apt().args(["download", self.name]).current_dir(folder));
        if download().is_err() && is_root() {
            shell::output(apt().arg("update"))?;
        }
        download()?;
        let archives = folder.read_dir()?.flatten().map(|entry| entry.path());
        let archive = archives
            .filter(|path| path.extension().is_some_and(|extension| extension == "deb"))
            .find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(self.name)))
            .with_context(|| format!("no archive of `{}` was downloaded", self.name))?;
        shell::output(Command::new("dpkg").arg("--extract").arg(archive).arg(folder)).map(drop)
    }
}

fn apt() -> Command {
    let mut apt = Command::new("apt-get");
    apt.env("DEBIAN_FRONTEND", "noninteractive");
    apt
}

fn is_root() -> bool {
    shell::output(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0")
}
