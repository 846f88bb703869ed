//! A real Redis server.

use super::net::{free_address, wait_for};
use super::process::Process;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// A running Redis server, which keeps what it has in a file of its folder.
pub struct Redis {
    process: Process,
    address: SocketAddr,
    program: PathBuf,
    settings: Vec<String>,
    /// The folder of its files: a restart finds them.
    folder: TempDir,
}

impl Redis {
    /// Starts `program` with further `settings`.
    pub fn start(program: &Path, settings: &[&str]) -> Self {
        let (address, settings) = (free_address(), settings.iter().map(|&text| text.to_owned()).collect::<Vec<_>>());
        let folder = tempfile::Builder::new().prefix("barmkin-redis-").tempdir().expect("a temporary folder");
        let process = run(program, address, &settings, folder.path());
        Self { process, address, program: program.to_owned(), settings, folder }
    }

    /// Starts it again, where it was.
    pub fn restart(&mut self) {
        self.process.kill();
        self.process = run(&self.program, self.address, &self.settings, self.folder.path());
    }

    /// Its address for a client.
    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sends it a signal, as `kill -NAME` does.
    pub fn signal(&self, name: &str) {
        self.process.signal(name);
    }

    /// Ends it as a crash would.
    pub fn kill(&mut self) {
        self.process.kill();
    }
}

fn run(program: &Path, address: SocketAddr, settings: &[String], folder: &Path) -> Process {
    let mut process = Process::start(|_| {
        let mut command = Command::new(program);
        command.args(["--bind", "127.0.0.1", "--port", &address.port().to_string(), "--save", ""]);
        command.arg("--dir").arg(folder).args(settings);
        command
    });
    let ready = wait_for(address, || process.is_alive());
    process.expect("redis", ready);
    process
}
