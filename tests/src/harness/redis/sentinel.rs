//! A sentinel of Redis.

use super::{Redis, Reply, command, connections, free_address, wait_for, wait_until};
use crate::harness::process::Process;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

/// Its name for the master.
pub const MASTER: &str = "gates";

/// A running sentinel, which decides by itself. It takes a master for down that
/// does not answer for two seconds.
pub struct Sentinel {
    _process: Process,
    address: SocketAddr,
}

impl Sentinel {
    /// Starts `program` to watch `master`.
    pub fn start(program: &Path, master: &Redis) -> Self {
        let address = free_address();
        let mut process = Process::start(|folder| {
            let file = folder.join("sentinel.conf");
            let lines = format!("bind 127.0.0.1\nport {}\ndir {}\n", address.port(), folder.display());
            std::fs::write(&file, lines).expect("a file for its settings");
            let mut command = Command::new(program);
            command.arg(file).arg("--sentinel");
            command
        });
        let ready = wait_for(address, || process.is_alive());
        process.expect("the sentinel", ready);
        let sentinel = Self { _process: process, address };
        sentinel.watch(master);
        sentinel
    }

    /// Watches `master` from now on, and no other.
    pub fn watch(&self, master: &Redis) {
        let (ip, port) = (master.address().ip().to_string(), master.address().port().to_string());
        // There may be none so far.
        self.ask(&["SENTINEL", "REMOVE", MASTER]);
        for command in [
            &["SENTINEL", "MONITOR", MASTER, &ip, &port, "1"][..],
            &["SENTINEL", "SET", MASTER, "down-after-milliseconds", "2000", "failover-timeout", "10000"],
        ] {
            assert_eq!(self.ask(command), Reply::Text("OK".to_owned()), "{command:?}");
        }
    }

    /// Waits until it knows a replica that could follow the master.
    pub fn wait_for_replica(&self) {
        let is_good = |replica: &Reply| {
            let fields: Vec<_> = replica.list().iter().map(Reply::text).collect();
            let has = |pair: [&str; 2]| fields.chunks(2).any(|have| have == pair);
            has(["flags", "slave"]) && has(["master-link-status", "ok"])
        };
        let has = || self.ask(&["SENTINEL", "REPLICAS", MASTER]).list().iter().any(is_good);
        assert!(wait_until(has, || true), "the sentinel sees no replica");
    }

    /// Its answer to a command.
    pub fn ask(&self, command: &[&str]) -> Reply {
        command::ask(self.address, &[command]).pop().expect("an answer")
    }

    /// Its address for a client.
    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// Connections of this user, who is nobody else.
    pub fn connections(&self, user: &str) -> usize {
        connections(&self.ask(&["CLIENT", "LIST"]), user)
    }
}
