//! Real Redis servers.

mod cluster;
mod command;
mod sentinel;

use super::net::{free_address, wait_for, wait_until};
use super::process::Process;
pub use cluster::RedisCluster;
pub use command::Reply;
pub use sentinel::{MASTER, Sentinel};
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

    /// Starts one that has what `master` has, when it is there.
    pub fn start_replica(program: &Path, master: &Self) -> Self {
        let (host, port) = (master.address.ip().to_string(), master.address.port().to_string());
        let replica = Self::start(program, &["--replicaof", &host, &port]);
        replica.wait_for_master();
        replica
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

    /// Its answer to a command.
    pub fn ask(&self, command: &[&str]) -> Reply {
        command::ask(self.address, &[command]).pop().expect("an answer")
    }

    /// Its answers to commands on one connection.
    pub fn ask_all(&self, commands: &[&[&str]]) -> Vec<Reply> {
        command::ask(self.address, commands)
    }

    /// Connections of this user, who is nobody else.
    pub fn connections(&self, user: &str) -> usize {
        connections(&self.ask(&["CLIENT", "LIST"]), user)
    }

    /// Waits until `section` of its `INFO` has this line.
    pub fn wait_for_info(&self, section: &str, line: &str) {
        let has = || self.ask(&["INFO", section]).text().lines().any(|have| have == line);
        assert!(wait_until(has, || true), "`INFO {section}` does not say `{line}`: {:?}", self.ask(&["INFO", section]));
    }

    fn wait_for_master(&self) {
        self.wait_for_info("replication", "master_link_status:up");
    }
}

fn connections(list: &Reply, user: &str) -> usize {
    list.text().lines().filter(|line| line.contains(&format!(" user={user} "))).count()
}

fn run(program: &Path, address: SocketAddr, settings: &[String], folder: &Path) -> Process {
    let mut process = Process::start(|_| {
        let mut command = Command::new(program);
        command.args(["--bind", "127.0.0.1", "--port", &address.port().to_string(), "--save", ""]);
        command.args(["--repl-diskless-sync-delay", "0"]);
        command.arg("--dir").arg(folder).args(settings);
        command
    });
    let ready = wait_for(address, || process.is_alive());
    process.expect("redis", ready);
    process
}
