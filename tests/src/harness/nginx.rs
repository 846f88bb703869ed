//! A real nginx that asks the gate by auth_request.

use super::net::{free_address, wait_for};
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
        let address = free_address();
        let mut process = Process::start(|folder| {
            let file = folder.join("nginx.conf");
            std::fs::write(&file, configuration(folder, address, gate, upstream))
                .expect("a file for its configuration");
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

fn configuration(folder: &Path, address: SocketAddr, gate: SocketAddr, upstream: SocketAddr) -> String {
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
    server {{
        listen {address};
        location / {{
            auth_request /_gate;
            auth_request_set $gate_principal $upstream_http_barmkin_principal;
            auth_request_set $gate_reason $upstream_http_barmkin_reason;
            add_header barmkin-reason $gate_reason always;
            proxy_set_header barmkin-principal $gate_principal;
            proxy_set_header host $http_host;
            proxy_pass http://{upstream};
        }}
        location = /_gate {{
            internal;
            proxy_pass_request_body off;
            proxy_set_header content-length \"\";
            proxy_set_header x-forwarded-host $http_host;
            proxy_set_header x-original-method $request_method;
            proxy_set_header x-original-uri $request_uri;
            proxy_set_header x-forwarded-proto $scheme;
            proxy_set_header x-forwarded-for $remote_addr;
            proxy_pass http://{gate}/;
        }}
    }}
}}
"
    )
}
