//! `barmkin serve`, and its log.

use super::barmkin;
use serde_json::Value;
use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStderr, Command, Stdio};
use tempfile::TempDir;

/// A gate that serves, and its log.
pub(crate) struct Serving {
    pub(crate) process: Child,
    log: Lines<BufReader<ChildStderr>>,
    /// Every line of the log so far.
    written: String,
}

impl Serving {
    pub(crate) fn start(folder: &TempDir) -> Self {
        Self::start_with_log(folder, "info")
    }

    /// Starts with a log of that level.
    pub(crate) fn start_with_log(folder: &TempDir, level: &str) -> Self {
        Self::start_command(barmkin(folder.path(), &["serve", "--log-format", "json"]), level)
    }

    /// Starts what ends up as that command.
    pub(crate) fn start_command(mut command: Command, level: &str) -> Self {
        let command = command.stdout(Stdio::null()).stderr(Stdio::piped()).env("RUST_LOG", level);
        let mut process = command.spawn().unwrap();
        let log = BufReader::new(process.stderr.take().unwrap()).lines();
        Self { process, log, written: String::new() }
    }

    /// The fields of the next line of the log with that message. Ends with the
    /// process at the latest.
    pub(crate) fn wait_for(&mut self, message: &str) -> Value {
        for line in self.log.by_ref() {
            let line = line.unwrap();
            self.written.push_str(&line);
            self.written.push('\n');
            let line: Value = serde_json::from_str(&line).unwrap();
            let logged = line.pointer("/fields/message").and_then(Value::as_str).unwrap_or_default();
            if logged.starts_with(message) {
                return line.pointer("/fields").unwrap().clone();
            }
        }
        panic!("the log ended without `{message}`:\n{}", self.written);
    }

    pub(crate) fn signal(&self, name: &str) {
        signal(&self.process, name);
    }

    /// Has it stop, and returns all that it logged.
    pub(crate) fn stop(mut self) -> String {
        self.signal("TERM");
        assert_eq!(self.process.wait().unwrap().code(), Some(0));
        for line in self.log.by_ref() {
            self.written.push_str(&line.unwrap());
            self.written.push('\n');
        }
        std::mem::take(&mut self.written)
    }
}

/// Sends a signal, as `kill -NAME` does.
pub(crate) fn signal(process: &Child, name: &str) {
    let sent = Command::new("kill").args([format!("-{name}"), process.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
