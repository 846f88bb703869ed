//! A gate in front of webhooks, which its operators can reach.

use super::serving::Serving;
use super::{Ended, folder, run};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use tempfile::TempDir;

pub(crate) const NEW: &str = "the new secret of the sender";
pub(crate) const OLD: &str = "the old secret of the sender";

/// Webhooks below `/hooks`, signed with either of two secrets.
pub(crate) const RULES: &str = r#"version = 1

[shutdown]
drain = "0s"

[admin]
address = "unix:admin.sock"

[listen.edge]
kind = "reverse-proxy"
address = "127.0.0.1:0"
upstream = "http://127.0.0.1:1"

[keys.github]
algorithm = "hmac-sha256"
secrets = [
    { id = "new", from = "file:secrets/new" },
    { id = "old", from = "file:secrets/old" },
]

[nonces.deliveries]
retain = "24h"
keep = "on-allow"

[policies.github]
component = "stock:webhook-signature"
settings = { provider = "github" }
grants = { keys = { signing = "github" }, vouch = true }

[[routes]]
name = "hooks"
match = { path.prefix = "/hooks" }
chain = ["github", "stock:replay-window"]
"#;

/// [`RULES`] with the entry of the old secret removed.
pub(crate) fn without_old_entry() -> String {
    RULES.replace("    { id = \"old\", from = \"file:secrets/old\" },\n", "")
}

/// A gate by [`RULES`].
pub(crate) struct Webhooks {
    pub(crate) folder: TempDir,
    pub(crate) serving: Serving,
    pub(crate) address: String,
    /// Where operators are answered.
    pub(crate) admin: String,
}

impl Webhooks {
    pub(crate) fn start() -> Self {
        Self::start_in(with_rules(), "info")
    }

    pub(crate) fn start_in(folder: TempDir, log: &str) -> Self {
        let mut serving = Serving::start_with_log(&folder, log);
        let edge = serving.wait_for("listening");
        let address = edge.pointer("/address").and_then(Value::as_str).unwrap().to_owned();
        let admin = serving.wait_for("admin listening");
        let admin = admin.pointer("/address").and_then(Value::as_str).unwrap().to_owned();
        Self { folder, serving, address, admin }
    }

    /// Replaces a file as deployments do: all of it at once.
    pub(crate) fn replace(&self, name: &str, text: &str) {
        replace(&self.folder.path().join(name), text);
    }

    /// Waits until what is on disk serves, and tells how that came.
    pub(crate) fn loaded(&mut self) -> Value {
        self.serving.wait_for("loaded")
    }

    /// Waits until what is on disk was found not to be usable.
    pub(crate) fn refused(&mut self) -> Value {
        self.serving.wait_for("what is on disk cannot be used: what served goes on serving")
    }

    /// Why a delivery signed with `secret` is denied; `None` if it is not.
    pub(crate) fn deliver(&self, path: &str, secret: &str, body: &str) -> Option<String> {
        let signature = signature(secret, body.as_bytes());
        let mut connection = TcpStream::connect(&self.address).unwrap();
        write!(
            connection,
            "POST {path} HTTP/1.1\r\nhost: a\r\nx-hub-signature-256: sha256={signature}\r\n\
             content-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        let reason = answer.lines().find_map(|line| line.strip_prefix("barmkin-reason: ")).unwrap();
        // What is let through finds nobody there.
        (reason != "upstream-unreachable").then(|| reason.to_owned())
    }

    /// A command to the gate.
    pub(crate) fn command(&self, arguments: &[&str]) -> Ended {
        run(self.folder.path(), arguments)
    }

    /// Its own status.
    pub(crate) fn status(&self) -> Value {
        // It can be asked whatever is on disk.
        let status = self.command(&["status", "--json", "--admin", "unix:admin.sock"]);
        assert_eq!(status.code, Some(0), "{}", status.err);
        serde_json::from_str(&status.out).unwrap()
    }
}

/// The signature of `body`, as GitHub writes it behind `sha256=`.
pub(crate) fn signature(secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body);
    hex::encode(mac.finalize().into_bytes())
}

/// The answer of the gate in `folder` to its operators.
pub(crate) fn get(folder: &Path, target: &str) -> String {
    let mut connection = UnixStream::connect(folder.join("admin.sock")).unwrap();
    write!(connection, "GET {target} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    answer
}

/// A folder with [`RULES`] and the secrets.
pub(crate) fn with_rules() -> TempDir {
    let folder = folder(&[("barmkin.toml", RULES)]);
    std::fs::create_dir(folder.path().join("secrets")).unwrap();
    for (name, secret) in [("new", NEW), ("old", OLD)] {
        replace(&folder.path().join("secrets").join(name), secret);
    }
    folder
}

fn replace(path: &Path, text: &str) {
    let aside = path.with_extension("aside");
    std::fs::write(&aside, text).unwrap();
    std::fs::set_permissions(&aside, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::rename(&aside, path).unwrap();
}
