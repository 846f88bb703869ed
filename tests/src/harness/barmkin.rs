//! The gate as its users run it: `barmkin serve`.

use super::envoy::Envoy;
use super::net::{free_address, wait_for, wait_until};
use super::process::Process;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A way in.
#[derive(Clone, Copy, Debug)]
pub enum ListenerKind {
    /// Envoy's ext_authz over gRPC, on a port.
    ExtAuthz,
    /// The same, on a Unix socket.
    ExtAuthzUnix,
    /// Forward-auth in a dialect.
    ForwardAuth(&'static str),
    /// The same, on a Unix socket.
    ForwardAuthUnix(&'static str),
    /// The reverse proxy on a Unix socket, in front of an upstream, with further lines
    /// of configuration.
    ReverseProxyUnix(SocketAddr, &'static str),
    /// The reverse proxy, in front of an upstream.
    ReverseProxy(SocketAddr),
    /// The same, with further lines of configuration.
    ReverseProxyWith(SocketAddr, &'static str),
}

/// A running `barmkin serve`.
pub struct Barmkin {
    process: Process,
    addresses: BTreeMap<&'static str, SocketAddr>,
}

impl Barmkin {
    /// Serves `rules`, a configuration without listeners, with `listeners` and
    /// with `secrets`: names of files below `secrets/`, and what is in them.
    pub fn serve(rules: &str, secrets: &[(&str, &str)], listeners: &[(&'static str, ListenerKind)]) -> Self {
        Self::serve_with(rules, secrets, listeners, &[])
    }

    /// The same, with further arguments.
    pub fn serve_with(
        rules: &str,
        secrets: &[(&str, &str)],
        listeners: &[(&'static str, ListenerKind)],
        arguments: &[&str],
    ) -> Self {
        let mut addresses = BTreeMap::new();
        let mut process = Process::start(|folder| {
            let mut configuration = rules.to_owned();
            for (name, kind) in listeners {
                let address = free_address();
                addresses.insert(*name, address);
                configuration.push_str(&section(name, *kind, address));
            }
            let file = write(folder, &configuration, secrets);
            let mut command = Command::new(Self::program());
            command.arg("serve").arg(file).args(arguments);
            command
        });
        for (name, kind) in listeners {
            let ready = match kind {
                ListenerKind::ExtAuthzUnix | ListenerKind::ForwardAuthUnix(_) | ListenerKind::ReverseProxyUnix(..) => {
                    let socket = process.folder().join(format!("{name}.sock"));
                    wait_until(|| std::os::unix::net::UnixStream::connect(&socket).is_ok(), || process.is_alive())
                }
                _ => addresses.get(name).is_some_and(|address| wait_for(*address, || process.is_alive())),
            };
            process.expect(&format!("listener `{name}`"), ready);
        }
        Self { process, addresses }
    }

    /// Where listener `name` is.
    pub fn address(&self, name: &str) -> SocketAddr {
        self.addresses[name]
    }

    /// The Unix socket of listener `name`.
    pub fn socket(&self, name: &str) -> PathBuf {
        self.process.folder().join(format!("{name}.sock"))
    }

    /// Where its configuration (`barmkin.toml`) and `secrets/` are.
    pub fn folder(&self) -> &Path {
        self.process.folder()
    }

    /// Its configuration.
    pub fn configuration(&self) -> PathBuf {
        self.folder().join("barmkin.toml")
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Ends it as a crash would.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// The log so far.
    pub fn output(&self) -> String {
        self.process.output()
    }

    /// Waits until it has logged `text`.
    ///
    /// # Panics
    /// When it does not.
    pub fn wait_for_output(&mut self, text: &str) {
        let process = &self.process;
        let logged = wait_until(|| process.output().contains(text), || true);
        self.process.expect(&format!("`{text}` in the log"), logged);
    }

    /// Where the program is: beside the tests, where cargo has built it with
    /// them.
    ///
    /// # Panics
    /// When it was not built.
    pub fn program() -> PathBuf {
        let this = std::env::current_exe().expect("where this program is");
        // Tests are in `deps`, below what they test.
        let mut programs = this.ancestors().skip(1).take(2).map(|folder| folder.join("barmkin"));
        programs.find(|program| program.is_file()).unwrap_or_else(|| {
            panic!("there is no `barmkin` beside `{}`: run `cargo build -p barmkin`", this.display())
        })
    }

    /// Writes a configuration with its secrets into `folder`.
    pub fn write_configuration(folder: &Path, rules: &str, secrets: &[(&str, &str)]) -> PathBuf {
        write(folder, rules, secrets)
    }
}

fn section(name: &str, kind: ListenerKind, address: SocketAddr) -> String {
    let ext_authz = |address: &str| {
        format!("kind = \"ext-authz\"\naddress = \"{address}\"\nbody-limit = \"{}KiB\"", Envoy::BODY_BYTES_MAX / 1024)
    };
    let lines = match kind {
        ListenerKind::ExtAuthz => ext_authz(&address.to_string()),
        ListenerKind::ExtAuthzUnix => ext_authz(&format!("unix:{name}.sock")),
        ListenerKind::ForwardAuth(dialect) => {
            format!("kind = \"forward-auth\"\naddress = \"{address}\"\ndialect = \"{dialect}\"")
        }
        ListenerKind::ForwardAuthUnix(dialect) => {
            format!("kind = \"forward-auth\"\naddress = \"unix:{name}.sock\"\ndialect = \"{dialect}\"")
        }
        ListenerKind::ReverseProxyUnix(upstream, lines) => {
            let kind = "kind = \"reverse-proxy\"";
            format!("{kind}\naddress = \"unix:{name}.sock\"\nupstream = \"http://{upstream}\"\n{lines}")
        }
        ListenerKind::ReverseProxy(upstream) => {
            format!("kind = \"reverse-proxy\"\naddress = \"{address}\"\nupstream = \"http://{upstream}\"")
        }
        ListenerKind::ReverseProxyWith(upstream, lines) => {
            let kind = "kind = \"reverse-proxy\"";
            format!("{kind}\naddress = \"{address}\"\nupstream = \"http://{upstream}\"\n{lines}")
        }
    };
    format!("\n[listen.{name}]\n{lines}\n")
}

fn write(folder: &Path, configuration: &str, secrets: &[(&str, &str)]) -> PathBuf {
    let secrets_folder = folder.join("secrets");
    std::fs::create_dir_all(&secrets_folder).expect("a folder for secrets");
    for (name, secret) in secrets {
        let file = secrets_folder.join(name);
        std::fs::write(&file, secret).expect("a file for a secret");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).expect("it is ours");
    }
    let file = folder.join("barmkin.toml");
    std::fs::write(&file, configuration).expect("a file for the configuration");
    file
}
