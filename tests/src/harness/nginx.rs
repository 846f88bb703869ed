//! A real nginx that asks the gate by auth_request.

use super::net::{free_address, wait_for};
use super::printed::{forward_auth, printed, printed_by};
use super::process::Process;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

/// A running nginx.
pub struct Nginx {
    _process: Process,
    address: SocketAddr,
}

impl Nginx {
    /// Starts `program` in front of `upstream`, with `gate` deciding.
    pub fn start(program: &Path, gate: SocketAddr, upstream: SocketAddr) -> Self {
        Self::start_with(program, gate, upstream, |lines| lines)
    }

    /// The same, as listener `listener` of a configuration wants it.
    pub fn start_for(program: &Path, configuration: &Path, listener: &str, upstream: SocketAddr) -> Self {
        let address = free_address();
        Self::run(program, address, printed_by(configuration, "nginx", listener, address, upstream))
    }

    /// Starts `program` in front of a gate that is a reverse proxy at `socket`: it is
    /// told the client's address, and has nothing to ask.
    pub fn in_front_of(program: &Path, socket: &Path) -> Self {
        let address = free_address();
        let lines = format!(
            "server {{\n    listen {address};\n    location / {{\n        proxy_pass http://unix:{};\n        \
             proxy_set_header host $host;\n        proxy_set_header x-forwarded-for $remote_addr;\n    }}\n}}\n",
            socket.display()
        );
        Self::run(program, address, lines)
    }

    /// The same, for clients that speak HTTP/2 only: this version of nginx
    /// takes one or the other in clear text.
    pub fn start_http2(program: &Path, gate: SocketAddr, upstream: SocketAddr) -> Self {
        Self::start_with(program, gate, upstream, |lines| {
            lines.replacen(";\n\n    # `x_y`", " http2;\n\n    # `x_y`", 1)
        })
    }

    fn start_with(
        program: &Path,
        gate: SocketAddr,
        upstream: SocketAddr,
        adjust: impl FnOnce(String) -> String,
    ) -> Self {
        let address = free_address();
        Self::run(program, address, adjust(printed("nginx", &forward_auth("nginx", gate), address, upstream)))
    }

    fn run(program: &Path, address: SocketAddr, lines: String) -> Self {
        let mut process = Process::start(|folder| {
            let file = folder.join("nginx.conf");
            std::fs::write(&file, main(folder)).expect("a file for its configuration");
            std::fs::write(folder.join("barmkin.conf"), lines).expect("a file for its configuration");
            let mut command = Command::new(program);
            command.arg("-p").arg(folder).arg("-e").arg(folder.join("errors")).arg("-c").arg(file);
            command
        });
        let ready = wait_for(address, || process.is_alive());
        process.expect("nginx", ready);
        Self { _process: process, address }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// The file that includes the printed lines.
fn main(folder: &Path) -> String {
    let folder = folder.display();
    // One process, which ends when it is killed. Temporary files stay in its
    // own folder.
    format!(
        "daemon off;
master_process off;
pid {folder}/pid;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/barmkin.conf;
}}
"
    )
}
