//! A real application behind a real server, from the Python package index.

use super::net::{free_address, wait_for};
use super::process::Process;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

/// A framework, and the server that it runs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stack {
    /// `flask` or `django`.
    pub framework: &'static str,
    /// `werkzeug`, `gunicorn`, `wsgiref`, `waitress`, `uvicorn` or `hypercorn`.
    pub server: &'static str,
}

/// A running application.
pub struct Backend {
    _process: Process,
    address: SocketAddr,
}

impl Backend {
    /// Has `python` run the program `app` in `stack`.
    pub fn start(python: &Path, app: &str, stack: Stack) -> Self {
        let address = free_address();
        let mut process = Process::start(|folder| {
            let file = folder.join("app.py");
            std::fs::write(&file, app).expect("a file for the application");
            let mut command = Command::new(python);
            command.arg(file).args([stack.framework, stack.server, &address.port().to_string()]);
            command
        });
        let ready = wait_for(address, || process.is_alive());
        process.expect(&format!("{stack:?}"), ready);
        Self { _process: process, address }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}
