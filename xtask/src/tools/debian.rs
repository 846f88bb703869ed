//! nginx, Caddy, HAProxy and Redis: the machine's own, or unpacked from Debian's packages.
//!
//! A package that is unpacked rather than installed needs no root, and starts
//! no service.

use crate::shell;
use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A server that comes as one program.
pub(crate) struct Package {
    name: &'static str,
    /// Packages that its program is in, besides its own.
    others: &'static [&'static str],
    program: &'static str,
    version: &'static str,
    /// Packages of libraries that it links to, for machines that have nothing.
    libraries: &'static [&'static str],
}

pub(crate) const NGINX: Package = Package {
    name: "nginx",
    others: &[],
    program: "usr/sbin/nginx",
    version: "-v",
    libraries: &["libcrypt1", "libpcre2-8-0", "libssl3", "zlib1g"],
};

pub(crate) const CADDY: Package =
    Package { name: "caddy", others: &[], program: "usr/bin/caddy", version: "version", libraries: &[] };

pub(crate) const HAPROXY: Package = Package {
    name: "haproxy",
    others: &[],
    program: "usr/sbin/haproxy",
    version: "-v",
    libraries: &["libcrypt1", "liblua5.3-0", "libopentracing-c-wrapper0", "libpcre2-8-0", "libssl3", "libsystemd0"],
};

/// In Debian the server is another name for a program of the tools.
pub(crate) const REDIS: Package = Package {
    name: "redis-server",
    others: &["redis-tools"],
    program: "usr/bin/redis-server",
    version: "--version",
    libraries: &["libjemalloc2", "liblua5.1-0", "liblzf1", "libssl3", "libsystemd0", "lua-bitop", "lua-cjson"],
};

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
        let packages = || std::iter::once(self.name).chain(self.others.iter().copied());
        let download = || shell::output(apt().arg("download").args(packages()).current_dir(folder));
        if download().is_err() && is_root() {
            shell::output(apt().arg("update"))?;
        }
        download()?;
        for package in packages() {
            let archives = folder.read_dir()?.flatten().map(|entry| entry.path());
            let archive = archives
                .filter(|path| path.extension().is_some_and(|extension| extension == "deb"))
                .find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(package)))
                .with_context(|| format!("no archive of `{package}` was downloaded"))?;
            shell::output(Command::new("dpkg").arg("--extract").arg(archive).arg(folder))?;
        }
        Ok(())
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
