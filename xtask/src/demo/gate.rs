//! The gate itself: `barmkin serve`, with the demo's rules.

use crate::shell;
use anyhow::{Context, Result, ensure};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// The rules; the addresses in them are replaced for this run.
const RULES: &str = include_str!("../../demo/barmkin.toml");
const LISTENER: &str = "127.0.0.1:8080";
const UPSTREAM: &str = "127.0.0.1:8081";

/// The secrets that the rules name. They are for nothing but this demo.
pub(super) const STRIPE_SECRET: &str = "whsec_of_the_demo";
const PEPPER: &str = "pepper of the demo";

/// Looks for the gate this often, and this many times.
const PAUSE: Duration = Duration::from_millis(20);
const LOOKS: u32 = 1_500;

/// A running gate. Its folder stays when it ends, to be looked at.
pub(super) struct Gate {
    process: Child,
    address: SocketAddr,
    folder: PathBuf,
}

impl Gate {
    /// Starts it in front of `upstream`, and waits until it accepts.
    pub(super) fn start(upstream: SocketAddr) -> Result<Self> {
        let folder = shell::target()?.join("demo");
        fs::create_dir_all(folder.join("secrets")).with_context(|| format!("`{}` cannot be made", folder.display()))?;
        write_secret(&folder.join("secrets/stripe"), STRIPE_SECRET)?;
        write_secret(&folder.join("secrets/pepper"), PEPPER)?;
        let address = address()?;
        let rules = RULES.replace(LISTENER, &address.to_string()).replace(UPSTREAM, &upstream.to_string());
        fs::write(folder.join("barmkin.toml"), rules)?;

        let log = File::create(folder.join("log"))?;
        let mut command = Command::new(shell::built("barmkin")?);
        command.arg("serve").arg(folder.join("barmkin.toml")).stdin(Stdio::null()).stderr(log);
        let process = command.spawn().context("the gate did not start")?;
        let mut gate = Self { process, address, folder };
        gate.wait_until_it_accepts()?;
        Ok(gate)
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    pub(super) fn configuration(&self) -> PathBuf {
        self.folder.join("barmkin.toml")
    }

    /// Fails if it has ended.
    pub(super) fn check(&mut self) -> Result<()> {
        if let Some(status) = self.process.try_wait()? {
            let log = fs::read_to_string(self.log()).unwrap_or_default();
            anyhow::bail!("{status}; its log:\n{log}");
        }
        Ok(())
    }

    fn wait_until_it_accepts(&mut self) -> Result<()> {
        for _ in 0..LOOKS {
            self.check().context("the gate did not start")?;
            if TcpStream::connect_timeout(&self.address, PAUSE).is_ok() {
                return Ok(());
            }
            std::thread::sleep(PAUSE);
        }
        ensure!(false, "the gate does not accept connections at {}", self.address);
        Ok(())
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        // It may have ended already, with the same Ctrl-C.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The address of the rules, or another one if somebody has it.
fn address() -> Result<SocketAddr> {
    let listener = TcpListener::bind(LISTENER).or_else(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
    Ok(listener.local_addr()?)
}

/// A secret that others can read would be refused.
fn write_secret(path: &Path, secret: &str) -> Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(secret.as_bytes())?;
    Ok(())
}
