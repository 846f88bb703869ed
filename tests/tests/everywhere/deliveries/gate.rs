//! A gate with all of its ways in, which can be killed and come back.

use super::{DUPLICATES, KEEPS};
use barmkin_tests::harness::{Barmkin, free_address};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

pub(crate) struct Gate {
    folder: TempDir,
    configuration: PathBuf,
    addresses: BTreeMap<&'static str, SocketAddr>,
    process: Child,
}

impl Gate {
    pub(crate) fn start(upstream: SocketAddr, closed: SocketAddr) -> Self {
        let folder = tempfile::Builder::new().prefix("barmkin-test-").tempdir().unwrap();
        let addresses: BTreeMap<_, _> =
            ["edge", "closed", "check", "auth"].map(|name| (name, free_address())).into_iter().collect();
        let mut text = rules();
        for (name, upstream) in [("edge", upstream), ("closed", closed)] {
            let address = addresses[name];
            writeln!(
                text,
                "[listen.{name}]\nkind = \"reverse-proxy\"\naddress = \"{address}\"\nupstream = \"http://{upstream}\"\n\
                 timeouts = {{ response = \"6s\" }}"
            )
            .unwrap();
        }
        writeln!(text, "[listen.check]\nkind = \"ext-authz\"\naddress = \"{}\"", addresses["check"]).unwrap();
        writeln!(
            text,
            "[listen.auth]\nkind = \"forward-auth\"\ndialect = \"nginx\"\naddress = \"{}\"",
            addresses["auth"]
        )
        .unwrap();
        let configuration =
            Barmkin::write_configuration(folder.path(), &text, &[("unused", "a secret that nobody uses")]);
        std::fs::write(folder.path().join("scripted.wasm"), scripted()).unwrap();
        let process = serve(&configuration, &addresses);
        Self { folder, configuration, addresses, process }
    }

    pub(crate) fn configuration(&self) -> &Path {
        &self.configuration
    }

    pub(crate) fn address(&self, name: &str) -> SocketAddr {
        self.addresses[name]
    }

    /// Its rules without listeners, as a file beside its policy.
    pub(crate) fn rules(&self) -> PathBuf {
        let file = self.folder.path().join("rules.toml");
        std::fs::write(&file, rules().replace("kind = \"embedded\"\npath = \"store\"", "kind = \"memory\"")).unwrap();
        file
    }

    /// Ends it as a crash would.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    pub(crate) fn restart(&mut self) {
        self.process = serve(&self.configuration, &self.addresses);
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn serve(configuration: &PathBuf, addresses: &BTreeMap<&'static str, SocketAddr>) -> Child {
    let mut command = Command::new(Barmkin::program());
    let output = std::fs::File::create(configuration.with_extension("log")).unwrap();
    command.arg("serve").arg(configuration).stdin(Stdio::null()).stdout(Stdio::null()).stderr(output);
    let process = command.spawn().unwrap();
    for address in addresses.values() {
        super::sender::wait_until(|| TcpStream::connect(address).is_ok());
    }
    process
}

fn scripted() -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/scripted");
    barmkin_build::build_component(&folder, &barmkin_build::BuildOptions::default()).unwrap()
}

/// A route for each `keep` and `on-duplicate`. Who sends, and which message, a
/// policy takes from fields: proxies that use forward-auth carry no bodies.
fn rules() -> String {
    let mut text = "version = 1
[store]
kind = \"embedded\"
path = \"store\"

[policies.identify]
component = \"file:scripted.wasm\"
settings = { position = 0, vouch = true, sets = [] }
grants = { keys = { signing = \"unused\" }, nonces = { nonces = \"unused\" }, quotas = { quota = \"unused\" }, vouch = true }

[nonces.unused]
[quotas.unused]
rate = \"1000/s\"
key = \"route\"
[keys.unused]
algorithm = \"hmac-sha256\"
secrets = [{ id = \"unused\", from = \"file:secrets/unused\" }]
"
    .to_owned();
    for (keep, duplicate) in KEEPS.into_iter().flat_map(|keep| DUPLICATES.map(|duplicate| (keep, duplicate))) {
        let name = format!("{keep}-{duplicate}");
        let set = |key: &str, value: &str| {
            if value == "unset" { String::new() } else { format!("{key} = \"{value}\"\n") }
        };
        writeln!(
            text,
            "[nonces.{name}]\nsame-delivery = \"message-id\"\n{}{}\n[policies.replay-{name}]\n\
             component = \"stock:replay-window\"\n\
             grants = {{ nonces = {{ deliveries = \"{name}\" }}, sets = [\"barmkin-duplicate\"] }}\n\
             [[routes]]\nname = \"{name}\"\nmatch = {{ path.exact = \"/{name}\" }}\n\
             chain = [\"identify\", \"replay-{name}\"]",
            set("keep", keep),
            set("on-duplicate", duplicate)
        )
        .unwrap();
    }
    text
}
