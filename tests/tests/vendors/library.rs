//! A program that calls vendors' libraries, and goes on for as long as it is
//! asked.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};
use std::fmt;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use tempfile::TempDir;

use crate::delivery::{Delivery, Draft};
use crate::vendor::Vendor;

/// A running program. It also ends by itself when the end of its input comes.
pub(crate) struct Library {
    vendor: Vendor,
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    _folder: TempDir,
}

/// The library's word on a delivery.
#[derive(Deserialize)]
pub(crate) struct Opinion {
    pub(crate) accepted: bool,
    /// The exception of a refusal, or its value.
    #[serde(default)]
    why: String,
}

impl fmt::Display for Opinion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.accepted { f.write_str("accepted") } else { write!(f, "rejected ({})", self.why) }
    }
}

impl Library {
    /// Starts the program for `vendor`; `installed` is what `cargo xtask test`
    /// has installed.
    pub(crate) fn start(vendor: Vendor, installed: &Path) -> Self {
        // Node.js looks for packages beside the program and above it.
        let folder = tempfile::tempdir().unwrap();
        let mut command = if vendor.is_python() {
            let program = folder.path().join("vendors.py");
            std::fs::write(&program, include_str!("../../vendors/vendors.py")).unwrap();
            let mut command = Command::new(installed.join("python/bin/python"));
            command.arg(program);
            command
        } else {
            let program = folder.path().join("vendors.js");
            std::fs::write(&program, include_str!("../../vendors/vendors.js")).unwrap();
            std::fs::write(folder.path().join("package.json"), include_str!("../../vendors/package.json")).unwrap();
            let packages = installed.join("javascript/node_modules");
            std::os::unix::fs::symlink(packages, folder.path().join("node_modules")).unwrap();
            let mut command = Command::new(installed.join("node"));
            command.arg("--no-warnings").arg(program);
            command
        };
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = child.unwrap_or_else(|error| panic!("{command:?} did not start: {error}"));
        let input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { vendor, child, input, output, _folder: folder }
    }

    /// The fields of a delivery that the library signs; `None` if it does not
    /// take such a body.
    pub(crate) fn sign(&mut self, draft: &Draft) -> Option<Vec<(String, String)>> {
        #[derive(Deserialize)]
        struct Signed {
            fields: Option<Vec<(String, String)>>,
            refused: Option<String>,
        }
        let Draft { secret, id, time, body } = draft;
        let body = BASE64_STANDARD.encode(body);
        let signed = self.ask(json!({ "do": "sign", "secret": secret, "id": id, "time": time, "body": body }));
        let signed: Signed = serde_json::from_value(signed).unwrap();
        assert!(signed.fields.is_some() != signed.refused.is_some());
        signed.fields
    }

    pub(crate) fn verify(&mut self, delivery: &Delivery) -> Opinion {
        let Delivery { secrets, fields, body } = delivery;
        let body = BASE64_STANDARD.encode(body);
        let opinion = self.ask(json!({ "do": "verify", "secrets": secrets, "fields": fields, "body": body }));
        serde_json::from_value(opinion).unwrap()
    }

    /// The public key that belongs to a secret.
    pub(crate) fn public_key(&mut self, secret: &str) -> Vec<u8> {
        let key = self.ask(json!({ "do": "key", "secret": secret }));
        hex::decode(key["key"].as_str().unwrap()).unwrap()
    }

    fn ask(&mut self, mut question: Value) -> Value {
        question["vendor"] = json!(self.vendor.name());
        writeln!(self.input, "{question}").expect("the program reads");
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        assert!(!line.is_empty(), "the program has ended: its error is above");
        serde_json::from_str(&line).unwrap()
    }
}

impl Drop for Library {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
