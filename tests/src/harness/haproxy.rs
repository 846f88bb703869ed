//! A real HAProxy that asks the gate by Barmkin's script.

use super::net::{free_address, wait_for};
use super::printed::{forward_auth, printed, printed_by};
use super::process::Process;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

/// A running HAProxy.
pub struct Haproxy {
    _process: Process,
    address: SocketAddr,
}

impl Haproxy {
    /// Starts `program` in front of `upstream`, with `gate` deciding.
    pub fn start(program: &Path, gate: SocketAddr, upstream: SocketAddr) -> Self {
        let address = free_address();
        let listener = forward_auth("haproxy", gate);
        let lines = printed("haproxy", &listener, address, upstream);
        let script = printed("haproxy-lua", &listener, address, upstream);
        Self::run(program, address, &lines, &script)
    }

    /// The same, as listener `listener` of a configuration wants it.
    pub fn start_for(program: &Path, configuration: &Path, listener: &str, upstream: SocketAddr) -> Self {
        let address = free_address();
        let [lines, script] =
            ["haproxy", "haproxy-lua"].map(|proxy| printed_by(configuration, proxy, listener, address, upstream));
        Self::run(program, address, &lines, &script)
    }

    /// Starts `program` in front of a gate that is a reverse proxy: it is told
    /// the client's address, and has nothing to ask.
    pub fn in_front_of(program: &Path, gate: SocketAddr) -> Self {
        Self::in_front_of_server(program, &format!("{gate}"))
    }

    /// The same, in front of whatever `server` says, as HAProxy writes that.
    pub fn in_front_of_server(program: &Path, gate: &str) -> Self {
        let address = free_address();
        let lines = format!(
            "frontend in\n    mode http\n    bind {address}\n    timeout client 30s\n    option forwardfor\n    \
             default_backend gate\nbackend gate\n    mode http\n    timeout connect 5s\n    timeout server 30s\n    \
             server gate {gate}\n"
        );
        Self::run(program, address, &lines, "")
    }

    fn run(program: &Path, address: SocketAddr, lines: &str, script: &str) -> Self {
        let mut process = Process::start(|folder| {
            let [global, file, lua] = ["global.cfg", "haproxy.cfg", "barmkin.lua"].map(|name| folder.join(name));
            let main = format!("global\n    lua-load {}\n", lua.display());
            for (file, text) in [(&global, main.as_str()), (&file, lines), (&lua, script)] {
                std::fs::write(file, text).expect("a file for its configuration");
            }
            let mut command = Command::new(program);
            command.args(["-db", "-f"]).arg(global).arg("-f").arg(file);
            command
        });
        let ready = wait_for(address, || process.is_alive());
        process.expect("HAProxy", ready);
        Self { _process: process, address }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}
