//! A real Envoy that asks the gate by ext_authz.

use super::net::{free_address, wait_until};
use super::printed::{forward_auth, printed};
use super::process::Process;
use super::raw::Request;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

/// A running Envoy.
pub struct Envoy {
    process: Process,
    address: SocketAddr,
}

impl Envoy {
    /// Bytes of body that it hands to the gate; past them it answers 413.
    pub const BODY_BYTES_MAX: u32 = 64 * 1024;

    /// Starts `program` in front of `upstream`, with `gate` deciding: an
    /// address, or the path of a Unix socket.
    pub fn start(program: &Path, gate: &Gate<'_>, upstream: SocketAddr) -> Self {
        let (address, admin) = (free_address(), free_address());
        let lines = printed("envoy", &gate.listener(), address, upstream);
        let mut process = Process::start(|folder| {
            let file = folder.join("envoy.yaml");
            std::fs::write(&file, lines).expect("a file for its configuration");
            let mut command = Command::new(program);
            command.args(["--concurrency", "1", "--disable-hot-restart", "--log-level", "warning"]);
            command.args(["--config-yaml", &admin_at(admin), "-c"]).arg(file);
            command
        });
        let is_live = || Request::new("GET", "/ready", "admin").send(admin).is_ok_and(|answer| answer.status == 200);
        let ready = wait_until(is_live, || process.is_alive());
        process.expect("Envoy", ready);
        Self { process, address }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process.
    pub fn process_id(&self) -> u32 {
        self.process.id()
    }
}

/// Where the gate is.
pub enum Gate<'a> {
    /// On a port.
    Tcp(SocketAddr),
    /// On a Unix socket.
    Unix(&'a Path),
    /// On a port, asked over HTTP and not gRPC: without bodies.
    Http(SocketAddr),
}

impl Gate<'_> {
    /// The listener that is there.
    fn listener(&self) -> String {
        match self {
            Self::Tcp(address) => ext_authz(&address.to_string()),
            Self::Unix(path) => ext_authz(&format!("unix:{}", path.display())),
            Self::Http(address) => forward_auth("envoy-http", *address),
        }
    }
}

fn ext_authz(address: &str) -> String {
    let kilobytes = Envoy::BODY_BYTES_MAX / 1024;
    format!("kind = \"ext-authz\"\naddress = \"{address}\"\nbody-limit = \"{kilobytes}KiB\"")
}

/// The harness's addition to the printed configuration: how it learns that
/// Envoy is ready.
fn admin_at(address: SocketAddr) -> String {
    format!(
        "admin: {{ address: {{ socket_address: {{ address: {}, port_value: {} }} }} }}",
        address.ip(),
        address.port()
    )
}
