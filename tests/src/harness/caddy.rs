//! A real Caddy that asks the gate by forward_auth.

use super::net::{free_address, wait_for};
use super::printed::{forward_auth, printed, printed_by};
use super::process::Process;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

/// A running Caddy.
pub struct Caddy {
    _process: Process,
    address: SocketAddr,
}

/// The file that imports the printed lines: it enables HTTP/2 without TLS, too.
const MAIN: &str = "{
    admin off
    auto_https off
    servers {
        protocols h1 h2 h2c
    }
}
import barmkin.caddy
";

impl Caddy {
    /// Starts `program` in front of `upstream`, with `gate` deciding.
    pub fn start(program: &Path, gate: SocketAddr, upstream: SocketAddr) -> Self {
        let address = free_address();
        Self::run(program, address, printed("caddy", &forward_auth("caddy", gate), address, upstream))
    }

    /// The same, as listener `listener` of a configuration wants it.
    pub fn start_for(program: &Path, configuration: &Path, listener: &str, upstream: SocketAddr) -> Self {
        let address = free_address();
        Self::run(program, address, printed_by(configuration, "caddy", listener, address, upstream))
    }

    fn run(program: &Path, address: SocketAddr, lines: String) -> Self {
        let mut process = Process::start(|folder| {
            let file = folder.join("Caddyfile");
            std::fs::write(&file, MAIN).expect("a file for its configuration");
            std::fs::write(folder.join("barmkin.caddy"), lines).expect("a file for its configuration");
            let mut command = Command::new(program);
            command.args(["run", "--adapter", "caddyfile", "--config"]).arg(file);
            // It would otherwise keep its files in the user's home.
            command.env("HOME", folder).env("XDG_CONFIG_HOME", folder).env("XDG_DATA_HOME", folder);
            command
        });
        let ready = wait_for(address, || process.is_alive());
        process.expect("Caddy", ready);
        Self { _process: process, address }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}
