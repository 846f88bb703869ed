//! A real Redis server.

use super::net::{free_address, wait_for};
use super::process::Process;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

/// A running Redis server, which keeps what it has in a file of its folder.
pub struct Redis {
    process: Process,
    address: SocketAddr,
}

impl Redis {
    /// Starts `program` with further `settings`.
    pub fn start(program: &Path, settings: &[&str]) -> Self {
        Self::start_at(program, free_address(), settings)
    }

    /// The same, at `address`: to come back after it was stopped.
    pub fn start_at(program: &Path, address: SocketAddr, settings: &[&str]) -> Self {
        let mut process = Process::start(|folder| {
            let mut command = Command::new(program);
            command.args(["--bind", "127.0.0.1", "--port", &address.port().to_string(), "--save", ""]);
            command.arg("--dir").arg(folder).args(settings);
            command
        });
        let ready = wait_for(address, || process.is_alive());
        process.expect("redis", ready);
        Self { process, address }
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
